//! Feed-forward parts of squared ReLU without a gate: Arcee (AFM) and Nemotron (arXiv:2402.16819), Minitron.

use super::Family;
use super::common::{activate, layer_norms, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Activation;

/// Arcee's AFM.
pub(super) const ARCEE: Family = Family { name: "arcee", config: arcee };
/// Nemotron 4, Minitron.
pub(super) const NEMOTRON: Family = Family { name: "nemotron", config: nemotron };

fn arcee(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, ARCEE.name, RopeStyle::Pairs)?;
    activate(&mut config, Activation::ReluSquared);
    Ok(config)
}

/// Layer normalization, and rotary embedding of a part of each head.
fn nemotron(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, NEMOTRON.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    activate(&mut config, Activation::ReluSquared);
    Ok(config)
}
