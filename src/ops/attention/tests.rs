//! Both ways of attention against the formula in `f64`, over spans that wrap, with any grouping of heads.

use super::*;
use crate::threads::Team;
use proptest::prelude::*;
use siskin_simd::{Isa, Kernels};
use siskin_tools::some;

/// Values in -1..1 that look random.
fn values(n: usize, seed: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919 + seed * 104_729 + 13) % 2003) as f32 / 1001.5 - 1.0).collect()
}

/// As the cache stores them, and what that means in floats. Each row is a head.
fn stored(format: Format, x: &[f32], dim: usize) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = vec![0; format.row_bytes(dim).unwrap() * (x.len() / dim)];
    for (row, out) in x.chunks_exact(dim).zip(bytes.chunks_exact_mut(format.row_bytes(dim).unwrap())) {
        Kernels::new(Isa::Scalar).unwrap().narrow(format, row, out);
    }
    let mut decoded = vec![0.0; x.len()];
    format.decode(&bytes, &mut decoded);
    (bytes, decoded)
}

/// Attention over one list of positions: `keys` and `values` are `kv_heads x positions x head_dim`.
fn naive(
    heads: Heads,
    scoring: Scoring<'_>,
    q: &[f32],
    keys: &[f32],
    values: &[f32],
    positions: usize,
) -> Vec<f64> {
    let (dim, width) = (heads.head_dim, heads.heads * heads.head_dim);
    let batch = q.len() / width;
    let mut out = Vec::new();
    for (i, q) in q.chunks_exact(dim).enumerate() {
        let (token, kv_head) = (i / heads.heads, i % heads.heads / heads.group());
        let rows = |x: &[f32]| -> Vec<Vec<f64>> {
            let seen = positions - (batch - 1 - token);
            let first = scoring.window.map_or(0, |window| seen.saturating_sub(window));
            let x = &x[(kv_head * positions + first) * dim..][..(seen - first) * dim];
            x.chunks_exact(dim).map(|row| row.iter().map(|&x| f64::from(x)).collect()).collect()
        };
        let (keys, values) = (rows(keys), rows(values));
        let score = |key: &Vec<f64>| key.iter().zip(q).map(|(k, &q)| k * f64::from(q)).sum::<f64>();
        let cap = |score: f64| {
            scoring.soft_cap.map_or(score, |cap| f64::from(cap) * (score / f64::from(cap)).tanh())
        };
        let weights: Vec<f64> = keys.iter().map(|key| cap(score(key)).exp()).collect();
        let sink = scoring.sinks.map_or(0.0, |sinks| f64::from(sinks[i % heads.heads]).exp());
        let total = weights.iter().sum::<f64>() + sink;
        out.extend((0..dim).map(|d| weights.iter().zip(&values).map(|(w, v)| w * v[d]).sum::<f64>() / total));
    }
    out
}

/// Runs attention with the positions split in two after `split`, and compares.
fn check(heads: Heads, batch: usize, positions: usize, split: usize, threads: usize) -> Vec<f32> {
    check_scoring(heads, Scoring::default(), batch, positions, split, threads)
}

fn check_scoring(
    heads: Heads,
    scoring: Scoring<'_>,
    batch: usize,
    positions: usize,
    split: usize,
    threads: usize,
) -> Vec<f32> {
    let sizes = (batch, positions, split);
    check_stored(Format::F16, Isa::best(), heads, scoring, sizes, threads)
}

fn check_stored(
    format: Format,
    isa: Isa,
    heads: Heads,
    scoring: Scoring<'_>,
    (batch, positions, split): (usize, usize, usize),
    threads: usize,
) -> Vec<f32> {
    let (dim, n) = (heads.head_dim, heads.kv_heads * positions * heads.head_dim);
    let (key_bytes, keys) = stored(format, &values(n, 1), dim);
    let (value_bytes, contents) = stored(format, &values(n, 2), dim);
    let scale = f32::min(3.0, 12.0 / (dim as f32).sqrt());
    let q: Vec<f32> = values(batch * heads.heads * dim, 3).iter().map(|q| q * scale).collect();
    let row_bytes = format.row_bytes(dim).unwrap();
    let spans = |head: usize| {
        let bytes = |from: usize, to: usize| {
            (head * positions + from) * row_bytes..(head * positions + to) * row_bytes
        };
        let (few, half, third) = (split / 5, split / 2, split + (positions - split) / 3);
        [bytes(0, few), bytes(few, half), bytes(half, split), bytes(split, third), bytes(third, positions)]
            .map(|range| Span { keys: &key_bytes[range.clone()], values: &value_bytes[range] })
    };
    let mut cpu = Cpu { kernels: Kernels::new(isa).unwrap(), team: Team::new(threads).unwrap() };
    // half of them made for other heads, too
    let more = positions % 2;
    let widest = Heads { heads: heads.heads + more, head_dim: dim + 32 * more, ..heads };
    let mut workspace = Workspace::new(widest, positions, threads);
    let mut out = vec![f32::NAN; q.len()];
    attend(&mut cpu, (heads, format), scoring, &q, spans, &mut workspace, &mut out);
    for (i, (got, expected)) in
        out.iter().zip(naive(heads, scoring, &q, &keys, &contents, positions)).enumerate()
    {
        let what = format!("{} on {isa}, {positions} positions, value {i}", format.name());
        assert!((f64::from(*got) - expected).abs() < 2e-5, "{what}: {got}, expected {expected}");
    }
    out
}

