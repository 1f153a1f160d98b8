//! Attention of several tokens: a tile of up to 32 queries that share a key-value head meets keys and values in blocks, with an online softmax.
//!
//! ```text
//! for each block of keys:   scores = K Q            a row a key, a lane a query; what a query must not see is minus infinity
//!                           weights = e^(scores - max so far);  out *= what the growth of the maximum asks for
//!                           out += V^T weights
//! out /= sum of the weights
//! ```
//!
//! Every lane is computed by itself, in an order that depends on the keys only: neither what else is in the tile changes anything, nor how keys are divided
//! into runs, of which a block may hold several.

use super::{Heads, PART, SPANS, Scoring, Span, cut};
use siskin_simd::{Format, Kernels, LANES};

/// Keys of a block: with their values as floats, what stays in a first-level cache beside the rest.
const BLOCK: usize = 32;

/// What the largest score of a lane is before it saw any: finite, so that differences are, and far below every score.
const NONE: f32 = -1e30;

/// The work space of one thread, for heads of up to so many values.
pub(super) struct Tile {
    /// `head_dim x LANES`.
    queries: Vec<f32>,
    /// `BLOCK x head_dim`: keys, later values.
    rows: Vec<f32>,
    /// `BLOCK x LANES`; and the scores of a single query, for `single.rs`.
    scores: Vec<f32>,
    /// `head_dim x LANES`.
    out: Vec<f32>,
    max: [f32; LANES],
    sum: [f32; LANES],
    scale: [f32; LANES],
    /// The keys that each lane sees: from the first number up to the second.
    seen: [(usize, usize); LANES],
}

/// Tokens whose queries fill a tile.
pub(super) fn tokens(heads: Heads) -> usize {
    (LANES / heads.group()).max(1)
}

impl Tile {
    pub fn new(head_dim: usize) -> Tile {
        Tile {
            queries: vec![0.0; head_dim * LANES],
            rows: vec![0.0; BLOCK * head_dim],
            scores: vec![0.0; BLOCK * LANES],
            out: vec![0.0; head_dim * LANES],
            max: [0.0; LANES],
            sum: [0.0; LANES],
            scale: [0.0; LANES],
            seen: [(0, 0); LANES],
        }
    }

    /// Bytes that [`Tile::new`] allocates, without the value itself; `usize::MAX` if they do not fit in that.
    pub const fn bytes(head_dim: usize) -> usize {
        let rows = head_dim.saturating_mul(2 * LANES + BLOCK);
        rows.saturating_add(BLOCK * LANES).saturating_mul(size_of::<f32>())
    }

    /// Room for the scores of one query and [`PART`] positions.
    pub fn single_scores(&mut self) -> &mut [f32] {
        const { assert!(PART <= BLOCK * LANES) };
        &mut self.scores[..PART]
    }

    /// Attention of the queries of one key-value head, for tokens whose rows of `heads x head_dim` values are `q` and `out`. The last `hidden`
    /// positions of the spans are hidden from the last token, and one more from each before it.
    pub fn attend(
        &mut self,
        kernels: &Kernels,
        (heads, format): (Heads, Format),
        scoring: Scoring<'_>,
        q: &[f32],
        (kv_head, spans, hidden): (usize, [Span<'_>; SPANS], usize),
        out: &mut [f32],
    ) {
        let row_bytes = heads.row_bytes(format);
        let tokens = q.len() / (heads.heads * heads.head_dim);
        let positions = spans.iter().map(|span| span.len(row_bytes)).sum::<usize>() - hidden;
        let queries = tokens * heads.group();
        for first in (0..queries).step_by(LANES) {
            let lane = |lane: usize| {
                let query = (first + lane).min(queries - 1);
                (query / heads.group(), kv_head * heads.group() + query % heads.group())
            };
            self.gather(heads, q, lane);
            for (i, seen) in self.seen.iter_mut().enumerate() {
                let end = positions - (tokens - 1 - lane(i).0);
                *seen = (scoring.first(end), end);
            }
            // lanes are in the order of their tokens: the first sees the oldest keys
            for start in (self.seen[0].0..positions).step_by(BLOCK) {
                let block = cut(spans, start..positions.min(start + BLOCK), row_bytes);
                self.add_block(kernels, (heads, format, scoring.soft_cap), start, block);
            }
            for (i, sum) in self.sum.iter_mut().enumerate() {
                *sum = scoring.with_sink(lane(i).1, self.max[i], *sum);
            }
            self.scatter(heads, (queries - first).min(LANES), lane, out);
        }
    }

    /// Copies the queries of all lanes, and forgets the results of the last tile.
    fn gather(&mut self, heads: Heads, q: &[f32], lane: impl Fn(usize) -> (usize, usize)) {
        for i in 0..LANES {
            let (token, head) = lane(i);
            let q = &q[(token * heads.heads + head) * heads.head_dim..][..heads.head_dim];
            for (row, q) in self.queries.chunks_exact_mut(LANES).zip(q) {
                row[i] = *q;
            }
        }
        self.out.fill(0.0);
        self.max = [NONE; LANES];
        self.sum = [0.0; LANES];
    }

    /// Adds what the lanes see of a block of keys and values that starts at position `start`.
    fn add_block(
        &mut self,
        kernels: &Kernels,
        (heads, format, soft_cap): (Heads, Format, Option<f32>),
        start: usize,
        block: [Span<'_>; SPANS],
    ) {
        let count = block.iter().map(|span| span.len(heads.row_bytes(format))).sum::<usize>();
        let values = heads.head_dim * LANES;
        let (queries, out) = (&self.queries[..values], &mut self.out[..values]);
        let (rows, scores) = (&mut self.rows[..count * heads.head_dim], &mut self.scores[..count * LANES]);
        widen(kernels, (format, heads), block.map(|span| span.keys), rows);
        scores.fill(0.0);
        kernels.accumulate(rows, queries, scores);
        if let Some(cap) = soft_cap {
            kernels.soft_cap(scores, cap);
        }
        if self.seen.iter().any(|&(from, to)| start < from || to < start + count) {
            for (i, row) in scores.chunks_exact_mut(LANES).enumerate() {
                for (score, &(from, to)) in row.iter_mut().zip(&self.seen) {
                    *score = if (from..to).contains(&(start + i)) { *score } else { f32::NEG_INFINITY };
                }
            }
        }
        kernels.softmax_tile(scores, &mut self.max, &mut self.sum, &mut self.scale);
        kernels.scale_columns(out, &self.scale);
        widen(kernels, (format, heads), block.map(|span| span.values), rows);
        kernels.accumulate_transposed(rows, scores, out);
    }

    /// Writes the results of the first `count` lanes.
    fn scatter(&self, heads: Heads, count: usize, lane: impl Fn(usize) -> (usize, usize), out: &mut [f32]) {
        for i in 0..count {
            let (token, head) = lane(i);
            let out = &mut out[(token * heads.heads + head) * heads.head_dim..][..heads.head_dim];
            for (out, row) in out.iter_mut().zip(self.out.chunks_exact(LANES)) {
                *out = row[i] / self.sum[i];
            }
        }
    }
}

/// Floats of the rows of a block, which lie in several runs.
fn widen(kernels: &Kernels, (format, heads): (Format, Heads), runs: [&[u8]; SPANS], mut out: &mut [f32]) {
    for run in runs.into_iter().filter(|run| !run.is_empty()) {
        let values = run.len() / heads.row_bytes(format) * heads.head_dim;
        kernels.widen(format, run, out.split_off_mut(..values).expect("as many rows as positions"));
    }
}
