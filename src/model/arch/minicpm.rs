//! MiniCPM (arXiv:2404.06395) and MiniCPM 4 (arXiv:2506.07900): Llama with constants that let small models' settings fit larger ones.

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// MiniCPM.
pub(super) const MINICPM: Family = Family { name: "minicpm", config };

/// Files made before they had keys of these constants are of models with those given here.
fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, MINICPM.name, RopeStyle::Pairs)?;
    let residual = 1.4 / (config.layers.len() as f32).sqrt();
    let scales = &mut config.scales;
    scales.embedding = keys.optional_positive("embedding_scale")?.unwrap_or(12.0);
    scales.residual = keys.optional_positive("residual_scale")?.unwrap_or(residual);
    scales.logits = 1.0 / keys.positive("logit_scale", config.embedding as f32 / 256.0)?;
    Ok(config)
}
