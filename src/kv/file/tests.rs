//! Written caches read back, and damaged ones refused.

use super::*;
use crate::kv::shape::{BranchShape, KvType, LayerShape, Shape};
use crate::kv::{Cache, Sequence, Shared};
use proptest::prelude::*;
use siskin_simd::Kernels;
use std::sync::Arc;

const LAYER: LayerShape = LayerShape {
    streams: 2,
    kv_heads: 2,
    head_dim: 4,
    capacity: 12,
    window: None,
    sinks: 0,
    kv_type: KvType::F16,
    state: 0,
};

/// A layer that sees everything, one with a window, and one with a state if there is to be one.
fn cache(window_capacity: usize, state: bool) -> Cache {
    let window = LayerShape { capacity: window_capacity, window: Some(3), ..LAYER };
    let states = LayerShape {
        streams: 1,
        kv_heads: 1,
        capacity: 2,
        window: Some(3),
        kv_type: KvType::F32,
        state: 5,
        ..LAYER
    };
    let layers = [LAYER, window].into_iter().chain(state.then_some(states)).collect();
    Cache::new(&Shape { layers, positions: 12, branches: BranchShape::default() }).unwrap()
}

fn origin() -> Origin {
    Origin { model: 1, program: "this".into() }
}

/// Stores what says where it is.
fn run(cache: &mut Cache, count: usize) {
    let kernels = Kernels::best();
    let layers = cache.layers().len();
    for position in cache.append(Sequence::Trunk, count) {
        for layer in 0..layers {
            let shape = *cache.layers().nth(layer).unwrap();
            let row = |stream: usize| -> Vec<f32> {
                let first = layer * 500 + position * 20 + stream * 8;
                (0..shape.kv_heads * shape.head_dim).map(|i| (first + i) as f32).collect()
            };
            let rows: Vec<Vec<f32>> = (0..shape.streams).map(row).collect();
            let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
            cache.store(&kernels, layer, (Sequence::Trunk, position), &rows);
            if shape.state > 0 {
                cache.state_mut(layer, Sequence::Trunk).iter_mut().for_each(|x| *x += position as f32);
            }
        }
    }
}

/// A file that stays as it is.
fn shared(file: &[u8]) -> Shared {
    Arc::new(file.to_vec())
}

fn written(cache: &Cache) -> Vec<u8> {
    let tokens: Vec<u32> = (10..).take(cache.end()).collect();
    let contents =
        Contents { cache, origin: &origin(), tokens: &tokens, batched: cache.end() / 2, logits: &[1.0, 2.0] };
    let mut file = Vec::new();
    write(contents, &mut file).unwrap();
    file
}

/// What a token at the end would see, layer by layer, and the states.
fn seen(cache: &Cache) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (layer, shape) in cache.layers().enumerate() {
        let oldest = shape.window.map_or(0, |window| (cache.end() + 1).saturating_sub(window));
        for of in (0..shape.streams).flat_map(|stream| (0..shape.kv_heads).map(move |head| (stream, head))) {
            all.push(cache.held_rows(layer, of, oldest..cache.end()).concat());
        }
        all.push(cache.trunk_state(layer).iter().flat_map(|x| x.to_le_bytes()).collect());
    }
    all
}

#[test]
fn rows_begin_at_cache_lines() {
    let mut first = cache(4, true);
    run(&mut first, 9);
    let file = written(&first);
    for layer in 0..3 {
        // the rows of the first head are where the layer begins
        let rows = first.held_rows(layer, (0, 0), first.held(layer)).concat();
        let at = file.windows(rows.len()).position(|window| window == rows).expect("the rows");
        assert_eq!(at % ALIGNMENT, 0, "layer {layer}");
    }
}

