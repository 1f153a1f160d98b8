//! The dimensions and constants of a model: everything about it that is not a weight. Families fill it in; the decoder follows it.

use crate::kv::{HeadSize, KvType};
use crate::ops::rope::RopeStyle;
use crate::ops::rows::NormKind;
use crate::ops::{DeltaHeads, Heads};
use siskin_simd::{Activation, Gate};

/// Dimensions and constants of a decoder-only transformer.
#[derive(Clone, Debug)]
pub struct Config {
    /// The family that the file names.
    pub family: &'static str,
    /// Layers, first to last.
    pub layers: Vec<LayerConfig>,
    /// Values of a token's vector.
    pub embedding: usize,
    /// Positions that the model was trained for, in tokens.
    pub context: usize,
    /// Normalization.
    pub norms: Norms,
    /// Rotary embeddings; layers name theirs by its place in this list.
    pub ropes: Vec<Rope>,
    /// Activation of the feed-forward part; without a gate, each layer's [`LayerConfig::activation`] of one branch.
    pub gate: Option<Gate>,
    /// Constants that values are multiplied with.
    pub scales: Scales,
    /// Soft caps of attention scores, `cap * tanh(score / cap)`.
    pub attention_cap: Option<f32>,
    /// Soft caps of logits.
    pub logits_cap: Option<f32>,
    /// What makes attention sharper far from the start.
    pub temperature: Option<Temperature>,
    /// Whether layers may lack the norm before feed-forward, which then reads the same normalized values as attention.
    pub parallel: bool,
    /// Whether a learnt vector of each position is added to the token's.
    pub position_embedding: bool,
    /// Whether each query head's projection is followed by one of as many values whose sigmoids gate what the head found.
    pub output_gate: bool,
    /// Blocks of the file after the layers, which only guess further tokens (multi-token prediction); they are left alone.
    pub draft_blocks: usize,
    /// Whether attention may lack a value projection: keys, before they are normalized, then are the values, too.
    pub keys_as_values: bool,
    /// Mixture of experts, in place of the dense feed-forward part of the layers that have one, or beside it.
    pub experts: Option<Experts>,
    /// Values of a token that each layer has for itself, beside those that it gets from the layer before it.
    pub per_layer: Option<usize>,
}

/// What differs between the layers of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerConfig {
    /// Positions that a token sees, itself included; all of them if `None`.
    pub window: Option<usize>,
    /// The rotary embedding, by its place in [`Config::ropes`]; `None` turns nothing.
    pub rope: Option<usize>,
    /// In which way a token sees those before it.
    pub mixer: Mixer,
    /// Values inside the dense feed-forward part.
    pub feed_forward: usize,
    /// Whether the feed-forward part is dense though the model has experts.
    pub dense: bool,
    /// Activation of a feed-forward part without a gate.
    pub activation: Activation,
}

/// The part of a layer in which a token sees those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mixer {
    /// Attention.
    Attention(Attention),
    /// A convolution over so many positions.
    ShortConv(usize),
    /// A gated delta net.
    DeltaNet(DeltaNet),
}

/// Dimensions of attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Its heads.
    pub heads: Heads,
    /// The layer before it whose keys and values it looks up, if it stores none of its own. All layers that store nothing come last.
    pub shared: Option<usize>,
}

/// Dimensions of a gated delta net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeltaNet {
    /// Its heads.
    pub heads: DeltaHeads,
    /// Positions that its convolution looks at.
    pub length: usize,
}

/// Which norms a layer has, and of which kind.
#[derive(Clone, Copy, Debug)]
pub struct Norms {
    /// The kind of all of them.
    pub kind: NormKind,
    /// Added to the mean square, or the variance.
    pub eps: f32,
    /// Before attention and before feed-forward.
    pub before: bool,
    /// After attention and after feed-forward, before the result is added.
    pub after: bool,
    /// Of queries and keys.
    pub heads: bool,
    /// Of the heads of values, without weights.
    pub values: bool,
    /// Whether the weights of these are multiplied in after rotary embedding.
    pub heads_turned: bool,
    /// Whether norms of a token's vector have weights.
    pub weights: bool,
    /// The tensor that is the norm before feed-forward.
    pub feed_forward_name: &'static str,
    /// The tensor that is the norm before the output projection.
    pub output_name: &'static str,
}

/// Constants that values are multiplied with.
#[derive(Clone, Copy, Debug)]
pub struct Scales {
    /// Token vectors.
    pub embedding: f32,
    /// Attention scores.
    pub attention: f32,
    /// What attention and feed-forward add.
    pub residual: f32,
    /// Logits.
    pub logits: f32,
}

/// Queries at position `p` are multiplied with `1 + scale * ln(1 + floor(p / length))` (Llama 4, Mistral 3).
#[derive(Clone, Copy, Debug)]
pub struct Temperature {
    /// See above.
    pub scale: f32,
    /// See above, in positions.
    pub length: usize,
}

