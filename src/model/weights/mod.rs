//! The weights of a model, found in a file by name, each with the shape that the configuration asks for.
//!
//! Matrices stay where they are, in the file's mapping. Normalization weights, biases and rope factors are vectors of a few
//! kilobytes, copied to floats once: the model's tables.

mod find;
mod matrix;

pub use matrix::{Matrix, Stack};

use super::{Config, Error};
use crate::gguf::{Bytes, Gguf};
use crate::ops::{DeltaHeads, Heads};
use siskin_simd::Activation;

/// A vector of floats, copied.
pub type Vector = Box<[f32]>;

/// A norm's weights, and what is added after them where a model has that; `embedding` values each.
#[derive(Debug)]
pub struct Norm {
    /// Weights.
    pub weight: Vector,
    /// Bias.
    pub bias: Option<Vector>,
}

/// A norm of query or key heads.
#[derive(Debug)]
pub struct HeadNorm {
    /// Weights: of one head for all of them, of every head its own, or of all heads as one vector.
    pub weight: Vector,
    /// Values that are normalized together: a head, or all of them.
    pub width: usize,
}

impl HeadNorm {
    /// A norm that multiplies with nothing, of heads of so many values.
    fn without_weights(head_dim: usize) -> HeadNorm {
        HeadNorm { weight: vec![1.0; head_dim].into(), width: head_dim }
    }
}

/// The weights of one layer; shapes are rows x columns. What a model does not have is `None`.
#[derive(Debug)]
pub struct Layer {
    /// Before attention.
    pub attn_norm: Option<Norm>,
    /// What mixes tokens.
    pub mixer: Mixer,
    /// After attention.
    pub attn_post_norm: Option<Norm>,
    /// Before feed-forward.
    pub ffn_norm: Option<Norm>,
    /// The feed-forward part.
    pub ffn: FeedForward,
    /// After feed-forward.
    pub ffn_post_norm: Option<Norm>,
    /// What brings in the values that the layer has of each token for itself.
    pub per_layer: Option<Box<PerLayer>>,
    /// What all values are multiplied with in the end.
    pub output_scale: f32,
}

/// The part of a layer in which a token sees those before it.
#[derive(Debug)]
pub enum Mixer {
    /// Attention.
    Attention(Box<Attention>),
    /// A short convolution.
    ShortConv(ShortConv),
    /// A gated delta net.
    DeltaNet(Box<DeltaNet>),
}

/// Attention.
#[derive(Debug)]
pub struct Attention {
    /// Its heads.
    pub heads: Heads,
    /// The layer whose keys and values it looks up, if it has none of its own.
    pub shared: Option<usize>,
    /// `q_values x embedding`; where the output is gated, a row of the gate beside each.
    pub query: Matrix,
    /// `kv_values x embedding`; without it, keys and values are those of another layer.
    pub key: Option<Matrix>,
    /// `kv_values x embedding`; without it, values are what keys are before they are normalized.
    pub value: Option<Matrix>,
    /// Biases of query, key and value.
    pub qkv_bias: [Option<Vector>; 3],
    /// Norms of query, key and value heads.
    pub qkv_norm: [Option<HeadNorm>; 3],
    /// `head_dim`: what queries are multiplied with when they have been turned.
    pub q_scale: Option<Vector>,
    /// A score of each query head that goes nowhere.
    pub sinks: Option<Vector>,
    /// `embedding x q_values`.
    pub output: Matrix,
    /// `embedding`.
    pub output_bias: Option<Vector>,
}

/// A gated convolution over a few positions, each value by itself.
#[derive(Debug)]
pub struct ShortConv {
    /// `3 embedding x embedding`: gate of the input, gate of the output, values.
    pub input: Matrix,
    /// `embedding x length`, the weight of the oldest position first.
    pub kernel: Vector,
    /// `embedding x embedding`.
    pub output: Matrix,
}

/// A gated delta net: a state of each head that tokens write to and read from.
#[derive(Debug)]
pub struct DeltaNet {
    /// Its heads.
    pub heads: DeltaHeads,
    /// `qkv_values x embedding`: queries, keys, values.
    pub qkv: Matrix,
    /// `value_values x embedding`: what gates the output.
    pub gate: Matrix,
    /// `value_heads x embedding`: how much a token lets a head forget.
    pub decay: Matrix,
    /// `value_heads x embedding`: how strongly a token is written.
    pub beta: Matrix,
    /// `length x qkv_values`, the weights of the oldest position first.
    pub kernel: Vector,
    /// `value_heads`: added to what `decay` gives.
    pub decay_bias: Vector,
    /// `value_heads`, below 0: what that is multiplied with.
    pub rate: Vector,
    /// `head_dim`: the norm of what each head found.
    pub norm: Vector,
    /// `embedding x value_values`.
    pub output: Matrix,
}

