//! The shapes: sizes of real models, as their published configurations state them, and tiny ones for tests.

use super::SynthError;

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
}

/// A small model for tests: rows are multiples of 256, so that every format fits.
const TINY: Shape = Shape {
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
};

/// A smaller one for the float formats.
const NARROW: Shape = Shape { name: "narrow", dim: 128, ff: 192, head_dim: 32, ..TINY };

/// Scaling that bends within the 64 tokens of a test.
const SHORT_SCALING: RopeScaling = RopeScaling { factor: 8.0, low: 1.0, high: 4.0, original_context: 64.0 };

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
    TINY,
    Shape { name: "tiny-tied", tied: true, ..TINY },
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
        context: 131_072,
        ..QWEN_2_5_0_5B
    },
    TINYLLAMA,
    LLAMA_3_2_1B,
    Shape { name: "llama-3.2-3b", dim: 3072, layers: 28, heads: 24, head_dim: 128, ..LLAMA_3_2_1B },
    Shape {
        name: "llama-2-7b",
        dim: 4096,
        ff: 11008,
        layers: 32,
        kv_heads: 32,
        head_dim: 128,
        context: 4096,
        ..TINYLLAMA
    },
];

/// The names of all shapes, for messages.
pub(super) fn names() -> String {
    SHAPES.iter().map(|shape| shape.name).collect::<Vec<_>>().join(", ")
}

impl Shape {
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
            assert_eq!(shape.dim, shape.heads * shape.head_dim, "{}", shape.name);
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