impl Temperature {
    /// What queries at a position are multiplied with.
    pub fn at(&self, position: usize) -> f32 {
        1.0 + self.scale * ((1 + position / self.length) as f32).ln()
    }
}

/// A mixture of experts: a router gives each token to some of many feed-forward parts.
#[derive(Clone, Copy, Debug)]
pub struct Experts {
    /// Experts.
    pub count: usize,
    /// Experts that a token goes to.
    pub used: usize,
    /// Values inside an expert.
    pub feed_forward: usize,
    /// Values inside the part that all tokens go to, if there is one.
    pub shared: Option<usize>,
    /// What the experts' weights add up to.
    pub weighting: Weighting,
    /// What the weights are multiplied with in the end.
    pub scale: f32,
    /// Whether the dense feed-forward part is there, too, each of the two with norms of its own.
    pub beside_dense: bool,
    /// Groups that the experts stand in, and to how many of them those of a token are limited: the groups whose two best experts together have the
    /// highest scores (DeepSeek-AI 2024, arXiv:2412.19437).
    pub groups: Option<(usize, usize)>,
}

/// How a router's scores become the weights of the experts it chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weighting {
    /// Softmax over all experts.
    Softmax,
    /// Softmax over the chosen ones, so that their weights add up to 1.
    SoftmaxOfChosen,
    /// Sigmoids of each.
    Sigmoid,
    /// Sigmoids of the chosen ones, divided by their sum.
    SigmoidOfChosen,
}

/// Constants of rotary embedding.
#[derive(Clone, Copy, Debug)]
pub struct Rope {
    /// Which values are turned together.
    pub style: RopeStyle,
    /// Values of a head that are turned; an even number, at most the head's.
    pub dims: usize,
    /// Base of the frequencies.
    pub base: f64,
    /// How frequencies are stretched to contexts longer than those of the first training.
    pub scaling: Scaling,
    /// What cosines and sines are multiplied with, beside what the scaling asks for.
    pub magnitude: f64,
    /// Positions of the first training.
    pub original_context: usize,
    /// Whether the file has divisors of the frequencies.
    pub factors: Factors,
}

/// Whether rotary frequencies have divisors in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    /// Where they are there.
    Found,
    /// Always.
    Needed,
    /// Those that are there are for another rotary embedding.
    Others,
}

/// How rotary frequencies are stretched.
#[derive(Clone, Copy, Debug)]
pub enum Scaling {
    /// Every frequency divided by a factor (Chen et al. 2023, arXiv:2306.15595); 1 changes nothing.
    Linear {
        /// The factor.
        factor: f64,
    },
    /// YaRN (Peng et al. 2023, arXiv:2309.00071): frequencies that turn often within the original context stay, those that
    /// turn rarely are divided by the factor, and those between are mixed.
    Yarn {
        /// The factor.
        factor: f64,
        /// Turns within the original context above which a frequency stays.
        fast: f64,
        /// Turns below which it is divided.
        slow: f64,
        /// Weight of the logarithm of the factor in the magnitude's divisor (DeepSeek); 0 for none.
        log_multiplier: f64,
    },
}

impl Rope {
    /// Radians a position of each pair: `base^(-2 i / dims)`, divided by its factor if there are any (Llama 3, LongRoPE), scaled.
    pub fn frequencies(&self, factors: Option<&[f32]>) -> Box<[f64]> {
        let n = self.dims / 2;
        let factor = |i: usize| factors.and_then(|factors| factors.get(i)).map_or(1.0, |&f| f64::from(f));
        let plain = (0..n).map(|i| self.base.powf(-(i as f64) / n as f64) / factor(i));
        match self.scaling {
            Scaling::Linear { factor } => plain.map(|frequency| frequency / factor).collect(),
            Scaling::Yarn { factor, fast, slow, .. } => {
                let (low, high) = (self.pair_that_turns(fast).floor(), self.pair_that_turns(slow).ceil());
                let (low, high) = (low.max(0.0), high.min(self.dims as f64 - 1.0));
                let kept = |i: usize| 1.0 - ((i as f64 - low) / (high - low).max(0.001)).clamp(0.0, 1.0);
                plain.enumerate().map(|(i, f)| f * (kept(i) + (1.0 - kept(i)) / factor)).collect()
            }
        }
    }

    /// The pair, as a real number, that turns so many times within the original context.
    fn pair_that_turns(&self, turns: f64) -> f64 {
        let wavelength = self.original_context as f64 / (turns * std::f64::consts::TAU);
        self.dims as f64 * wavelength.ln() / (2.0 * self.base.ln())
    }

