//! GPT-2 (Radford et al. 2019): learnt positions, layer normalization, a feed-forward part without a gate, biases everywhere.

use super::Family;
use super::common::{layer_norms, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// GPT-2.
pub(super) const GPT2: Family = Family { name: "gpt2", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, GPT2.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    (config.gate, config.position_embedding) = (None, true);
    config.ropes.clear();
    config.layers.iter_mut().for_each(|layer| layer.rope = None);
    Ok(config)
}
