//! Granite 3.x, dense and as a mixture of experts (IBM Granite Team 2024): Llama with four constants (maximal update parametrization, Yang
//! et al. 2022, arXiv:2203.03466).

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Granite.
pub(super) const GRANITE: Family = Family { name: "granite", config: |keys| config(keys, GRANITE.name) };
/// Granite with experts.
pub(super) const GRANITEMOE: Family =
    Family { name: "granitemoe", config: |keys| config(keys, GRANITEMOE.name) };

fn config(keys: &Keys<'_>, family: &'static str) -> Result<Config, Error> {
    let mut config = llama_like(keys, family, RopeStyle::Pairs)?;
    let scales = &mut config.scales;
    scales.embedding = keys.optional_positive("embedding_scale")?.unwrap_or(1.0);
    scales.residual = keys.optional_positive("residual_scale")?.unwrap_or(1.0);
    scales.attention = keys.optional_positive("attention.scale")?.unwrap_or(scales.attention);
    scales.logits = 1.0 / keys.positive("logit_scale", 1.0)?;
    // the key that says whether a model was fine-tuned for long contexts says here whether it has rotary embedding at all
    if keys.flag("rope.scaling.finetuned")? == Some(false) {
        config.layers.iter_mut().for_each(|layer| layer.rope = None);
    }
    Ok(config)
}
