//! Attention of query heads over the keys and values that a cache holds (Vaswani et al. 2017, arXiv:1706.03762), heads sharing
//! keys and values in groups (Ainslie et al. 2023, arXiv:2305.13245).

use super::Cpu;
use siskin_simd::{Column, Format, Kernels};

/// How the values of a token divide into heads.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; each serves `heads / kv_heads` query heads that follow each other.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
}

/// A run of positions of one key-value head: keys and values, `positions x head_dim`, in the format of the cache.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// Keys.
    pub keys: &'a [u8],
    /// Values.
    pub values: &'a [u8],
}

/// Attention of a batch: `q` and `out` are `batch x (heads x head_dim)`, `q` already scaled; `format` is F32 or F16. `spans(row, kv_head)` gives what a row
/// may look at, before and after the ring's wrap. `scores` has a buffer for each thread, as long as the positions of two spans.
///
/// # Panics
///
/// If sizes do not fit.
pub fn attend<'a>(
    cpu: &mut Cpu,
    heads: Heads,
    format: Format,
    q: &[f32],
    spans: impl Fn(usize, usize) -> [Span<'a>; 2] + Sync,
    scores: &mut [Box<[f32]>],
    out: &mut [f32],
) {
    assert_eq!(q.len(), out.len(), "queries and results");
    let group = heads.heads / heads.kv_heads * heads.head_dim;
    let kernels = &cpu.kernels;
    cpu.team.chunks_with(scores, out, group, |scores, chunk, out| {
        let spans = spans(chunk / heads.kv_heads, chunk % heads.kv_heads);
        let q = &q[chunk * group..][..group];
        for (q, out) in q.chunks_exact(heads.head_dim).zip(out.chunks_exact_mut(heads.head_dim)) {
            attend_head(kernels, format, q, spans, scores, out);
        }
    });
}

/// One query over two spans: `out = softmax(K q) V`.
fn attend_head(
    kernels: &Kernels,
    format: Format,
    q: &[f32],
    spans: [Span<'_>; 2],
    scores: &mut [f32],
    out: &mut [f32],
) {
    let row_bytes = q.len() * format.block_bytes();
    let [before, after] = spans.map(|span| span.keys.len() / row_bytes);
    let scores = &mut scores[..before + after];
    let (first, second) = scores.split_at_mut(before);
    kernels.dot_rows(format, spans[0].keys, Column::floats(q), first);
    kernels.dot_rows(format, spans[1].keys, Column::floats(q), second);
    kernels.softmax(scores);
    out.fill(0.0);
    kernels.add_rows(format, spans[0].values, &scores[..before], out);
    kernels.add_rows(format, spans[1].values, &scores[before..], out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Team;

    fn halves(x: &[f32]) -> Vec<u8> {
        x.iter().flat_map(|&x| half::f16::from_f32(x).to_le_bytes()).collect()
    }

    /// Two query heads over one key-value head, the positions in two spans, against the formula.
    #[test]
    fn grouped_heads_over_two_spans() {
        let heads = Heads { heads: 2, kv_heads: 1, head_dim: 2 };
        let (keys, values) =
            ([[1.0f32, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        let (key_bytes, value_bytes) = (halves(keys.as_flattened()), halves(values.as_flattened()));
        let q = [0.5f32, -1.0, 2.0, 0.25];
        let mut cpu = Cpu { kernels: Kernels::best(), team: Team::new(1).unwrap() };
        let mut scores = [vec![0.0; 3].into_boxed_slice()];
        let mut out = [0.0; 4];
        let spans = |_, _| {
            [
                Span { keys: &key_bytes[..8], values: &value_bytes[..8] },
                Span { keys: &key_bytes[8..], values: &value_bytes[8..] },
            ]
        };
        attend(&mut cpu, heads, Format::F16, &q, spans, &mut scores, &mut out);
        for head in 0..2 {
            let q = &q[head * 2..][..2];
            let weights: Vec<f64> = keys.iter().map(|k| f64::from(k[0] * q[0] + k[1] * q[1]).exp()).collect();
            for i in 0..2 {
                let sum: f64 = weights.iter().zip(&values).map(|(w, v)| w * f64::from(v[i])).sum();
                let expected = sum / weights.iter().sum::<f64>();
                assert!((f64::from(out[head * 2 + i]) - expected).abs() < 1e-5);
            }
        }
    }
}