impl DeltaNet {
    /// Positions before a token that its convolution looks at.
    pub fn before(&self) -> usize {
        self.kernel.len() / self.heads.qkv_values() - 1
    }
}

/// The feed-forward part of a layer.
#[derive(Debug)]
pub enum FeedForward {
    /// One for all tokens.
    Dense(Dense),
    /// A mixture of experts.
    Experts(Box<Experts>),
    /// Both, side by side.
    DenseAndExperts(Box<DenseAndExperts>),
}

/// A feed-forward part for all tokens.
#[derive(Debug)]
pub struct Dense {
    /// `width x embedding`; without it, `up` is activated itself.
    pub gate: Option<Matrix>,
    /// `width x embedding`.
    pub up: Matrix,
    /// `embedding x width`.
    pub down: Matrix,
    /// Biases of gate, up and down.
    pub bias: [Option<Vector>; 3],
    /// Without a gate.
    pub activation: Activation,
}

/// A mixture of experts.
#[derive(Debug)]
pub struct Experts {
    /// `count x embedding`.
    pub router: Matrix,
    /// `count`.
    pub router_bias: Option<Vector>,
    /// `count`: added to what experts are chosen by, not to their weights.
    pub choice_bias: Option<Vector>,
    /// `width x embedding` each.
    pub gate: Stack,
    /// `width x embedding` each.
    pub up: Stack,
    /// `embedding x width` each.
    pub down: Stack,
    /// `count`: what the results of each are multiplied with.
    pub scales: Option<Vector>,
    /// Biases of gate, up and down: those of all experts, one after the other.
    pub bias: [Option<Vector>; 3],
    /// What all tokens go through too.
    pub shared: Option<Dense>,
    /// `1 x embedding`: how much of that, by the sigmoid of the product; all of it if `None`.
    pub shared_gate: Option<Matrix>,
}

/// A part for all tokens and a mixture of experts, which read the same values, each normalized by itself.
#[derive(Debug)]
pub struct DenseAndExperts {
    /// The part for all tokens.
    pub dense: Dense,
    /// After it.
    pub dense_post_norm: Norm,
    /// Before the router.
    pub router_norm: Norm,
    /// Before the experts.
    pub experts_norm: Norm,
    /// The experts.
    pub experts: Experts,
    /// After them.
    pub experts_post_norm: Norm,
}

/// What brings into a layer the values that it has of each token for itself (`width` of them).
#[derive(Debug)]
pub struct PerLayer {
    /// `width x embedding`: what they are multiplied with.
    pub gate: Matrix,
    /// `embedding x width`.
    pub projection: Matrix,
    /// Before the result is added.
    pub post_norm: Norm,
}

/// Where the values come from that layers have of each token for themselves: `all` are those of all layers.
#[derive(Debug)]
pub struct PerLayerEmbedding {
    /// `vocabulary x all`: a row for each token. Large, and hardly read.
    pub table: Matrix,
    /// `all x embedding`: what is added to it, by the token's vector.
    pub projection: Matrix,
    /// `width`: the norm of that, layer by layer.
    pub norm: Vector,
}

/// All weights of a model.
#[derive(Debug)]
pub struct Weights {
    /// `vocabulary x embedding`.
    pub token_embedding: Matrix,
    /// What layers have of each token for themselves.
    pub per_layer: Option<PerLayerEmbedding>,
    /// `context x embedding`: learnt positions.
    pub position_embedding: Option<Matrix>,
    /// Layers, first to last.
    pub layers: Vec<Layer>,
    /// Before the output projection.
    pub output_norm: Norm,
    /// `vocabulary x embedding`; absent when the model projects with its token embedding.
    pub output: Option<Matrix>,
    /// `vocabulary`.
    pub output_bias: Option<Vector>,
    /// Divisors of the rope frequencies.
    pub rope_factors: RopeFactors,
    /// Part of the experts' bytes that a token reads.
    experts_read: f64,
}

/// Divisors of the rope frequencies, `rope.dims / 2` each.
#[derive(Debug, Default)]
pub struct RopeFactors {
    /// For every context (Llama 3).
    pub always: Option<Vector>,
    /// For contexts up to the original one (LongRoPE, Ding et al. 2024, arXiv:2402.13753).
    pub short: Option<Vector>,
    /// For longer contexts.
    pub long: Option<Vector>,
}

