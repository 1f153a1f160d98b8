//! Attention of query heads over the keys and values that a cache holds (Vaswani et al. 2017, arXiv:1706.03762), heads sharing
//! keys and values in groups (Ainslie et al. 2023, arXiv:2305.13245).
//!
//! One token (decode) goes through `single.rs`, which splits long contexts among threads; several (prefill) through `tile.rs`, which
//! reads each key and value once for up to 32 queries.

mod single;
#[cfg(test)]
mod tests;
mod tile;

use super::Cpu;
use single::{PART, Partials};
use siskin_simd::Format;
use std::ops::Range;
use tile::Tile;

/// How the values of a token divide into heads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// Query heads.
    pub heads: usize,
    /// Key-value heads; each serves `heads / kv_heads` query heads that follow each other.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
}

impl Heads {
    /// Values of all query heads of a token.
    pub fn q_values(&self) -> usize {
        self.heads * self.head_dim
    }

    /// Values of all key heads (or value heads) of a token.
    pub fn kv_values(&self) -> usize {
        self.kv_heads * self.head_dim
    }

    /// Query heads that share keys and values.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Bytes of a key or value of a head.
    fn row_bytes(&self, format: Format) -> usize {
        self.head_dim / format.block_len() * format.block_bytes()
    }
}

/// How scores become weights, beside the softmax.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scoring<'a> {
    /// Each token sees so many positions, itself included; all of them if `None`.
    pub window: Option<usize>,
    /// Scores become `cap * tanh(score / cap)`.
    pub soft_cap: Option<f32>,
    /// A score for each query head that takes its share of the softmax and adds nothing to the result: attention sinks
    /// (Xiao et al. 2023, arXiv:2309.17453; learnt, as in gpt-oss).
    pub sinks: Option<&'a [f32]>,
}

impl Scoring<'_> {
    /// The first of `seen` positions that a token sees.
    fn first(&self, seen: usize) -> usize {
        self.window.map_or(0, |window| seen.saturating_sub(window))
    }

    /// What a sum of `e^(score - max)` becomes by the sink of a query head.
    fn with_sink(&self, head: usize, max: f32, sum: f32) -> f32 {
        self.sinks.map_or(sum, |sinks| sum + (sinks[head] - max).exp())
    }
}

/// A run of positions of one key-value head: keys and values, `positions x head_dim`, in the format of the cache.
#[derive(Clone, Copy)]
pub struct Span<'a> {
    /// Keys.
    pub keys: &'a [u8],
    /// Values.
    pub values: &'a [u8],
}

impl<'a> Span<'a> {
    /// Positions, where each takes `row_bytes` bytes.
    fn len(&self, row_bytes: usize) -> usize {
        self.keys.len() / row_bytes
    }

    /// Positions `from..to`, as many of them as there are.
    fn cut(&self, from: usize, to: usize, row_bytes: usize) -> Span<'a> {
        let end = self.keys.len();
        let range = (from * row_bytes).min(end)..(to * row_bytes).min(end);
        Span { keys: &self.keys[range.clone()], values: &self.values[range] }
    }
}

/// Runs of positions that a token sees at most: of what all sequences begin with and of what is its own, each before and after a ring's wrap, and
/// what lies before a ring, which is what it keeps of its beginning or what a file has. How positions are divided into runs changes no result.
pub const SPANS: usize = 5;

/// Positions `positions` of spans that follow each other.
fn cut(spans: [Span<'_>; SPANS], positions: Range<usize>, row_bytes: usize) -> [Span<'_>; SPANS] {
    let mut before = 0;
    spans.map(|span| {
        let (from, to) = (positions.start.saturating_sub(before), positions.end.saturating_sub(before));
        before += span.len(row_bytes);
        span.cut(from, to, row_bytes)
    })
}

/// What attention needs beside its inputs and results; allocated once.
pub struct Workspace {
    threads: Vec<Tile>,
    partials: Partials,
}

impl Workspace {
    /// For contexts of up to `capacity` positions, and as many heads with as many values, at most.
    pub fn new(heads: Heads, capacity: usize, threads: usize) -> Workspace {
        Workspace {
            threads: (0..threads).map(|_| Tile::new(heads.head_dim)).collect(),
            partials: Partials::new(heads, capacity),
        }
    }

    /// Bytes that [`Workspace::new`] allocates; `None` if that does not fit in `usize`.
    pub fn bytes(heads: Heads, capacity: usize, threads: usize) -> Option<usize> {
        let tiles = threads.checked_mul(Tile::bytes(heads.head_dim).checked_add(size_of::<Tile>())?)?;
        tiles.checked_add(Partials::bytes(heads, capacity)?)
    }
}

/// Attention of a batch: `q` and `out` are `batch x (heads x head_dim)`, `q` already scaled; `format` is F32, F16,
/// Q8_0 or Q4_0. Row `batch - 1` sees all
/// positions of the spans that `spans(kv_head)` gives one after the other, and each row before it one less; `scoring` may
/// hide the oldest.
///
/// # Panics
///
/// If sizes do not fit.
pub fn attend<'a>(
    cpu: &mut Cpu,
    (heads, format): (Heads, Format),
    scoring: Scoring<'_>,
    q: &[f32],
    spans: impl Fn(usize) -> [Span<'a>; SPANS] + Sync,
    workspace: &mut Workspace,
    out: &mut [f32],
) {
    assert_eq!(q.len(), out.len(), "queries and results");
    let width = heads.heads * heads.head_dim;
    if q.len() == width {
        return single::attend(cpu, (heads, format), scoring, q, spans, workspace, out);
    }
    let (kernels, tokens) = (&cpu.kernels, tile::tokens(heads));
    let batch = q.len() / width;
    cpu.team.chunks_with(&mut workspace.threads, out, tokens * width, |tile, chunk, out| {
        let first = chunk * tokens;
        let q = &q[first * width..][..out.len()];
        for kv_head in 0..heads.kv_heads {
            let hidden = batch - first - q.len() / width;
            tile.attend(kernels, (heads, format), scoring, q, (kv_head, spans(kv_head), hidden), out);
        }
    });
}
