//! The reader of prompt caches. An input is a file.

use crate::fuzz::Target;
use siskin::kv::file::{Contents, Error, Origin, Stored, checksum, write};
use siskin::kv::shape::{BranchShape, KvType, LayerShape, Shape};
use siskin::kv::{Cache, Sequence};
use siskin_simd::Kernels;
use std::sync::Arc;

/// Files, as they are and with checksums that fit: no panic, and a cache goes on from the end of what was taken, or is empty.
pub const CACHE: Target =
    Target { name: "cache", run, seeds, words: &["siskinKV", "f16", "f32"], memory: |len| len + MEMORY };

/// What a cache, a message and a copy of the input take.
const MEMORY: usize = 64 << 10;
/// Logits.
const LOGITS: usize = 5;

/// A layer that sees everything, one with a window, one with a state.
fn cache() -> Cache {
    let layer = LayerShape {
        streams: 2,
        kv_heads: 2,
        head_dim: 8,
        capacity: 16,
        window: None,
        sinks: 0,
        kv_type: KvType::F16,
        state: 0,
    };
    let window = LayerShape { capacity: 6, window: Some(4), ..layer };
    let state = LayerShape {
        streams: 1,
        kv_heads: 1,
        capacity: 3,
        window: Some(4),
        kv_type: KvType::F32,
        state: 6,
        ..layer
    };
    let shape = Shape { layers: vec![layer, window, state], positions: 16, branches: BranchShape::default() };
    Cache::new(&shape).expect("a small cache")
}

fn origin() -> Origin {
    Origin { model: 7, program: "siskin".to_owned() }
}

/// Caches of several lengths, with logits and without.
fn seeds() -> Vec<Vec<u8>> {
    let seed = |count: usize| {
        let (mut cache, kernels) = (cache(), Kernels::best());
        for position in cache.append(Sequence::Trunk, count) {
            let rows = [position as f32; 16];
            cache.store(&kernels, 0, (Sequence::Trunk, position), &[&rows, &rows]);
            cache.store(&kernels, 1, (Sequence::Trunk, position), &[&rows, &rows]);
            cache.store(&kernels, 2, (Sequence::Trunk, position), &[&rows[..8]]);
        }
        cache.state_mut(2, Sequence::Trunk).fill(0.5);
        let tokens: Vec<u32> = (0..count as u32).collect();
        let (origin, logits) = (origin(), [0.25; LOGITS]);
        let logits = if count.is_multiple_of(2) { &logits[..] } else { &[] };
        let contents =
            Contents { cache: &cache, origin: &origin, tokens: &tokens, batched: count / 2, logits };
        let mut file = Vec::new();
        write(contents, &mut file).expect("memory takes all");
        file
    };
    [1, 2, 3, 7, 8, 16].map(seed).into()
}

fn run(bytes: Vec<u8>) {
    let bytes = Arc::new(bytes);
    let _ = take(&bytes);
    // nobody else holds them any more
    if let Some(repaired) = Arc::into_inner(bytes).and_then(repaired) {
        let _ = take(&Arc::new(repaired));
    }
}

/// Takes up all of a file, and a part of it.
fn take(bytes: &Arc<Vec<u8>>) -> Result<(), Error> {
    let (mut cache, origin) = (cache(), origin());
    let stored = Stored::open(bytes.clone(), &origin, &cache)?;
    assert!(stored.batched() <= stored.len() && stored.tokens().len() == stored.len());
    for count in [stored.len(), stored.len() / 2, usize::MAX] {
        let (count, mut logits) = (stored.usable(count, &cache)?, [0.0; LOGITS]);
        let before = cache.end();
        match stored.restore(count, &mut cache, &mut logits) {
            Ok(complete) => assert!(cache.end() == count && (!complete || count == stored.len())),
            Err(error) => {
                assert_eq!(cache.end(), before);
                return Err(error);
            }
        }
        for layer in 0..3 {
            let slots = cache.slots(layer, Sequence::Trunk);
            assert!(slots.iter().map(|slots| slots.len()).sum::<usize>() <= 16);
            // every row is there
            let rows: usize = slots.iter().map(|slots| cache.keys(layer, 0, slots).len()).sum();
            assert_eq!(
                rows,
                slots.iter().map(|slots| slots.len()).sum::<usize>() * if layer == 2 { 32 } else { 16 }
            );
        }
    }
    Ok(())
}

/// The same with the checksums that its own numbers ask for; `None` if it ends before.
fn repaired(mut bytes: Vec<u8>) -> Option<Vec<u8>> {
    let number = |at: usize, size: usize| -> Option<usize> {
        let digits = bytes.get(at..at.checked_add(size)?)?;
        let value = digits.iter().rev().fold(0u64, |value, &byte| value << 8 | u64::from(byte));
        usize::try_from(value).ok()
    };
    let layers = number(20, 4)?.checked_add(24)?;
    let counts = number(layers, 4)?.checked_mul(44)?.checked_add(layers + 4)?;
    let tokens = counts.checked_add(24)?;
    let end = number(counts, 8)?.checked_mul(4)?.checked_add(tokens)?;
    let data = end.checked_add(8)?;
    let last = bytes.len().checked_sub(8).filter(|&last| last >= data)?;
    let sum = checksum(&bytes[..end]).to_le_bytes();
    bytes[end..data].copy_from_slice(&sum);
    let sum = checksum(&bytes[data..last]).to_le_bytes();
    bytes[last..].copy_from_slice(&sum);
    Some(bytes)
}
