//! What memory a run takes, computed before any of it is taken.

use super::{Config, Model};
use crate::kv::KvType;
use crate::kv::cache::Shape;
use crate::ops::{RopeTable, attention, matmul};
use siskin_simd::TILE;

/// Most tokens that prefill runs through the layers at once: enough that unpacking weights costs little beside using them.
pub const MAX_BATCH: usize = 256;

/// Fewest tokens that a batch is shrunk to, to keep activations within [`MAX_ACTIVATIONS`].
const MIN_BATCH: usize = 64;

/// Bytes of activations that a batch is kept below.
const MAX_ACTIVATIONS: usize = 16 << 20;

/// What is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// Positions that the cache must hold, in tokens: prompt and answer together.
    pub positions: usize,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Threads.
    pub threads: usize,
    /// Bytes that the sampler takes; counted as scratch.
    pub sampler_bytes: usize,
}

/// Memory of a run, in bytes. *Mapped* pages belong to the file and can be dropped by the system; *owned* ones are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Positions of the cache.
    pub capacity: usize,
    /// Tokens of a prefill batch.
    pub batch: usize,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Keys and values.
    pub kv: usize,
    /// Activations, scores and logits.
    pub scratch: usize,
    /// Vectors of the model that are kept as floats.
    pub tables: usize,
}

impl Plan {
    /// The plan of a job; `None` if a size does not fit in `usize`, which no machine could hold.
    pub fn new(model: &Model, job: Job) -> Option<Plan> {
        let capacity = job.positions.max(1);
        let batch = batch(model, capacity)?;
        let sizes = Sizes::new(model, batch);
        let matmul = matmul::Workspace::bytes(batch, sizes.widest, job.threads)?;
        let attention = attention::Workspace::bytes(model.config().heads, capacity, job.threads)?;
        let parts = [matmul, attention, job.sampler_bytes];
        let scratch = parts.iter().try_fold(sizes.bytes()?, |sum, &part| sum.checked_add(part))?;
        let kv = shape(model.config(), capacity, job.kv_type).bytes()?;
        Some(Plan {
            capacity,
            batch,
            kv_type: job.kv_type,
            kv,
            scratch,
            tables: model.weights().table_bytes(),
        })
    }

    /// All that is allocated.
    pub fn owned(&self) -> usize {
        self.kv.saturating_add(self.scratch).saturating_add(self.tables)
    }
}

/// Tokens of a batch: whole tiles, as many as fit.
fn batch(model: &Model, capacity: usize) -> Option<usize> {
    let bytes = |rows: usize| {
        let sizes = Sizes::new(model, rows);
        sizes.bytes()?.checked_add(matmul::Workspace::bytes(rows, sizes.widest, 0)?)
    };
    let row = bytes(2)?.checked_sub(bytes(1)?)?;
    let fit = (MAX_ACTIVATIONS / row).clamp(MIN_BATCH, MAX_BATCH) / TILE * TILE;
    Some(fit.min(capacity))
}

/// The cache of a configuration for a number of positions.
pub(super) fn shape(config: &Config, capacity: usize, kv_type: KvType) -> Shape {
    let heads = config.heads;
    Shape { layers: config.layers, kv_heads: heads.kv_heads, head_dim: heads.head_dim, capacity, kv_type }
}

/// Lengths of the scratch buffers, in elements; what [`Scratch`](super::scratch::Scratch) allocates and the plan adds up.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub embedding: usize,
    pub wide: usize,
    pub widest: usize,
    pub rope: usize,
    pub vocabulary: usize,
}

impl Sizes {
    pub fn new(model: &Model, batch: usize) -> Sizes {
        let config = model.config();
        let widest = config.embedding.max(config.feed_forward).max(config.q_values());
        Sizes {
            batch,
            embedding: config.embedding,
            wide: (2 * config.q_values() + 2 * config.kv_values()).max(2 * config.feed_forward),
            widest,
            rope: config.rope.dims / 2,
            vocabulary: model.weights().vocabulary(),
        }
    }

    /// Bytes of all buffers but the workspaces of operations.
    fn bytes(&self) -> Option<usize> {
        let row = 2 * self.embedding + self.wide;
        let floats = self.batch.checked_mul(row)?.checked_add(self.vocabulary)?;
        floats.checked_mul(size_of::<f32>())?.checked_add(RopeTable::bytes(self.rope, self.batch))
    }
}
