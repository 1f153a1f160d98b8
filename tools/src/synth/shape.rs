//! The shapes: sizes of real models, as their published configurations state them, and tiny ones for tests.

use super::{SynthError, families, narrow};

/// Llama 3's frequency scaling, which GGUF files carry as a tensor of divisors named `rope_freqs.weight`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RopeScaling {
    /// Divisor of the frequencies whose wavelength exceeds `original_context / low`.
    pub factor: f64,
    /// See `factor`.
    pub low: f64,
    /// Frequencies whose wavelength is below `original_context / high` stay as they are.
    pub high: f64,
    /// Context of the first training, in tokens.
    pub original_context: f64,
}

/// Which values a norm of queries and keys has weights for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadNorm {
    /// There is none.
    None,
    /// Those of one head, used for all of them.
    Shared,
    /// Those of every head.
    Each,
    /// Those of all heads, as one vector.
    All,
}

/// Experts of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Experts {
    /// How many there are.
    pub count: usize,
    /// How many a token goes to.
    pub used: usize,
    /// Width of each.
    pub ff: usize,
    /// Width of the part that all tokens go to; 0 for none.
    pub shared: usize,
    /// Whether router and experts have biases.
    pub biased: bool,
    /// Whether a gate says how much of the shared part a token gets.
    pub shared_gate: bool,
}

/// A gated delta net in place of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaNet {
    /// Heads of queries and keys.
    pub key_heads: usize,
    /// Heads of values.
    pub value_heads: usize,
    /// Width of all of them.
    pub head_dim: usize,
    /// Positions that its convolution looks at.
    pub convolution: usize,
    /// The last of so many layers has attention instead.
    pub interval: usize,
}

/// Layers of two kinds, in turn: those with a window are as the shape says, the others have heads of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// The last of so many layers has no window.
    pub interval: usize,
    /// Key and value heads of layers without a window.
    pub kv_heads: usize,
    /// Width of their heads, of which rotary embedding turns a quarter.
    pub head_dim: usize,
    /// Whether they have value projections.
    pub values: bool,
    /// So many layers have keys and values of their own; those after them look up what the last ones of these have, and are twice as wide inside.
    pub storing: usize,
    /// Whether these have key and value projections all the same, which nothing uses.
    pub spare: bool,
}

/// A value of a metadata key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Key {
    /// An unsigned number.
    U32(u32),
    /// A number.
    F32(f32),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(&'static str),
    /// Signed numbers.
    List(&'static [i32]),
    /// Numbers of the first layers.
    Floats(&'static [f32]),
}

/// What a family's layers have, beside what all have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parts {
    /// Layer normalization with biases, in place of root mean square normalization.
    pub layer_norm: bool,
    /// What norms of the residual stream have: weights, and biases if it is layer normalization.
    pub norm_values: (bool, bool),
    /// Norms before attention and before feed-forward.
    pub norms_before: bool,
    /// Norms after them.
    pub norms_after: bool,
    /// The tensor of the norm before feed-forward; empty if there is none.
    pub ffn_norm: &'static str,
    /// Norms of queries and keys.
    pub head_norm: HeadNorm,
    /// Query, key and value in one tensor.
    pub fused_qkv: bool,
    /// Gate and up in one tensor.
    pub fused_up: bool,
    /// A gate in the feed-forward layer.
    pub gated: bool,
    /// A bias of the attention's output.
    pub output_bias: bool,
    /// Biases of the feed-forward layer.
    pub ffn_bias: bool,
    /// Learnt positions in place of rotary embedding.
    pub positions: bool,
    /// Attention sinks.
    pub sinks: bool,
    /// LongRoPE's factors.
    pub long_rope: bool,
    /// A bias of the logits.
    pub logits_bias: bool,
    /// Experts in place of the feed-forward layer.
    pub experts: Option<Experts>,
    /// The first so many layers have a feed-forward layer all the same.
    pub dense_lead: usize,
    /// A bias by which experts are chosen.
    pub choice_bias: bool,
    /// In every other layer, from the first on, a convolution over so many positions in place of attention.
    pub convolution: Option<usize>,
    /// Gated delta nets in place of attention.
    pub delta_net: Option<DeltaNet>,
    /// A gate of the attention's output, beside each query.
    pub output_gate: bool,
    /// Layers with and without a window that differ in more than that.
    pub kinds: Option<Kinds>,
    /// Values of a token that each layer has for itself; 0 for none.
    pub per_layer: usize,
    /// A number that multiplies what comes out of a layer.
    pub output_scale: bool,
    /// The dense feed-forward layer beside experts, whose gate and up are in one tensor.
    pub dense_beside: bool,
    /// The tensor of the norm before the output projection.
    pub output_norm: &'static str,
    /// Metadata of the family's own; a name that begins with a dot is a key that does not begin with the architecture.
    pub keys: &'static [(&'static str, Key)],
}

