//! Phi-2 (Microsoft 2023): attention and feed-forward side by side. Phi-3, 3.5 and 4-mini (Abdin et al. 2024, arXiv:2404.14219): query, key and value in one tensor, gate and up in another, and LongRoPE.

use super::Family;
use super::common::{activate, layer_norms, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Activation;

/// Phi-2.
pub(super) const PHI2: Family = Family { name: "phi2", config: phi2 };
/// Phi-3. Its files name a window for some models that were trained without one; like llama.cpp, this does not use it.
pub(super) const PHI3: Family = Family { name: "phi3", config: phi3 };

fn phi3(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, PHI3.name, RopeStyle::Halves)
}

/// Layer normalization, rotary embedding of a part of each head, biases everywhere.
fn phi2(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, PHI2.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    config.parallel = true;
    activate(&mut config, Activation::Gelu);
    Ok(config)
}