    /// What cosines and sines are multiplied with.
    pub fn magnitude(&self) -> f64 {
        let Scaling::Yarn { factor, log_multiplier, .. } = self.scaling else { return self.magnitude };
        let of = |weight: f64| if factor <= 1.0 { 1.0 } else { 1.0 + 0.1 * weight * factor.ln() };
        self.magnitude * of(1.0) / of(log_multiplier)
    }
}

impl Config {
    /// Bytes allocated.
    pub fn table_bytes(&self) -> usize {
        self.layers.capacity() * size_of::<LayerConfig>() + self.ropes.capacity() * size_of::<Rope>()
    }

    /// Heads of the layers that have attention, first to last.
    pub fn heads(&self) -> impl Iterator<Item = Heads> {
        self.layers.iter().filter_map(|layer| layer.attention()).map(|attention| attention.heads)
    }

    /// As many heads, as many key-value heads, and as many values in one as any layer has at most.
    pub fn widest_heads(&self) -> Heads {
        self.heads().fold(Heads { heads: 0, kv_heads: 0, head_dim: 0 }, |widest, heads| Heads {
            heads: widest.heads.max(heads.heads),
            kv_heads: widest.kv_heads.max(heads.kv_heads),
            head_dim: widest.head_dim.max(heads.head_dim),
        })
    }

    /// Layers that store something of their own: the first ones.
    pub fn storing(&self) -> impl ExactSizeIterator<Item = &LayerConfig> {
        let shares = |layer: &&LayerConfig| layer.attention().is_some_and(|it| it.shared.is_some());
        let storing = self.layers.len() - self.layers.iter().rev().take_while(shares).count();
        self.layers[..storing].iter()
    }

    /// Whether the heads of all layers can be stored like that.
    ///
    /// # Errors
    ///
    /// [`HeadSize`] if not.
    pub fn check_kv(&self, kv_type: KvType) -> Result<(), HeadSize> {
        self.heads().try_for_each(|heads| kv_type.check(heads.head_dim))
    }

    /// Values of the widest hidden vector of a feed-forward part.
    pub fn widest_feed_forward(&self) -> usize {
        let experts = self.experts.map_or(0, |e| e.feed_forward.max(e.shared.unwrap_or(0)));
        let all = self.experts.is_none_or(|experts| experts.beside_dense);
        let dense = self.layers.iter().filter(|layer| all || layer.dense).map(|layer| layer.feed_forward);
        dense.fold(experts, usize::max)
    }

    /// Values of a token that all layers have for themselves.
    pub fn per_layer_values(&self) -> usize {
        self.per_layer.unwrap_or(0) * self.layers.len()
    }
}

impl LayerConfig {
    /// Attention, if that is how a token sees those before it.
    pub fn attention(&self) -> Option<Attention> {
        match self.mixer {
            Mixer::Attention(attention) => Some(attention),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rope(scaling: Scaling) -> Rope {
        let (style, factors) = (RopeStyle::Pairs, Factors::Found);
        Rope { style, dims: 64, base: 10_000.0, scaling, magnitude: 1.0, original_context: 4096, factors }
    }

    #[test]
    fn linear_scaling_and_factors_divide() {
        let frequencies = rope(Scaling::Linear { factor: 4.0 }).frequencies(Some(&[1.0, 2.0]));
        assert_eq!(frequencies.len(), 32);
        assert_eq!(frequencies[0], 0.25);
        assert!((frequencies[1] - 10_000f64.powf(-1.0 / 32.0) / 8.0).abs() < 1e-12);
    }

    /// The first pairs turn thousands of times within 4,096 positions, the last ones less than once.
    #[test]
    fn yarn_keeps_fast_pairs_and_divides_slow_ones() {
        let yarn = rope(Scaling::Yarn { factor: 8.0, fast: 32.0, slow: 1.0, log_multiplier: 0.0 });
        let (plain, scaled) =
            (rope(Scaling::Linear { factor: 1.0 }).frequencies(None), yarn.frequencies(None));
        let ratios: Vec<f64> = plain.iter().zip(&scaled).map(|(plain, scaled)| plain / scaled).collect();
        assert!((ratios[0] - 1.0).abs() < 1e-12 && (ratios[31] - 8.0).abs() < 1e-12, "{ratios:?}");
        assert!(ratios.is_sorted());
        assert!((yarn.magnitude() - (1.0 + 0.1 * 8f64.ln())).abs() < 1e-12);
        let same = rope(Scaling::Yarn { factor: 8.0, fast: 32.0, slow: 1.0, log_multiplier: 1.0 });
        assert_eq!(same.magnitude(), 1.0);
    }

    #[test]
    fn temperature_grows_by_steps() {
        let temperature = Temperature { scale: 0.1, length: 100 };
        assert_eq!(temperature.at(99), 1.0);
        assert!((temperature.at(100) - (1.0 + 0.1 * 2f32.ln())).abs() < 1e-6);
    }
}