impl Parts {
    /// Llama's.
    pub const LLAMA: Parts = Parts {
        layer_norm: false,
        norm_values: (true, true),
        norms_before: true,
        norms_after: false,
        ffn_norm: "ffn_norm",
        head_norm: HeadNorm::None,
        fused_qkv: false,
        fused_up: false,
        gated: true,
        output_bias: false,
        ffn_bias: false,
        positions: false,
        sinks: false,
        long_rope: false,
        logits_bias: false,
        experts: None,
        dense_lead: 0,
        choice_bias: false,
        convolution: None,
        delta_net: None,
        output_gate: false,
        kinds: None,
        per_layer: 0,
        output_scale: false,
        dense_beside: false,
        output_norm: "output_norm",
        keys: &[],
    };
}

/// Sizes and architecture of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// How to ask for it.
    pub name: &'static str,
    /// GGUF's name of the architecture; also the prefix of its keys.
    pub arch: &'static str,
    /// Width of the residual stream.
    pub dim: usize,
    /// Width of the feed-forward layer.
    pub ff: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads.
    pub kv_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Entries of the vocabulary.
    pub vocab: usize,
    /// Longest sequence, in tokens.
    pub context: usize,
    /// Base of the rotary embedding.
    pub rope_base: f32,
    /// Divisors of rotary frequencies.
    pub rope_scaling: Option<RopeScaling>,
    /// Epsilon of the norms.
    pub norm_eps: f32,
    /// Whether the output projection is the embedding.
    pub tied: bool,
    /// Whether query, key and value projections have a bias.
    pub qkv_bias: bool,
    /// Values of a head that rotary embedding turns.
    pub rope_dims: usize,
    /// What else its family has.
    pub parts: Parts,
}

/// A small model for tests: rows are multiples of 256, so that every format fits.
pub(super) const TINY: Shape = Shape {
    name: "tiny",
    arch: "llama",
    dim: 256,
    ff: 512,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    head_dim: 64,
    vocab: 320,
    context: 256,
    rope_base: 10_000.0,
    rope_scaling: None,
    norm_eps: 1e-5,
    tied: false,
    qkv_bias: false,
    rope_dims: 64,
    parts: Parts::LLAMA,
};

/// A smaller one for the float formats.
pub(super) const NARROW: Shape =
    Shape { name: "narrow", dim: 128, ff: 192, head_dim: 32, rope_dims: 32, ..TINY };

/// Scaling that bends within the 64 tokens of a test.
pub(super) const SHORT_SCALING: RopeScaling =
    RopeScaling { factor: 8.0, low: 1.0, high: 4.0, original_context: 64.0 };

const TINYLLAMA: Shape = Shape {
    name: "tinyllama-1.1b",
    dim: 2048,
    ff: 5632,
    layers: 22,
    heads: 32,
    kv_heads: 4,
    vocab: 32000,
    context: 2048,
    ..TINY
};

const LLAMA_3_2_1B: Shape = Shape {
    name: "llama-3.2-1b",
    dim: 2048,
    ff: 8192,
    layers: 16,
    heads: 32,
    kv_heads: 8,
    vocab: 128_256,
    context: 131_072,
    rope_base: 500_000.0,
    rope_scaling: Some(RopeScaling { factor: 32.0, low: 1.0, high: 4.0, original_context: 8192.0 }),
    tied: true,
    ..TINY
};

