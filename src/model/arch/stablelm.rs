//! StableLM 2 (Bellagente et al. 2024, arXiv:2402.17834): layer normalization, rotary embedding of a part of each head, and in the
//! largest model attention and feed-forward side by side.

use super::Family;
use super::common::{layer_norms, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Orion (arXiv:2401.12246): layer normalization in a Llama.
pub(super) const ORION: Family = Family { name: "orion", config: orion };
/// StableLM.
pub(super) const STABLELM: Family = Family { name: "stablelm", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, STABLELM.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    config.parallel = true;
    Ok(config)
}

fn orion(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, ORION.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    Ok(config)
}
