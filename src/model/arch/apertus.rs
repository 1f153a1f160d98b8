//! Apertus (arXiv:2509.14233): norms of queries and keys, and feed-forward parts of xIELU, whose constants each layer has learnt.

use super::Family;
use super::common::{activate, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Activation;

/// Apertus.
pub(super) const APERTUS: Family = Family { name: "apertus", config };

/// What keeps the exponential part's gradient finite near 0 (`xielu.eps`) has no use here.
fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, APERTUS.name, RopeStyle::Halves)?;
    config.norms.heads = true;
    activate(&mut config, Activation::Gelu);
    let constants = |key| keys.numbers_of_layers(key, config.layers.len());
    let (positive, negative) = (constants("xielu.alpha_p")?, constants("xielu.alpha_n")?);
    let beta = constants("xielu.beta")?;
    for (i, layer) in config.layers.iter_mut().enumerate() {
        layer.activation = Activation::Xielu {
            positive: softplus(positive[i]),
            negative: beta[i] + softplus(negative[i]),
            beta: beta[i],
        };
    }
    Ok(config)
}

/// `ln(1 + e^x)`, which is about `x` where `x` is large.
fn softplus(x: f32) -> f32 {
    if x > 20.0 { x } else { x.exp().ln_1p() }
}