/// What can happen to a cache that began with a file.
#[derive(Clone, Copy, Debug)]
enum Step {
    Append(usize),
    /// So many positions are forgotten.
    Truncate(usize),
    /// Two branches go on, and end.
    Branch(usize),
    /// It is written, and another one goes on from that.
    Again,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1usize..6).prop_map(Step::Append),
        3 => (0usize..8).prop_map(Step::Truncate),
        2 => (1usize..4).prop_map(Step::Branch),
        1 => Just(Step::Again),
    ];
    prop::collection::vec(step, 0..20)
}

/// Rows of a position: the same position has others after something was forgotten.
fn rows(position: usize, step: usize, layer: usize) -> [Vec<f32>; 2] {
    [0, 1].map(|stream| {
        (0..4).map(|i| (position * 97 + step * 31 + layer * 13 + stream * 7 + i) as f32).collect()
    })
}

fn append(cache: &mut Cache, sequence: Sequence, count: usize, step: usize) {
    let (kernels, layers) = (Kernels::best(), cache.layers().len());
    for position in cache.append(sequence, count) {
        for layer in 0..layers {
            let [keys, values] = rows(position, step, layer);
            cache.store(&kernels, layer, (sequence, position), &[&keys, &values]);
        }
    }
}

/// What attention would read of a sequence: the floats of both streams and heads of the positions that a token at the end sees.
fn read(cache: &Cache, layer: usize, sequence: Sequence, window: Option<usize>) -> Vec<Vec<f32>> {
    let floats =
        |bytes: &[u8]| bytes.as_chunks().0.iter().map(|&x| f32::from_le_bytes(x)).collect::<Vec<_>>();
    let slots = cache.slots(layer, sequence);
    let seen = window.map_or(usize::MAX, |window| window - 1).saturating_mul(2);
    let last = |all: Vec<f32>| all[all.len() - all.len().min(seen)..].to_vec();
    let of = |head: usize| {
        let keys: Vec<f32> = slots.iter().flat_map(|slots| floats(cache.keys(layer, head, slots))).collect();
        let values: Vec<f32> =
            slots.iter().flat_map(|slots| floats(cache.values(layer, head, slots))).collect();
        [last(keys), last(values)]
    };
    [0, 1].into_iter().flat_map(of).collect()
}

/// The same of a plain list of rows.
fn expected(plain: &[[Vec<f32>; 2]], window: Option<usize>) -> Vec<Vec<f32>> {
    let seen = &plain[plain.len() - plain.len().min(window.map_or(usize::MAX, |window| window - 1))..];
    let of = |head: usize, stream: usize| {
        seen.iter().flat_map(|row| row[stream][head * 2..head * 2 + 2].to_vec()).collect::<Vec<f32>>()
    };
    vec![of(0, 0), of(0, 1), of(1, 0), of(1, 1)]
}

/// A layer that sees everything beside one whose window wraps, and room for two branches.
fn restored_cache(ring: usize) -> Cache {
    let all = LayerShape { head_dim: 2, capacity: 40, kv_type: KvType::F32, ..LAYER };
    let window = LayerShape { capacity: ring, window: Some(4), ..all };
    let branches = BranchShape { count: 2, positions: 4, shared: 0, run: 1 };
    Cache::new(&Shape { layers: vec![all, window], positions: 40, branches }).unwrap()
}