/// Keys and values as blocks, with any grouping and window, at the borders of tiles (32 keys, 32 queries) and of parts.
#[test]
fn blocks_on_every_instruction_set() {
    let heads = |heads, kv_heads, head_dim| Heads { heads, kv_heads, head_dim };
    let cases = [
        (heads(4, 2, 32), None, (1, 1, 0)),
        (heads(3, 3, 96), None, (1, 33, 31)),
        (heads(6, 2, 64), Some(31), (1, 64, 33)),
        (heads(2, 1, 32), None, (1, PART + 1, PART)),
        (heads(2, 1, 64), Some(PART), (1, PART + 7, 3)),
        (heads(1, 1, 32), None, (2, 31, 1)),
        (heads(3, 1, 64), None, (32, 32, 0)),
        (heads(2, 2, 32), Some(5), (33, 65, 32)),
        (heads(4, 2, 96), Some(40), (31, 97, 64)),
    ];
    for isa in Isa::available() {
        for format in [Format::F32, Format::Q8_0, Format::Q4_0] {
            for (heads, window, sizes) in cases {
                check_stored(format, isa, heads, Scoring { window, ..Scoring::default() }, sizes, 2);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn batches_of_any_shape(kv_heads in 1usize..4, group in 1usize..9, dim in 1usize..20, batch in 1usize..40, before in 0usize..90, split in 0.0..1.0f64) {
        let heads = Heads { heads: kv_heads * group, kv_heads, head_dim: dim * 2 };
        let positions = before + batch;
        check(heads, batch, positions, (split * positions as f64) as usize, 2);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn windows_caps_and_sinks(kv_heads in 1usize..4, group in 1usize..5, batch in 1usize..80, before in 0usize..90, split in 0.0..1.0f64, window in prop::option::of(1usize..60), cap in prop::option::of(1.0..30.0f32), sink in prop::option::of(-8.0..8.0f32)) {
        let heads = Heads { heads: kv_heads * group, kv_heads, head_dim: 8 };
        let positions = before + batch;
        let sinks: Option<Vec<f32>> = sink.map(|sink| (0..heads.heads).map(|head| sink - head as f32).collect());
        let scoring = Scoring { window, soft_cap: cap, sinks: sinks.as_deref() };
        check_scoring(heads, scoring, batch, positions, (split * positions as f64) as usize, 2);
    }
}

/// Wherever the runs begin and end, and however few positions they have: the same bits.
#[test]
fn runs_change_no_bit() {
    let heads = Heads { heads: 4, kv_heads: 2, head_dim: 32 };
    for format in [Format::F32, Format::F16, Format::Q8_0, Format::Q4_0] {
        for (window, batch, positions) in
            [(None, 1, 70), (None, 1, PART + 9), (None, 40, 70), (Some(20), 40, 70)]
        {
            let scoring = Scoring { window, ..Scoring::default() };
            let found = |split: usize| {
                check_stored(format, Isa::best(), heads, scoring, (batch, positions, split), 2)
            };
            let whole = found(0);
            for split in some([1, 5, 31, 32, 33, 66, positions], 4) {
                assert_eq!(found(split), whole, "{}, {positions} positions, {split}", format.name());
            }
        }
    }
}

#[test]
fn long_windows_with_sinks_in_parts() {
    let heads = Heads { heads: 4, kv_heads: 2, head_dim: 16 };
    let scoring = Scoring { window: Some(2 * PART + 3), soft_cap: None, sinks: Some(&[1.0, -2.0, 9.0, 3.0]) };
    check_scoring(heads, scoring, 1, 4 * PART + 5, PART + 7, 2);
}

#[test]
fn more_heads_in_a_group_than_lanes() {
    check(Heads { heads: 40, kv_heads: 1, head_dim: 8 }, 3, 50, 20, 1);
}

#[test]
fn long_contexts_of_one_token_in_parts() {
    let heads = Heads { heads: 4, kv_heads: 2, head_dim: 16 };
    for (positions, split) in [(PART, 10), (PART + 1, PART), (3 * PART + 5, PART + 7)] {
        let one = check(heads, 1, positions, split, 1);
        assert_eq!(one, check(heads, 1, positions, split, 3));
    }
}

#[test]
fn batches_do_not_depend_on_threads() {
    let heads = Heads { heads: 2, kv_heads: 1, head_dim: 8 };
    assert_eq!(check(heads, 30, 100, 33, 1), check(heads, 30, 100, 33, 3));
}
