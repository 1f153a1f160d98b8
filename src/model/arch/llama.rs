//! Llama 1 to 3.x (Touvron et al. 2023, arXiv:2302.13971) and what is stored like it: TinyLlama, SmolLM2, Mistral, Mixtral, SmolLM3, Mistral 3.

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::{Config, Temperature};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Llama.
pub(super) const LLAMA: Family = Family { name: "llama", config: llama };
/// SmolLM3 (Hugging Face 2025).
pub(super) const SMOLLM3: Family = Family { name: "smollm3", config: smollm3 };
/// Mistral 3 and Ministral 3 (Mistral AI 2025).
pub(super) const MISTRAL3: Family = Family { name: "mistral3", config: mistral3 };

fn llama(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, LLAMA.name, RopeStyle::Pairs)
}

/// Every fourth layer has no rotary embedding (Yang et al. 2025, arXiv:2501.18795).
fn smollm3(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, SMOLLM3.name, RopeStyle::Pairs)?;
    for layer in config.layers.iter_mut().skip(3).step_by(4) {
        layer.rope = None;
    }
    Ok(config)
}

/// Queries grow with their position.
fn mistral3(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, MISTRAL3.name, RopeStyle::Pairs)?;
    let length = config.ropes[0].original_context;
    config.temperature =
        keys.optional_positive("attention.temperature_scale")?.map(|scale| Temperature { scale, length });
    Ok(config)
}
