//! Attention of one token. A long context is cut into parts of [`PART`] positions, which threads work on independently; the softmaxes of the
//! parts are put together at the end (flash decoding: Dao et al. 2023). The cuts depend on positions only, so the number of threads
//! does not change a bit of the result.

use super::{Heads, SPANS, Scoring, Span, Workspace, cut};
use crate::ops::Cpu;
use siskin_simd::{Format, Kernels};

/// Positions that one thread works on at a time.
pub(super) const PART: usize = 512;

/// Results of the parts: for each part and query head `head_dim` values, the largest score, and the sum of the exponentials.
pub(super) struct Partials(Vec<f32>);

impl Partials {
    pub fn new(heads: Heads, capacity: usize) -> Partials {
        Partials(vec![0.0; Partials::len(heads, capacity).unwrap_or(0)])
    }

    pub fn bytes(heads: Heads, capacity: usize) -> Option<usize> {
        Partials::len(heads, capacity)?.checked_mul(size_of::<f32>())
    }

    /// None at all for contexts of one part.
    fn len(heads: Heads, capacity: usize) -> Option<usize> {
        let parts = if capacity <= PART { 0 } else { capacity.div_ceil(PART) };
        parts.checked_mul(heads.heads)?.checked_mul(heads.head_dim + 2)
    }
}

/// As [`super::attend`], for a batch of one.
pub(super) fn attend<'a>(
    cpu: &mut Cpu,
    (heads, format): (Heads, Format),
    scoring: Scoring<'_>,
    q: &[f32],
    spans: impl Fn(usize) -> [Span<'a>; SPANS] + Sync,
    workspace: &mut Workspace,
    out: &mut [f32],
) {
    let Workspace { threads, partials } = workspace;
    let row_bytes = heads.row_bytes(format);
    let held: usize = spans(0).iter().map(|span| span.len(row_bytes)).sum();
    let hidden = scoring.first(held);
    let spans = |kv_head: usize| cut(spans(kv_head), hidden..held, row_bytes);
    let positions = held - hidden;
    let (kernels, group, dim) = (&cpu.kernels, heads.group(), heads.head_dim);
    if positions <= PART {
        return cpu.team.chunks_with(threads, out, group * dim, |tile, kv_head, out| {
            let q = q[kv_head * group * dim..].chunks_exact(dim);
            for (i, (q, out)) in q.zip(out.chunks_exact_mut(dim)).enumerate() {
                let (spans, scores) = (spans(kv_head), tile.single_scores());
                let (max, sum) =
                    attend_head(kernels, (format, row_bytes), scoring.soft_cap, q, spans, scores, out);
                if scoring.sinks.is_some() {
                    kernels.scale(out, sum / scoring.with_sink(kv_head * group + i, max, sum));
                }
            }
        });
    }
    let width = dim + 2;
    let partials = &mut partials.0[..positions.div_ceil(PART) * heads.heads * width];
    cpu.team.chunks_with(threads, partials, group * width, |tile, chunk, partials| {
        let (part, kv_head) = (chunk / heads.kv_heads, chunk % heads.kv_heads);
        let spans = cut(spans(kv_head), part * PART..(part + 1) * PART, row_bytes);
        let q = q[kv_head * group * dim..].chunks_exact(dim);
        for (q, partial) in q.zip(partials.chunks_exact_mut(width)) {
            let (out, stats) = partial.split_at_mut(dim);
            let scores = tile.single_scores();
            let (max, sum) =
                attend_head(kernels, (format, row_bytes), scoring.soft_cap, q, spans, scores, out);
            stats.copy_from_slice(&[max, sum]);
        }
    });
    for (head, out) in out.chunks_exact_mut(dim).enumerate() {
        combine(kernels, partials, heads, scoring, head, out);
    }
}

/// One query over spans: `out = softmax(K q) V`; the result is the largest score and the sum of the exponentials.
fn attend_head(
    kernels: &Kernels,
    (format, row_bytes): (Format, usize),
    soft_cap: Option<f32>,
    q: &[f32],
    spans: [Span<'_>; SPANS],
    scores: &mut [f32],
    out: &mut [f32],
) -> (f32, f32) {
    let held = || spans.iter().filter(|span| !span.keys.is_empty());
    let mut positions = 0;
    for span in held() {
        let of_span = &mut scores[positions..][..span.len(row_bytes)];
        kernels.dot_floats(format, span.keys, q, of_span);
        positions += of_span.len();
    }
    let scores = &mut scores[..positions];
    if let Some(cap) = soft_cap {
        kernels.soft_cap(scores, cap);
    }
    let stats = kernels.softmax(scores);
    out.fill(0.0);
    let mut scores = &*scores;
    for span in held() {
        let (of_span, rest) = scores.split_at(span.len(row_bytes));
        kernels.add_rows(format, span.values, of_span, out);
        scores = rest;
    }
    stats
}

/// The mean of a head's partial results, each weighted with its share of all exponentials.
fn combine(
    kernels: &Kernels,
    partials: &[f32],
    heads: Heads,
    scoring: Scoring<'_>,
    head: usize,
    out: &mut [f32],
) {
    let dim = heads.head_dim;
    let parts = || partials.chunks_exact(dim + 2).skip(head).step_by(heads.heads);
    let max = parts().map(|part| part[dim]).fold(f32::NEG_INFINITY, f32::max);
    let weight = |part: &[f32]| (part[dim] - max).exp() * part[dim + 1];
    let total = scoring.with_sink(head, max, parts().map(weight).sum());
    out.fill(0.0);
    for part in parts() {
        kernels.add_scaled(out, weight(part) / total, &part[..dim]);
    }
}
