//! What memory a run takes, computed before any of it is taken.

use super::config::{Attention, LayerConfig, Mixer};
use super::scratch::Choice;
use super::sinks::Sinks;
use super::{Config, Decoder, Model};
use crate::kv::shape::{BranchShape, LayerShape, Shape};
use crate::kv::{Cache, KvType};
use crate::ops::{Heads, RopeTable, attention, matmul};
use siskin_simd::{LANES, TILE};

/// Most tokens that prefill runs through the layers at once: enough that unpacking weights costs little beside using them.
pub const MAX_BATCH: usize = 256;

/// Fewest tokens that a batch is shrunk to, to keep activations within [`MAX_ACTIVATIONS`].
const MIN_BATCH: usize = 64;

/// Bytes of activations that a batch is kept below.
const MAX_ACTIVATIONS: usize = 16 << 20;

/// Part of a full cache that a batch of endless text overwrites at most.
const OVERWRITTEN: usize = 8;

/// What is to be run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Job {
    /// Positions that the cache must hold, in tokens: prompt and answer together.
    pub positions: usize,
    /// For text that goes on when these are used up, each further position in place of the oldest: how many of the first stay. At most one less than
    /// [`positions`](Self::positions), and not with [`branches`](Self::branches).
    pub sinks: Option<usize>,
    /// Tokens of a prompt that is known, and usually the longest that is run at once; `None` if any number of positions may be.
    pub prompt: Option<usize>,
    /// Sequences that go on from there; usually none.
    pub branches: BranchShape,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Threads.
    pub threads: usize,
    /// Bytes that the choice of tokens and what else a session keeps take; counted as scratch.
    pub sampler_bytes: usize,
    /// Bytes that a search over branches takes while it runs.
    pub search_bytes: usize,
}

/// Memory of a run, in bytes. *Mapped* pages belong to the file and can be dropped by the system; *owned* ones are allocated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Positions of the cache, without those of branches.
    pub capacity: usize,
    /// Of endless text: how many of the first positions stay.
    pub sinks: Option<usize>,
    /// Sequences that can go on from there.
    pub branches: BranchShape,
    /// Tokens of a prefill batch.
    pub batch: usize,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Keys and values.
    pub kv: usize,
    /// Activations, scores and logits.
    pub scratch: usize,
    /// Logits, candidates, tokens and stop conditions of a search over branches, while it runs; the module of searches says what is not counted.
    pub search: usize,
    /// What the model keeps beside the file: vectors as floats, and where everything is.
    pub tables: usize,
}

impl Plan {
    /// The same with what a grammar takes, which is known when it has been read.
    #[must_use]
    pub fn with_grammar(mut self, bytes: usize) -> Plan {
        self.scratch = self.scratch.saturating_add(bytes);
        self
    }

    /// The plan of a job; `None` if a size does not fit in `usize`, which no machine could hold, or the heads do not fit how they are to be stored
    /// ([`KvType::check`]).
    pub fn new(model: &Model, job: Job) -> Option<Plan> {
        let (capacity, branches) = (job.positions.max(1), job.branches);
        let sinks = job.sinks.map(|sinks| sinks.min(capacity - 1));
        let prompt = job.prompt.map_or(capacity, |prompt| prompt.max(MIN_BATCH).min(capacity));
        let most = sinks.map_or(usize::MAX, |sinks| ((capacity - sinks) / OVERWRITTEN).max(1));
        // A pass has a token of each branch, or the next of those that read prompts and a run of one that does.
        let rows = if branches.run > 1 {
            branches.run.saturating_add(branches.count).max(LANES)
        } else {
            branches.count
        };
        let batch = batch(model, prompt)?.min(most).max(rows);
        let sizes = Sizes::new(model, batch, sinks);
        let matmul = matmul::Workspace::bytes(sizes.extent(), job.threads)?;
        let attention = attention::Workspace::bytes(
            model.config().widest_heads(),
            branches.longest(capacity)?,
            job.threads,
        )?;
        let tables = model.weights().table_bytes().saturating_add(model.config().table_bytes());
        let (kv_type, search) = (job.kv_type, job.search_bytes);
        let plan = Plan { capacity, sinks, branches, batch, kv_type, kv: 0, scratch: 0, search, tables };
        let shape = plan.shape(model.config());
        let kv = shape.bytes()?;
        let records = Cache::record_bytes(&shape)?.checked_add(Decoder::record_bytes(model, branches))?;
        let kept = Sinks::bytes(model.config(), sinks.unwrap_or(0))?;
        let parts = [matmul, attention, kept, job.sampler_bytes, records];
        let scratch = parts.iter().try_fold(sizes.bytes()?, |sum, &part| sum.checked_add(part))?;
        Some(Plan { kv, scratch, ..plan })
    }