impl RopeFactors {
    /// The divisors for sequences of up to `positions` tokens of a model first trained on `original`.
    pub fn for_context(&self, positions: usize, original: usize) -> Option<&[f32]> {
        let by_length = if positions > original { &self.long } else { &self.short };
        self.always.as_ref().or(by_length.as_ref()).map(|factors| &factors[..])
    }
}

impl Weights {
    /// Finds every weight of the configuration's family.
    ///
    /// # Errors
    ///
    /// If a tensor is missing, unknown, of another shape, or of a type that cannot be computed with.
    pub fn find(file: &Gguf, config: &Config) -> Result<Weights, Error> {
        find::weights(file, config)
    }

    /// Entries of the vocabulary, in tokens.
    pub fn vocabulary(&self) -> usize {
        self.token_embedding.rows
    }

    /// The output projection: its own matrix or the token embedding.
    pub fn output(&self) -> &Matrix {
        self.output.as_ref().unwrap_or(&self.token_embedding)
    }

    /// The data of the matrices that a token multiplies, in that order. The token embedding is among them only where it is the
    /// output projection: otherwise a token needs one row of it. Of what layers have of a token for themselves it always does.
    pub fn in_order_of_use(&self) -> Vec<&Bytes> {
        self.matrices().map(|matrix| &matrix.bytes).collect()
    }

    /// The data of all matrices that tokens go through, and of what has a row for each token.
    pub(super) fn all_bytes(&self) -> impl Iterator<Item = &Bytes> {
        let per_layer = self.per_layer.iter().map(|embedding| &embedding.table);
        self.matrices().chain([&self.token_embedding]).chain(per_layer).map(|matrix| &matrix.bytes)
    }

    /// Columns of the widest matrix of floats that activations are multiplied with; 0 if there is none.
    pub fn widest_float(&self) -> usize {
        self.matrices().filter(|matrix| matrix.format.is_float()).map(|matrix| matrix.cols).max().unwrap_or(0)
    }

    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let layers = self.layers.iter().flat_map(|layer| {
            let mixer = layer.mixer.matrices().into_iter();
            let ffn = layer.ffn.matrices().into_iter().chain(layer.ffn.stacks().map(|stack| &stack.all));
            let per_layer = layer.per_layer.iter().flat_map(|part| [&part.gate, &part.projection]);
            mixer.chain(ffn).chain(per_layer)
        });
        let per_layer = self.per_layer.iter().map(|embedding| &embedding.projection);
        per_layer.chain(layers).chain([self.output()])
    }

    /// Bytes that one token reads, were it the only one of its batch: of matrices, and of what all layers have of it for themselves.
    pub fn bytes_per_token(&self) -> usize {
        let all: usize = self.in_order_of_use().iter().map(|bytes| bytes.len()).sum();
        let stacks = self.layers.iter().flat_map(|layer| layer.ffn.stacks());
        let experts: usize = stacks.map(|stack| stack.all.bytes.len()).sum();
        let rows = self.per_layer.iter().map(|embedding| embedding.table.bytes.len() / embedding.table.rows);
        all - experts + (experts as f64 * self.experts_read) as usize + rows.sum::<usize>()
    }

    /// Bytes allocated: the copied vectors, and what says where matrices are.
    pub fn table_bytes(&self) -> usize {
        let factors = [&self.rope_factors.always, &self.rope_factors.short, &self.rope_factors.long];
        let values = self.layers.iter().map(Layer::table_values).sum::<usize>()
            + self.output_norm.values()
            + self.per_layer.as_ref().map_or(0, |embedding| embedding.norm.len())
            + values(factors.into_iter().chain([&self.output_bias]));
        let records = self.layers.iter().map(Layer::record_bytes);
        values * size_of::<f32>() + self.layers.capacity() * size_of::<Layer>() + records.sum::<usize>()
    }
}

/// Values of the vectors that are there.
fn values<'a>(vectors: impl IntoIterator<Item = &'a Option<Vector>>) -> usize {
    vectors.into_iter().flatten().map(|vector| vector.len()).sum()
}

impl Norm {
    fn values(&self) -> usize {
        self.weight.len() + self.bias.as_ref().map_or(0, |bias| bias.len())
    }
}

impl Layer {
    /// Bytes allocated, without vectors and the value itself.
    fn record_bytes(&self) -> usize {
        let per_layer = self.per_layer.as_ref().map_or(0, |_| size_of::<PerLayer>());
        self.mixer.record_bytes() + self.ffn.record_bytes() + per_layer
    }