const QWEN_2_5_0_5B: Shape = Shape {
    name: "qwen2.5-0.5b",
    arch: "qwen2",
    dim: 896,
    ff: 4864,
    layers: 24,
    heads: 14,
    kv_heads: 2,
    vocab: 151_936,
    context: 32_768,
    rope_base: 1_000_000.0,
    norm_eps: 1e-6,
    tied: true,
    qkv_bias: true,
    ..TINY
};

const SMOLLM2_135M: Shape = Shape {
    name: "smollm2-135m",
    dim: 576,
    ff: 1536,
    layers: 30,
    heads: 9,
    kv_heads: 3,
    vocab: 49_152,
    context: 8192,
    rope_base: 100_000.0,
    tied: true,
    ..TINY
};

/// Every shape.
pub const SHAPES: &[Shape] = &[
    families::QWEN3,
    families::GEMMA2,
    families::GEMMA3,
    families::PHI3,
    families::GRANITE,
    families::GRANITEMOE,
    families::SMOLLM3,
    families::MISTRAL3,
    families::OLMO2,
    families::OLMO3,
    families::OLMOE,
    families::STABLELM,
    families::STABLELM_PARALLEL,
    families::GPT2,
    families::MIXTRAL,
    families::QWEN3MOE,
    families::GPT_OSS,
    families::LFM2,
    families::LFM2_350M,
    families::QWEN35,
    families::QWEN35MOE,
    families::QWEN35_0_8B,
    families::GEMMA4,
    families::GEMMA4_E,
    families::GEMMA4_MOE,
    families::GEMMA4_E2B,
    narrow::QWEN2MOE,
    narrow::QWEN2VL,
    narrow::QWEN3VL,
    narrow::QWEN3VLMOE,
    narrow::GEMMA,
    narrow::PHI2,
    narrow::OLMO,
    narrow::LFM2MOE,
    narrow::ERNIE4_5,
    narrow::ERNIE4_5_MOE,
    narrow::HUNYUAN,
    narrow::MAINCODER,
    narrow::EXAONE,
    narrow::EXAONE4,
    narrow::INTERNLM2,
    narrow::XVERSE,
    narrow::PANGU,
    narrow::ORION,
    narrow::MINICPM,
    narrow::ARCEE,
    narrow::NEMOTRON,
    narrow::GLM4,
    narrow::SEED_OSS,
    narrow::APERTUS,
    narrow::STARCODER,
    narrow::STARCODER2,
    narrow::COMMAND_R,
    narrow::COHERE2,
    narrow::BAILINGMOE2,
    families::QWEN3_0_6B,
    families::GEMMA3_1B,
    families::OLMOE_1B_7B,
    TINY,
    Shape { name: "tiny-tied", tied: true, ..TINY },
    Shape {
        name: "tiny-llama3",
        rope_base: 500_000.0,
        rope_scaling: Some(SHORT_SCALING),
        tied: true,
        ..TINY
    },
    Shape { name: "tiny-qwen2", arch: "qwen2", norm_eps: 1e-6, tied: true, qkv_bias: true, ..TINY },
    NARROW,
    Shape { name: "narrow-tied", tied: true, ..NARROW },
    Shape { name: "narrow-mha", kv_heads: NARROW.heads, ..NARROW },
    Shape { name: "narrow-rope", rope_base: 500_000.0, rope_scaling: Some(SHORT_SCALING), ..NARROW },
    SMOLLM2_135M,
    Shape { name: "smollm2-360m", dim: 960, ff: 2560, layers: 32, heads: 15, kv_heads: 5, ..SMOLLM2_135M },
    QWEN_2_5_0_5B,
    Shape {
        name: "qwen2.5-1.5b",
        dim: 1536,
        ff: 8960,
        layers: 28,
        heads: 12,
        head_dim: 128,
        rope_dims: 128,
        context: 131_072,
        ..QWEN_2_5_0_5B
    },
    TINYLLAMA,
    LLAMA_3_2_1B,
    Shape {
        name: "llama-3.2-3b",
        dim: 3072,
        layers: 28,
        heads: 24,
        head_dim: 128,
        rope_dims: 128,
        ..LLAMA_3_2_1B
    },
    Shape {
        name: "llama-2-7b",
        dim: 4096,
        ff: 11008,
        layers: 32,
        kv_heads: 32,
        head_dim: 128,
        rope_dims: 128,
        context: 4096,
        ..TINYLLAMA
    },
];