    /// Bytes of keys and values that a token reads which sees `positions`, itself included.
    pub fn kv_read(&self, model: &Model, positions: usize) -> usize {
        let shape = self.shape(model.config());
        shape.read_bytes(positions).unwrap_or(usize::MAX)
    }

    /// Positions of the longest sequence.
    pub fn longest(&self) -> usize {
        self.branches.longest(self.capacity).unwrap_or(usize::MAX)
    }

    /// What the cache is made of, layer by layer, as far as they store something of their own. A layer with a window keeps what the first token of a batch sees and the batch itself, and no
    /// more; so does a convolution, as floats. A delta net cannot go back into a batch: it keeps what the next token sees, and its states.
    pub fn shape(&self, config: &Config) -> Shape {
        let Plan { capacity, sinks, branches, batch, kv_type, .. } = *self;
        // endless text has more positions than the cache
        let most = if sinks.is_some() { usize::MAX } else { capacity };
        let held = |window: usize| most.min(window.saturating_add(batch - 1));
        let sinks = sinks.unwrap_or(0);
        let attention = |Heads { kv_heads, head_dim, .. }: Heads| LayerShape {
            streams: 2,
            kv_heads,
            head_dim,
            capacity,
            window: None,
            sinks,
            kv_type,
            state: 0,
        };
        let one = attention(Heads { heads: 1, kv_heads: 1, head_dim: 1 });
        let convolution = LayerShape { streams: 1, kv_type: KvType::F32, sinks: 0, ..one };
        let layer = |layer: &LayerConfig| match (layer.mixer, self.window(layer)) {
            (Mixer::Attention(Attention { heads, .. }), None) => attention(heads),
            (Mixer::Attention(Attention { heads, .. }), Some(window)) => {
                LayerShape { capacity: held(window), window: Some(window), sinks: 0, ..attention(heads) }
            }
            (Mixer::ShortConv(length), _) => LayerShape {
                head_dim: config.embedding,
                capacity: held(length),
                window: Some(length),
                ..convolution
            },
            (Mixer::DeltaNet(net), _) => LayerShape {
                head_dim: net.heads.qkv_values(),
                capacity: (net.length - 1).max(1),
                window: Some(net.length),
                state: net.heads.state_values(),
                ..convolution
            },
        };
        Shape { layers: config.storing().map(layer).collect(), positions: most, branches }
    }

    /// All that is allocated.
    pub fn owned(&self) -> usize {
        [self.kv, self.scratch, self.search, self.tables].into_iter().fold(0, usize::saturating_add)
    }
}

/// Tokens of a batch: as many as fit in whole tiles, but no more than the batches need that a prompt is evenly cut into.
fn batch(model: &Model, prompt: usize) -> Option<usize> {
    Some(even_batch(prompt, most_tokens(model)?))
}

/// Tokens of the largest batch of a model's prompts.
pub(crate) fn most_tokens(model: &Model) -> Option<usize> {
    let bytes = |rows: usize| {
        let sizes = Sizes::new(model, rows, None);
        sizes.bytes()?.checked_add(matmul::Workspace::bytes(sizes.extent(), 0)?)
    };
    let tile = bytes(2 * LANES)?.checked_sub(bytes(LANES)?)?;
    Some((MAX_ACTIVATIONS / (tile / LANES)).clamp(MIN_BATCH, MAX_BATCH) / TILE * TILE)
}

/// The length of batches that a prompt is cut into: as few as possible and about as long as each other, because short ones cost as much as
/// longer ones.
pub(crate) fn even_batch(tokens: usize, max: usize) -> usize {
    let batches = tokens.div_ceil(max).max(1);
    tokens.div_ceil(batches).max(1)
}