    fn table_values(&self) -> usize {
        let norms = [&self.attn_norm, &self.attn_post_norm, &self.ffn_norm, &self.ffn_post_norm];
        let per_layer = self.per_layer.iter().map(|part| &part.post_norm);
        let norms: usize = norms.into_iter().flatten().chain(per_layer).map(Norm::values).sum();
        norms + self.mixer.table_values() + self.ffn.table_values()
    }
}

impl Mixer {
    /// Bytes allocated, without vectors and the value itself.
    fn record_bytes(&self) -> usize {
        match self {
            Mixer::Attention(_) => size_of::<Attention>(),
            Mixer::ShortConv(_) => 0,
            Mixer::DeltaNet(_) => size_of::<DeltaNet>(),
        }
    }

    fn matrices(&self) -> Vec<&Matrix> {
        match self {
            Mixer::Attention(attention) => {
                let key_value = attention.key.iter().chain(&attention.value);
                [&attention.query].into_iter().chain(key_value).chain([&attention.output]).collect()
            }
            Mixer::ShortConv(conv) => vec![&conv.input, &conv.output],
            Mixer::DeltaNet(net) => vec![&net.qkv, &net.gate, &net.decay, &net.beta, &net.output],
        }
    }

    fn table_values(&self) -> usize {
        match self {
            Mixer::Attention(attention) => {
                let heads = attention.qkv_norm.iter().flatten().map(|norm| norm.weight.len());
                let vectors = [&attention.q_scale, &attention.sinks, &attention.output_bias];
                let others = attention.qkv_bias.iter().chain(vectors);
                heads.sum::<usize>() + values(others)
            }
            Mixer::ShortConv(conv) => conv.kernel.len(),
            Mixer::DeltaNet(net) => {
                [&net.kernel, &net.decay_bias, &net.rate, &net.norm].iter().map(|vector| vector.len()).sum()
            }
        }
    }
}

impl FeedForward {
    /// Bytes allocated, without vectors and the value itself.
    fn record_bytes(&self) -> usize {
        match self {
            FeedForward::Dense(_) => 0,
            FeedForward::Experts(_) => size_of::<Experts>(),
            FeedForward::DenseAndExperts(_) => size_of::<DenseAndExperts>(),
        }
    }

    fn dense(&self) -> Option<&Dense> {
        match self {
            FeedForward::Dense(dense) => Some(dense),
            FeedForward::Experts(_) => None,
            FeedForward::DenseAndExperts(both) => Some(&both.dense),
        }
    }

    fn experts(&self) -> Option<&Experts> {
        match self {
            FeedForward::Dense(_) => None,
            FeedForward::Experts(experts) => Some(experts),
            FeedForward::DenseAndExperts(both) => Some(&both.experts),
        }
    }

    /// The matrices, without those of experts.
    fn matrices(&self) -> Vec<&Matrix> {
        let dense = self.dense().into_iter().flat_map(Dense::matrices);
        dense.chain(self.experts().into_iter().flat_map(Experts::matrices)).collect()
    }

    /// The matrices of experts.
    fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.experts().into_iter().flat_map(Experts::stacks)
    }

    fn table_values(&self) -> usize {
        let norms = match self {
            FeedForward::DenseAndExperts(both) => both.norms().map(Norm::values).iter().sum(),
            _ => 0,
        };
        let dense = self.dense().map_or(0, |dense| values(&dense.bias));
        norms + dense + self.experts().map_or(0, Experts::table_values)
    }
}

impl Dense {
    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.gate.iter().chain([&self.up, &self.down])
    }
}

impl Experts {
    /// Those that all tokens go through.
    fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        let shared = self.shared.iter().flat_map(Dense::matrices).chain(&self.shared_gate);
        [&self.router].into_iter().chain(shared)
    }

    /// Those of all experts, each once.
    fn stacks(&self) -> impl Iterator<Item = &Stack> {
        [&self.gate, &self.up, &self.down].into_iter().filter(|stack| stack.is_first())
    }

    fn table_values(&self) -> usize {
        let shared = self.shared.as_ref().map_or(0, |shared| values(&shared.bias));
        values(&self.bias) + values([&self.router_bias, &self.choice_bias, &self.scales]) + shared
    }
}

impl DenseAndExperts {
    fn norms(&self) -> [&Norm; 4] {
        [&self.dense_post_norm, &self.router_norm, &self.experts_norm, &self.experts_post_norm]
    }
}