proptest! {
    /// Through anything that can happen to a cache that reads its first positions from a file, it holds what plain lists of rows hold.
    #[test]
    fn a_prefix_in_a_file_is_as_good_as_rows_of_its_own(
        (stored, part) in (1usize..16, 0usize..16),
        (first_ring, ring) in (4usize..9, 4usize..9),
        steps in steps(),
    ) {
        let origin = origin();
        let save = |cache: &Cache| {
            let tokens = vec![1; cache.end()];
            let contents = Contents { cache, origin: &origin, tokens: &tokens, batched: 0, logits: &[] };
            let mut file = Vec::new();
            write(contents, &mut file).unwrap();
            file
        };
        let restore = |file: &[u8], count: usize| {
            let mut cache = restored_cache(ring);
            let stored = Stored::open(shared(file), &origin, &cache).unwrap();
            let count = stored.usable(count.min(stored.len()), &cache).unwrap();
            stored.restore(count, &mut cache, &mut []).unwrap();
            cache
        };
        let layers = [None, Some(4)];
        let all_rows = |position: usize, step: usize| [0, 1].map(|layer| rows(position, step, layer));
        let mut cache = restored_cache(first_ring);
        append(&mut cache, Sequence::Trunk, stored, 0);
        let mut cache = restore(&save(&cache), stored - part.min(stored) );
        let mut plain: Vec<[[Vec<f32>; 2]; 2]> = (0..cache.end()).map(|position| all_rows(position, 0)).collect();
        for (step, what) in (1..).zip(steps) {
            match what {
                Step::Append(count) => {
                    let count = count.min(cache.free());
                    // what a pass adds must not overwrite what its first token sees
                    for _ in 0..count {
                        plain.push(all_rows(cache.end(), step));
                        append(&mut cache, Sequence::Trunk, 1, step);
                    }
                }
                Step::Truncate(count) => {
                    let kept = cache.truncate(cache.end().saturating_sub(count));
                    plain.truncate(kept);
                }
                Step::Branch(count) => {
                    cache.branch(2);
                    append(&mut cache, Sequence::Branch(0), count, step);
                    cache.rearrange(&[0, 0]);
                    append(&mut cache, Sequence::Branch(1), 1, step + 1000);
                    for (layer, window) in layers.into_iter().enumerate() {
                        let mut plain: Vec<_> = plain.iter().map(|rows| rows[layer].clone()).collect();
                        let end = plain.len();
                        plain.extend((end..end + count).map(|position| rows(position, step, layer)));
                        prop_assert_eq!(read(&cache, layer, Sequence::Branch(0), window), expected(&plain, window));
                        plain.push(rows(end + count, step + 1000, layer));
                        prop_assert_eq!(read(&cache, layer, Sequence::Branch(1), window), expected(&plain, window));
                    }
                    let end = cache.end();
                    prop_assert_eq!(cache.truncate(end), end);
                }
                Step::Again => {
                    let end = cache.end();
                    cache = restore(&save(&cache), end);
                    prop_assert_eq!(cache.end(), end);
                }
            }
            prop_assert_eq!(cache.end(), plain.len());
            for (layer, window) in layers.into_iter().enumerate() {
                let of_layer: Vec<_> = plain.iter().map(|rows| rows[layer].clone()).collect();
                prop_assert_eq!(read(&cache, layer, Sequence::Trunk, window), expected(&of_layer, window));
                let mut last = [0.0; 12];
                cache.load_before(layer, (Sequence::Trunk, cache.end()), &mut last);
                let zeros = 3 - plain.len().min(3);
                let keys = of_layer[plain.len() - plain.len().min(3)..].iter().flat_map(|row| row[0].clone());
                prop_assert_eq!(&last[..], &std::iter::repeat_n(0.0, zeros * 4).chain(keys).collect::<Vec<_>>()[..]);
            }
        }
    }

    /// A cache that took up a stored one, with a ring of another size, holds what one holds that ran the same tokens; and both go on alike.
    #[test]
    fn what_was_stored_is_there_again(
        count in 1usize..11,
        part in 0usize..11,
        state in any::<bool>(),
        rings in (3usize..8, 3usize..8),
    ) {
        let mut first = cache(rings.0, state);
        run(&mut first, count);
        let file = written(&first);
        let mut second = cache(rings.1, state);
        run(&mut second, 2);
        let stored = Stored::open(shared(&file), &origin(), &second).unwrap();
        prop_assert_eq!((stored.len(), stored.batched(), stored.logits()), (count, count / 2, 2));
        prop_assert!(stored.tokens().eq((10u32..).take(count)));
        prop_assert_eq!(stored.usable(count, &second), Ok(count));
        let wanted = part.min(count);
        let usable = stored.usable(wanted, &second).unwrap();
        // what lies before the window of the first ring, and states, cannot be gone back to
        let held = count.saturating_sub(rings.0) <= (wanted + 1).saturating_sub(3);
        let possible = wanted == count || held && !state;
        prop_assert_eq!(usable, if possible { wanted } else { 0 });
        let mut logits = [0.0; 2];
        let complete = stored.restore(usable, &mut second, &mut logits).unwrap();
        prop_assert_eq!(second.mapped_bytes(), if usable == 0 { 0 } else { file.len() });
        prop_assert_eq!(complete, usable == count);
        prop_assert_eq!(logits, if complete { [1.0, 2.0] } else { [0.0; 2] });
        let mut fresh = cache(rings.1, state);
        run(&mut fresh, usable);
        prop_assert_eq!((second.end(), seen(&second)), (usable, seen(&fresh)));
        run(&mut second, 1);
        run(&mut fresh, 1);
        prop_assert_eq!(seen(&second), seen(&fresh));
        // what lies in the file and behind it is written like what is the cache's own, if the file has as much as the ring would
        prop_assert!(usable < count || rings.0 < rings.1 || written(&second) == written(&fresh));
    }
}