/// Lengths of the scratch buffers, in elements; what [`Scratch`](super::scratch::Scratch) allocates and the plan adds up.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub batch: usize,
    pub embedding: usize,
    pub wide: usize,
    /// What `wide` needs once for the whole batch: vectors of tokens before it.
    pub before: usize,
    pub widest: usize,
    pub widest_float: usize,
    /// What layers have of a token for themselves.
    pub per_layer: usize,
    /// What a dense part adds beside experts.
    pub dense: usize,
    /// Experts that a token goes to.
    pub used: usize,
    /// Angles of all rotary embeddings, for a token.
    pub angles: usize,
    /// Positions that stay of endless text.
    pub sinks: usize,
    pub vocabulary: usize,
}

impl Sizes {
    pub fn new(model: &Model, batch: usize, sinks: Option<usize>) -> Sizes {
        let config = model.config();
        let (hidden, of_layer) = (config.widest_feed_forward(), config.per_layer.unwrap_or(0));
        let experts = config.experts.map_or(0, |e| e.count + 1 + 2 * config.embedding);
        let mixers = || config.layers.iter().map(|layer| MixerSizes::new(config, layer.mixer));
        let widest_mixer = |of: fn(MixerSizes) -> usize| mixers().map(of).max().unwrap_or(0);
        Sizes {
            batch,
            embedding: config.embedding,
            wide: widest_mixer(|sizes| sizes.row).max(experts + 2 * hidden).max(config.per_layer_values()),
            before: widest_mixer(|sizes| sizes.before),
            widest: widest_mixer(|sizes| sizes.output).max(config.embedding).max(hidden).max(of_layer),
            widest_float: model.weights().widest_float(),
            per_layer: config.per_layer_values(),
            dense: config.experts.filter(|e| e.beside_dense).map_or(0, |_| config.embedding),
            used: config.experts.map_or(0, |e| e.used),
            angles: config.ropes.iter().map(|rope| rope.dims / 2).sum(),
            sinks: sinks.unwrap_or(0),
            vocabulary: model.weights().vocabulary(),
        }
    }

    /// Positions whose angles are computed in a pass.
    pub fn angle_rows(&self) -> usize {
        self.batch + self.sinks
    }

    /// What multiplications are made for.
    pub fn extent(&self) -> matmul::Extent {
        let Sizes { batch, widest, widest_float, .. } = *self;
        matmul::Extent { batch, widest, widest_float }
    }

    /// Bytes of all buffers but the workspaces of operations.
    fn bytes(&self) -> Option<usize> {
        let row = 3 * self.embedding + self.wide + self.per_layer + self.dense;
        let floats = self.batch.checked_mul(row)?.checked_add(self.before + self.vocabulary)?;
        let choices = (self.used + usize::from(self.used > 0)) * size_of::<Choice>();
        let choices = self.batch.checked_mul(choices)?;
        let ropes = RopeTable::bytes(self.angles, self.angle_rows())?;
        floats.checked_mul(size_of::<f32>())?.checked_add(choices)?.checked_add(ropes)
    }
}

/// What the part of a layer in which tokens see each other needs of the wide buffer, in values.
struct MixerSizes {
    /// For each token.
    row: usize,
    /// Once.
    before: usize,
    /// What the last projection reads of a token.
    output: usize,
}

impl MixerSizes {
    fn new(config: &Config, mixer: Mixer) -> MixerSizes {
        let embedding = config.embedding;
        match mixer {
            Mixer::Attention(Attention { heads, .. }) => {
                let (q, kv) = (heads.q_values(), heads.kv_values());
                let gated = if config.output_gate { 3 * q } else { 0 };
                MixerSizes { row: 2 * q + 2 * kv + gated, before: 0, output: q }
            }
            Mixer::ShortConv(length) => {
                MixerSizes { row: 5 * embedding, before: (length - 1) * embedding, output: embedding }
            }
            Mixer::DeltaNet(net) => {
                let (width, values) = (net.heads.qkv_values(), net.heads.value_values());
                let row = 2 * width + values + 2 * net.heads.value_heads;
                MixerSizes { row, before: (net.length - 1) * width, output: values }
            }
        }
    }
}
