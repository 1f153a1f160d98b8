//! Written caches read back, and damaged ones refused.

use super::*;
use crate::kv::shape::{BranchShape, KvType, LayerShape, Shape};
use crate::kv::{Cache, Sequence};
use proptest::prelude::*;
use siskin_simd::Kernels;

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

proptest! {
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
        let stored = Stored::open(&file, &origin(), &second).unwrap();
        prop_assert_eq!((stored.len(), stored.batched(), stored.logits()), (count, count / 2, 2));
        prop_assert!(stored.tokens().eq((10u32..).take(count)));
        prop_assert_eq!(stored.usable(count, &second), Ok(count));
        let wanted = part.min(count);
        let usable = stored.usable(wanted, &second).unwrap();
        // what lies before the window of the first ring, and states, cannot be gone back to
        let held = count.saturating_sub(rings.0) <= (wanted + 1).saturating_sub(3);
        let possible = wanted == count || held && !state;
        prop_assert_eq!(usable, if possible { wanted } else { 0 });
        let (mut logits, mut read) = ([0.0; 2], 0);
        let complete = stored.restore(usable, &mut second, &mut logits, |range| {
            assert!(range.start >= read);
            read = range.end;
        }).unwrap();
        prop_assert_eq!(complete, usable == count);
        prop_assert_eq!(logits, if complete { [1.0, 2.0] } else { [0.0; 2] });
        let mut fresh = cache(rings.1, state);
        run(&mut fresh, usable);
        prop_assert_eq!((second.end(), seen(&second)), (usable, seen(&fresh)));
        run(&mut second, 1);
        run(&mut fresh, 1);
        prop_assert_eq!(seen(&second), seen(&fresh));
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
        let opened = Stored::open(&bad, &origin(), &second);
        let taken = opened.and_then(|stored| stored.restore(9, &mut second, &mut [0.0; 2], |_| {}));
        let error = taken.expect_err("a damaged file");
        let data = error == Error::Damaged { part: "data" };
        assert_eq!(second.end(), if data { 0 } else { 3 }, "byte {at}: {error}");
    }
    for length in 0..file.len() {
        assert!(Stored::open(&file[..length], &origin(), &first).is_err(), "{length} bytes");
    }
    let longer = [&file[..], &[0]].concat();
    let length = Stored::open(&longer, &origin(), &first).expect_err("a byte too many");
    assert_eq!(length, Error::Length { found: file.len() as u64 + 1, expected: file.len() as u64 });
}

#[test]
fn foreign_files_are_refused_with_a_reason() {
    let mut first = cache(4, false);
    run(&mut first, 5);
    let file = written(&first);
    let reason =
        |origin: Origin, cache: &Cache| Stored::open(&file, &origin, cache).expect_err("foreign").to_string();
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
        Stored::open(&newer, &origin(), &first).expect_err("newer"),
        Error::Version { found: 9, expected: VERSION }
    );
    assert_eq!(Stored::open(b"{}", &origin(), &first).expect_err("json"), Error::NoCache);
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
    let stored = Stored::open(&file, &origin(), &short).unwrap();
    assert_eq!((stored.usable(5, &short), stored.usable(4, &short)), (Ok(0), Ok(4)));
}