/// The names of all shapes, for messages.
pub(super) fn names() -> String {
    SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>().join(", ")
}

impl Shape {
    /// Whether a layer is a convolution.
    pub fn is_convolution(&self, layer: usize) -> bool {
        self.parts.convolution.is_some() && layer.is_multiple_of(2)
    }

    /// Whether a layer has a window, of those that [`Kinds`] tells apart.
    pub fn has_window(&self, layer: usize) -> bool {
        self.parts.kinds.is_some_and(|kinds| !(layer + 1).is_multiple_of(kinds.interval))
    }

    /// Key and value heads of a layer, and their width.
    pub fn layer_heads(&self, layer: usize) -> (usize, usize) {
        match self.parts.kinds.filter(|_| !self.has_window(layer)) {
            Some(kinds) => (kinds.kv_heads, kinds.head_dim),
            None => (self.kv_heads, self.head_dim),
        }
    }

    /// Layers that look up keys and values of others: the last ones.
    pub fn sharing(&self) -> usize {
        self.parts.kinds.map_or(0, |kinds| self.layers.saturating_sub(kinds.storing))
    }

    /// Whether a layer looks up keys and values of another.
    pub fn shares(&self, layer: usize) -> bool {
        layer >= self.layers - self.sharing()
    }

    /// Width of a layer's dense feed-forward part.
    pub fn layer_ff(&self, layer: usize) -> usize {
        if self.shares(layer) { 2 * self.ff } else { self.ff }
    }

    /// What a layer has in place of attention, if it is a gated delta net.
    pub fn delta_net(&self, layer: usize) -> Option<DeltaNet> {
        self.parts.delta_net.filter(|net| !(layer + 1).is_multiple_of(net.interval))
    }

    /// The shape of this name.
    ///
    /// # Errors
    ///
    /// [`SynthError::UnknownShape`].
    pub fn named(name: &str) -> Result<Shape, SynthError> {
        let found = SHAPES.iter().find(|shape| shape.name == name);
        found.copied().ok_or_else(|| SynthError::UnknownShape(name.to_owned()))
    }

    /// The rotary divisors, one per pair of a head: one where the wavelength is short, `factor` where it is long,
    /// and between the two the inverse of a mean of their inverses.
    pub fn rope_factors(&self) -> Option<Vec<f32>> {
        let scaling = self.rope_scaling?;
        let divisor = |pair: usize| {
            let exponent = (2 * pair) as f64 / self.head_dim as f64;
            let wavelength = std::f64::consts::TAU * f64::from(self.rope_base).powf(exponent);
            let turns = scaling.original_context / wavelength;
            let share = ((turns - scaling.low) / (scaling.high - scaling.low)).clamp(0.0, 1.0);
            (1.0 / ((1.0 - share) / scaling.factor + share)) as f32
        };
        Some((0..self.head_dim / 2).map(divisor).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_heads_fit() {
        for (i, shape) in SHAPES.iter().enumerate() {
            assert!(SHAPES[..i].iter().all(|other| other.name != shape.name), "{}", shape.name);
            assert_eq!(shape.heads % shape.kv_heads, 0, "{}", shape.name);
        }
    }

    #[test]
    fn rope_factors_run_from_one_to_the_factor() {
        let factors = Shape::named("llama-3.2-1b").unwrap().rope_factors().unwrap();
        assert_eq!((factors.len(), factors[0], factors[31]), (32, 1.0, 32.0));
        assert!(factors.is_sorted());
        assert!(factors.iter().any(|&f| f > 1.0 && f < 32.0));
        assert_eq!(Shape::named("tiny").unwrap().rope_factors(), None);
    }
}
