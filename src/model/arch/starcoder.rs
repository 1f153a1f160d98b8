//! StarCoder (arXiv:2305.06161): GPT-2 with one head of keys and values. StarCoder 2 (arXiv:2402.19173): with rotary embedding.

use super::Family;
use super::common::{activate, layer_norms, llama_like};
use crate::model::Error;
use crate::model::config::{Config, LayerConfig};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Activation;

/// StarCoder.
pub(super) const STARCODER: Family = Family { name: "starcoder", config: starcoder };
/// StarCoder 2. Like llama.cpp, this does not use the window of 4,096 tokens that it was trained with.
pub(super) const STARCODER2: Family = Family { name: "starcoder2", config: starcoder2 };

fn starcoder(keys: &Keys<'_>) -> Result<Config, Error> {
    let config = Config { family: STARCODER.name, ..starcoder2(keys)? };
    let layers = config.layers.into_iter().map(|layer| LayerConfig { rope: None, ..layer }).collect();
    Ok(Config { position_embedding: true, ropes: Vec::new(), layers, ..config })
}

fn starcoder2(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, STARCODER2.name, RopeStyle::Halves)?;
    config.norms = layer_norms(keys, config.norms)?;
    activate(&mut config, Activation::Gelu);
    Ok(config)
}
