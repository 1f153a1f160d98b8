//! The cache against plain values.

use super::*;
use proptest::prelude::*;

/// A run of the trunk's slots.
fn slots(cache: &Cache, layer: usize, range: Range<usize>) -> Slots {
    Slots { area: cache.layers[layer].trunk, range }
}

fn trunk_slots(cache: &Cache, layer: usize) -> [Range<usize>; 2] {
    let [sinks, first, second, tail, end] = cache.slots(layer, Sequence::Trunk);
    assert!(sinks.is_empty() && tail.is_empty() && end.is_empty());
    [first.range, second.range]
}

#[test]
fn rows_come_back_where_they_were_stored() {
    let kernels = Kernels::best();
    for kv_type in [KvType::F32, KvType::F16] {
        let layer = LayerShape {
            streams: 2,
            kv_heads: 2,
            head_dim: 3,
            capacity: 4,
            window: None,
            sinks: 0,
            kv_type,
            state: 0,
        };
        let shape = Shape { layers: vec![layer; 2], positions: 4, branches: BranchShape::default() };
        let mut cache = Cache::new(&shape).unwrap();
        assert_eq!(shape.bytes(), Some(cache.bytes()));
        assert_eq!(cache.bytes(), 2 * 2 * 2 * 4 * 3 * kv_type.format().block_bytes());
        for position in cache.append(Sequence::Trunk, 4) {
            for layer in 0..2 {
                let value = |kind: usize, i: usize| (layer * 1000 + kind * 100 + position * 10 + i) as f32;
                let row = |kind: usize| -> Vec<f32> { (0..6).map(|i| value(kind, i)).collect() };
                cache.store(&kernels, layer, (Sequence::Trunk, position), &[&row(0), &row(1)]);
            }
        }
        let floats = |bytes: &[u8], n: usize| {
            let mut out = vec![0.0; n];
            kv_type.format().decode(bytes, &mut out);
            out
        };
        assert_eq!(
            floats(cache.keys(1, 1, &slots(&cache, 1, 2..4)), 6),
            [1023.0, 1024.0, 1025.0, 1033.0, 1034.0, 1035.0]
        );
        assert_eq!(floats(cache.values(0, 0, &slots(&cache, 0, 1..2)), 3), [110.0, 111.0, 112.0]);
        let mut row = [0.0; 6];
        cache.load(0, (Sequence::Trunk, 2), &mut row);
        assert_eq!(row, [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]);
        let mut rows = [f32::NAN; 12];
        cache.load_before(0, (Sequence::Trunk, 1), &mut rows);
        assert_eq!(rows, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    }
}

/// What is stored comes back within half a step of its block, for every type; a block holds values of one head only, so that a large one spoils
/// no other head.
#[test]
fn blocks_are_of_one_head() {
    let kernels = Kernels::best();
    for (kv_type, bytes, steps) in
        [(KvType::F16, 128, 2048.0), (KvType::Q8_0, 68, 254.0), (KvType::Q4_0, 36, 6.0)]
    {
        let layer = LayerShape {
            streams: 2,
            kv_heads: 2,
            head_dim: 64,
            capacity: 3,
            window: None,
            sinks: 0,
            kv_type,
            state: 0,
        };
        let shape = Shape { layers: vec![layer; 2], positions: 3, branches: BranchShape::default() };
        let mut cache = Cache::new(&shape).unwrap();
        assert_eq!((shape.bytes(), cache.bytes()), (Some(cache.bytes()), 2 * 2 * 2 * 3 * bytes));
        let row = |seed: usize| -> Vec<f32> {
            let value = |i: usize| ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.5 - 1.0;
            (0..128).map(|i| if i < 64 { value(i) } else { 1000.0 * value(i) }).collect()
        };
        for position in cache.append(Sequence::Trunk, 3) {
            for layer in 0..2 {
                let streams = [row(position * 4 + layer * 2), row(position * 4 + layer * 2 + 1)];
                cache.store(&kernels, layer, (Sequence::Trunk, position), &[&streams[0], &streams[1]]);
            }
        }
        let near = |found: &[f32], expected: &[f32], largest: f32| {
            let limit = largest / steps * 1.01;
            assert!(
                found.iter().zip(expected).all(|(x, y)| (x - y).abs() <= limit),
                "{kv_type:?}: {found:?}"
            );
        };
        for (position, layer, head) in [(0, 0, 0), (1, 1, 0), (2, 0, 1), (2, 1, 1)] {
            let largest = if head == 0 { 1.0 } else { 1000.0 };
            let (slot, of_head) = (slots(&cache, layer, position..position + 1), head * 64..head * 64 + 64);
            let mut found = [f32::NAN; 64];
            kv_type.format().decode(cache.values(layer, head, &slot), &mut found);
            near(&found, &row(position * 4 + layer * 2 + 1)[of_head.clone()], largest);
            let mut all = [f32::NAN; 128];
            cache.load(layer, (Sequence::Trunk, position), &mut all);
            near(&all[of_head.clone()], &row(position * 4 + layer * 2)[of_head], largest);
        }
    }
}

#[test]
fn heads_that_are_no_whole_blocks_are_refused() {
    for (kv_type, fits) in
        [(KvType::F32, true), (KvType::F16, true), (KvType::Q8_0, false), (KvType::Q4_0, false)]
    {
        let layer = LayerShape {
            streams: 2,
            kv_heads: 1,
            head_dim: 48,
            capacity: 2,
            window: None,
            sinks: 0,
            kv_type,
            state: 0,
        };
        let shape = Shape { layers: vec![layer], positions: 2, branches: BranchShape::default() };
        assert_eq!((Cache::new(&shape).is_some(), kv_type.check(48).is_ok()), (fits, fits));
        assert!(kv_type.check(64).is_ok());
    }
    assert_eq!(
        KvType::Q8_0.check(48).unwrap_err().to_string(),
        "keys and values as q8_0: found heads of 48 values, expected a multiple of 32. Try f32 or f16"
    );
}

#[test]
fn sizes_that_overflow_are_refused() {
    for (kv_heads, head_dim, capacity) in [(usize::MAX, 2, 2), (1, 0, 2)] {
        let kv_type = KvType::F16;
        let layers = vec![LayerShape {
            streams: 2,
            kv_heads,
            head_dim,
            capacity,
            window: None,
            sinks: 0,
            kv_type,
            state: 0,
        }];
        assert!(Cache::new(&Shape { layers, positions: 2, branches: BranchShape::default() }).is_none());
    }
}

/// A layer with a window of 3 in 5 slots, beside one that keeps all.
#[test]
fn what_a_window_has_lost_cannot_be_gone_back_to() {
    let kv_type = KvType::F32;
    let all = LayerShape {
        streams: 2,
        kv_heads: 1,
        head_dim: 1,
        capacity: 20,
        window: None,
        sinks: 0,
        kv_type,
        state: 0,
    };
    let layers = vec![all, LayerShape { capacity: 5, window: Some(3), ..all }];
    let mut cache = Cache::new(&Shape { layers, positions: 20, branches: BranchShape::default() }).unwrap();
    cache.append(Sequence::Trunk, 5);
    assert_eq!(cache.truncate(1), 1);
    cache.append(Sequence::Trunk, 9);
    assert_eq!((cache.end(), cache.free()), (10, 10));
    assert_eq!(trunk_slots(&cache, 0), [0..10, 0..0]);
    let shape = Shape {
        layers: vec![all, LayerShape { window: Some(3), ..all }],
        positions: 20,
        branches: BranchShape::default(),
    };
    assert_eq!((shape.read_bytes(2), shape.read_bytes(10)), (Some(2 * 2 * 8), Some((10 + 3) * 8)));
    // positions 5..10 are held
    assert_eq!(cache.truncate(7), 7);
    assert_eq!(trunk_slots(&cache, 1), [0..2, 0..0]);
    assert_eq!(cache.truncate(6), 0);
    assert_eq!((cache.end(), trunk_slots(&cache, 0)), (0, [0..0, 0..0]));
}

proptest! {
    /// A cache with sinks, against plain lists of what was stored, through anything that can happen to it.
    #[test]
    fn sinks_and_the_last_positions_are_held(
        capacity in 2usize..9,
        sinks in 0usize..5,
        steps in prop::collection::vec((0usize..6, 0usize..4), 0..40),
    ) {
        let (kernels, sinks) = (Kernels::best(), sinks.min(capacity - 1));
        let layer = LayerShape { streams: 2, kv_heads: 1, head_dim: 1, capacity, window: None, sinks, kv_type: KvType::F32, state: 0 };
        let shape = Shape { layers: vec![layer], positions: usize::MAX, branches: BranchShape { count: 2, positions: 40, run: 1, shared: 0 } };
        let mut cache = Cache::new(&shape).unwrap();
        let (mut trunk, mut tails): (Vec<f32>, Vec<Vec<f32>>) = (Vec::new(), Vec::new());
        // positions before this one are gone, but for the sinks
        let mut start = 0;
        for (step, (what, count)) in steps.into_iter().enumerate() {
            match what {
                // the trunk grows, if it can
                0 | 1 if tails.is_empty() => {
                    for position in cache.append(Sequence::Trunk, count.min(capacity - sinks)) {
                        let value = (step * 10 + position) as f32;
                        cache.store(&kernels, 0, (Sequence::Trunk, position), &[&[value], &[-value]]);
                        trunk.push(value);
                    }
                    if trunk.len() > capacity {
                        start = start.max(trunk.len() - (capacity - sinks));
                    }
                }
                2 if tails.is_empty() => {
                    cache.branch(2);
                    tails = vec![Vec::new(); 2];
                }
                0..=3 if !tails.is_empty() => {
                    cache.rearrange(&[count % 2, count / 2]);
                    tails = vec![tails[count % 2].clone(), tails[count / 2].clone()];
                    let position = cache.append(Sequence::Branch(1), 1).start;
                    cache.store(&kernels, 0, (Sequence::Branch(1), position), &[&[step as f32], &[0.5]]);
                    tails[1].push(step as f32);
                }
                4 => {
                    tails.clear();
                    let end = trunk.len().saturating_sub(count);
                    // all or nothing
                    let kept = if start == 0 || count == 0 { end } else { 0 };
                    prop_assert_eq!(cache.truncate(end), kept);
                    trunk.truncate(kept);
                    start = if kept <= sinks { 0 } else { start };
                }
                // a sink's first stream is replaced
                _ if sinks > 0 && !trunk.is_empty() => {
                    trunk[0] = (step * 1000) as f32;
                    cache.store(&kernels, 0, (Sequence::Trunk, 0), &[&[trunk[0]]]);
                }
                _ => {}
            }
            let missing = if start == 0 { 0..0 } else { sinks..start };
            let held = || trunk.iter().enumerate().filter(|(i, _)| !missing.contains(i)).map(|(_, &x)| x);
            for (sequence, tail) in [(Sequence::Trunk, &[][..])].into_iter().chain(tails.iter().enumerate().map(|(i, tail)| (Sequence::Branch(i), &tail[..]))) {
                let seen = cache.slots(0, sequence).map(|slots| {
                    cache.keys(0, 0, &slots).as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect::<Vec<_>>()
                });
                prop_assert_eq!(seen.concat(), held().chain(tail.iter().copied()).collect::<Vec<_>>());
                prop_assert_eq!(cache.end_of(sequence), trunk.len() + tail.len());
            }
        }
    }
}

/// What lies in a file is never written.
#[test]
#[should_panic(expected = "position 1 lies in a file")]
fn a_position_in_a_file_cannot_be_replaced() {
    let all = LayerShape {
        streams: 1,
        kv_heads: 1,
        head_dim: 1,
        capacity: 4,
        window: None,
        sinks: 0,
        kv_type: KvType::F32,
        state: 0,
    };
    let shape = Shape { layers: vec![all], positions: 4, branches: BranchShape::default() };
    let mut cache = Cache::new(&shape).unwrap();
    let file: Vec<u8> = [1.0f32, 2.0, 3.0].into_iter().flat_map(f32::to_le_bytes).collect();
    let rows = |end| move |_: (usize, &LayerShape)| Some(StoredRows { start: 0, positions: 0..end });
    assert!(!cache.map_prefix(std::sync::Arc::new(file.clone()), 2, rows(4)), "a row more than the file has");
    assert!((cache.end(), cache.mapped_bytes()) == (0, 0));
    assert!(cache.map_prefix(std::sync::Arc::new(file), 2, rows(3)));
    let mut row = [0.0];
    cache.load(0, (Sequence::Trunk, 1), &mut row);
    assert!((cache.end(), cache.mapped_bytes(), row) == (2, 12, [2.0]));
    cache.store(&Kernels::best(), 0, (Sequence::Trunk, 1), &[&[5.0]]);
}

/// Two layers with states beside one that keeps all.
#[test]
fn a_state_goes_on_or_begins_anew() {
    let kv_type = KvType::F16;
    let all = LayerShape {
        streams: 2,
        kv_heads: 1,
        head_dim: 1,
        capacity: 9,
        window: None,
        sinks: 0,
        kv_type,
        state: 0,
    };
    let layers = vec![LayerShape { state: 3, ..all }, all, LayerShape { state: 2, ..all }];
    let shape = Shape { layers, positions: 9, branches: BranchShape::default() };
    let mut cache = Cache::new(&shape).unwrap();
    assert_eq!(shape.bytes(), Some(cache.bytes()));
    assert_eq!(cache.bytes(), 3 * 2 * 9 * 2 + 5 * 4);
    cache.append(Sequence::Trunk, 4);
    cache.state_mut(0, Sequence::Trunk).copy_from_slice(&[1.0, 2.0, 3.0]);
    cache.state_mut(2, Sequence::Trunk).copy_from_slice(&[4.0, 5.0]);
    assert!(cache.state_mut(1, Sequence::Trunk).is_empty());
    assert_eq!((cache.truncate(4), cache.truncate(7)), (4, 4));
    assert_eq!(cache.state_mut(0, Sequence::Trunk), [1.0, 2.0, 3.0]);
    assert_eq!(cache.truncate(3), 0);
    assert_eq!(
        (cache.state_mut(0, Sequence::Trunk).to_vec(), cache.state_mut(2, Sequence::Trunk).to_vec()),
        (vec![0.0; 3], vec![0.0; 2])
    );
    let states = vec![LayerShape { state: usize::MAX / 2, ..all }];
    assert!(Cache::new(&Shape { layers: states, positions: 9, branches: BranchShape::default() }).is_none());
}

/// Branches of a cache with all kinds of layers, against sequences that are plain lists: what each sees, and its state.
#[test]
fn branches_see_the_trunk_and_their_own_tails() {
    let kernels = Kernels::best();
    let all = LayerShape {
        streams: 2,
        kv_heads: 2,
        head_dim: 1,
        capacity: 6,
        window: None,
        sinks: 0,
        kv_type: KvType::F32,
        state: 0,
    };
    let window = LayerShape { capacity: 4, window: Some(3), ..all };
    let layers = vec![all, window, LayerShape { state: 1, ..window }];
    let shape =
        Shape { layers, positions: 6, branches: BranchShape { count: 3, positions: 8, run: 1, shared: 0 } };
    let mut cache = Cache::new(&shape).unwrap();
    assert_eq!(shape.bytes(), Some(cache.bytes()));

    let put = |cache: &mut Cache, sequence, value: f32| {
        let position = cache.append(sequence, 1).start;
        for layer in 0..3 {
            let (keys, values) = ([value, value + 0.25], [value + 0.5, value + 0.75]);
            cache.store(&kernels, layer, (sequence, position), &[&keys, &values]);
        }
        cache.state_mut(2, sequence)[0] += value;
    };
    (0..5).for_each(|i| put(&mut cache, Sequence::Trunk, i as f32));
    let mut plain: Vec<Vec<f32>> = vec![(0..5).map(|i| i as f32).collect(); 3];
    cache.branch(3);
    let rearranged = [[0, 1, 2], [2, 0, 0], [1, 1, 0], [0, 0, 0], [2, 1, 0], [0, 2, 2], [1, 0, 1], [2, 2, 2]];
    for (step, parents) in rearranged.into_iter().enumerate() {
        cache.rearrange(&parents);
        plain = parents.iter().map(|&parent| plain[parent].clone()).collect();
        for (branch, plain) in plain.iter_mut().enumerate() {
            let value = (100 + 10 * step + branch) as f32;
            put(&mut cache, Sequence::Branch(branch), value);
            plain.push(value);
        }
        for (branch, plain) in plain.iter().enumerate() {
            let sequence = Sequence::Branch(branch);
            assert_eq!(cache.end_of(sequence), plain.len());
            for (layer, held) in [(0, plain.len()), (1, 3), (2, 3)] {
                let expected: Vec<f32> = plain[plain.len() - held..].iter().map(|x| x + 0.75).collect();
                let seen = cache.slots(layer, sequence).map(|slots| {
                    let bytes = cache.values(layer, 1, &slots);
                    bytes.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect::<Vec<_>>()
                });
                let seen = seen.concat();
                assert_eq!(seen[seen.len() - held..], expected, "step {step} branch {branch} layer {layer}");
            }
            let mut before = [0.0; 4];
            cache.load_before(1, (sequence, plain.len()), &mut before);
            assert_eq!(before[0], plain[plain.len() - 2]);
            assert_eq!(cache.state_mut(2, sequence)[0], plain.iter().sum::<f32>());
        }
    }
    assert_eq!(cache.free_in(Sequence::Branch(1)), 0);
    assert_eq!(cache.truncate(5), 5);
    assert_eq!((cache.branches(), cache.state_mut(2, Sequence::Trunk)[0]), (0, 10.0));
}

proptest! {
    /// Branches that share positions, against plain lists of what each was given and has stored, with windows and states.
    #[test]
    fn shared_positions_are_those_of_whoever_has_them(
        shared in 6usize..20,
        steps in prop::collection::vec((0usize..3, 0usize..12), 0..40),
    ) {
        let kernels = Kernels::best();
        let all = LayerShape { streams: 2, kv_heads: 2, head_dim: 1, capacity: 1, window: None, sinks: 0, kv_type: KvType::F32, state: 0 };
        let window = LayerShape { window: Some(3), ..all };
        let layers = vec![all, window, LayerShape { state: 1, streams: 1, ..window }];
        let branches = BranchShape { count: 3, positions: 6, shared, run: 2 };
        let shape = Shape { layers, positions: 1, branches };
        let mut cache = Cache::new(&shape).unwrap();
        prop_assert_eq!(shape.bytes(), Some(cache.bytes()));
        cache.branch(3);
        let (mut rooms, mut plain) = ([0usize; 3], vec![Vec::new(); 3]);
        for (step, (branch, wanted)) in steps.into_iter().enumerate() {
            let sequence = Sequence::Branch(branch);
            if let Some(positions) = wanted.checked_sub(6) {
                rooms[branch] = 0;
                rooms[branch] = positions.min(shared - rooms.iter().sum::<usize>());
                cache.give(branch, rooms[branch]);
                plain[branch].clear();
            }
            prop_assert_eq!(cache.free_to_share(), shared - rooms.iter().sum::<usize>());
            prop_assert_eq!(cache.free_in(sequence), rooms[branch] - plain[branch].len());
            for position in cache.append(sequence, wanted.min(2).min(cache.free_in(sequence))) {
                let value = (10 * step + position) as f32;
                for layer in 0..3 {
                    let rows: [&[f32]; 2] = [&[value, value + 0.25], &[value + 0.5, value + 0.75]];
                    cache.store(&kernels, layer, (sequence, position), &rows[..shape.layers[layer].streams]);
                }
                cache.state_mut(2, sequence)[0] += value;
                plain[branch].push(value);
            }
            for (branch, plain) in plain.iter().enumerate() {
                let sequence = Sequence::Branch(branch);
                for (layer, held) in [(0, plain.len()), (1, plain.len().min(3))] {
                    let expected: Vec<f32> = plain[plain.len() - held..].iter().map(|x| x + 0.75).collect();
                    let seen = cache.slots(layer, sequence).map(|slots| {
                        let bytes = cache.values(layer, 1, &slots);
                        bytes.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect::<Vec<_>>()
                    });
                    let seen = seen.concat();
                    prop_assert_eq!(&seen[seen.len() - held..], expected);
                }
                prop_assert_eq!(cache.state_mut(2, sequence)[0], plain.iter().sum::<f32>());
            }
        }
    }
}