#[test]
fn every_damaged_byte_is_found() {
    let mut first = cache(4, true);
    run(&mut first, 9);
    let file = written(&first);
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 1;
        let mut second = cache(4, true);
        run(&mut second, 3);
        let before = seen(&second);
        let opened = Stored::open(shared(&bad), &origin(), &second);
        let taken = opened.and_then(|stored| stored.restore(9, &mut second, &mut [0.0; 2]));
        let error = taken.expect_err("a damaged file");
        assert_eq!((second.end(), second.mapped_bytes()), (3, 0), "byte {at}: {error}");
        assert_eq!(seen(&second), before);
    }
    for length in 0..file.len() {
        assert!(Stored::open(shared(&file[..length]), &origin(), &first).is_err(), "{length} bytes");
    }
    let longer = [&file[..], &[0]].concat();
    let length = Stored::open(shared(&longer), &origin(), &first).expect_err("a byte too many");
    assert_eq!(length, Error::Length { found: file.len() as u64 + 1, expected: file.len() as u64 });
}

#[test]
fn foreign_files_are_refused_with_a_reason() {
    let mut first = cache(4, false);
    run(&mut first, 5);
    let file = written(&first);
    let reason = |origin: Origin, cache: &Cache| {
        Stored::open(shared(&file), &origin, cache).expect_err("foreign").to_string()
    };
    assert!(reason(Origin { model: 2, ..origin() }, &first).contains("another model"));
    assert_eq!(
        reason(Origin { program: "that".into(), ..origin() }, &first),
        "it was made by this, expected that"
    );
    assert!(reason(origin(), &cache(4, true)).contains("another shape"));
    let wide = LayerShape { kv_type: KvType::F32, ..LAYER };
    let window = LayerShape { window: Some(3), ..wide };
    let shape = Shape { layers: vec![wide, window], positions: 12, branches: BranchShape::default() };
    assert_eq!(reason(origin(), &Cache::new(&shape).unwrap()), "its keys and values are f16, expected f32");
    let mut newer = file.clone();
    newer[8] = 9;
    assert_eq!(
        Stored::open(shared(&newer), &origin(), &first).expect_err("newer"),
        Error::Version { found: 9, expected: VERSION }
    );
    assert_eq!(Stored::open(shared(b"{}"), &origin(), &first).expect_err("json"), Error::NoCache);
    // too long for a shorter ring
    let short = Cache::new(&Shape {
        layers: vec![
            LayerShape { capacity: 4, ..LAYER },
            LayerShape { capacity: 4, window: Some(3), ..LAYER },
        ],
        positions: 4,
        branches: BranchShape::default(),
    });
    let short = short.unwrap();
    let stored = Stored::open(shared(&file), &origin(), &short).unwrap();
    assert_eq!((stored.usable(5, &short), stored.usable(4, &short)), (Ok(0), Ok(4)));
}
