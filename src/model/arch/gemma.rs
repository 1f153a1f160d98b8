//! Gemma (arXiv:2403.08295): GeGLU, and token vectors multiplied with the square root of their length. Gemma 2 (arXiv:2408.00118) and Gemma 3
//! (arXiv:2503.19786): norms after each part too, and windows in most layers.

use super::Family;
use super::common::{llama_like, windows};
use crate::model::Error;
use crate::model::config::{Config, Rope, Scaling};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Gate;

/// Gemma.
pub(super) const GEMMA: Family = Family { name: "gemma", config: gemma1 };
/// Gemma 2.
pub(super) const GEMMA2: Family = Family { name: "gemma2", config: gemma2 };
/// Gemma 3 (text).
pub(super) const GEMMA3: Family = Family { name: "gemma3", config: gemma3 };

/// Layers of the models with 27 billion parameters, which scale their scores by the embedding instead of the head.
const LAYERS_27B: [(&str, usize); 2] = [("gemma2", 46), ("gemma3", 62)];

/// What all have in common.
fn gemma(keys: &Keys<'_>, family: &'static str) -> Result<Config, Error> {
    let mut config = llama_like(keys, family, RopeStyle::Halves)?;
    config.gate = Some(Gate::Gelu);
    config.scales.embedding = (config.embedding as f32).sqrt();
    Ok(config)
}

fn gemma1(keys: &Keys<'_>) -> Result<Config, Error> {
    gemma(keys, GEMMA.name)
}

/// With norms on both sides of each part.
pub(super) fn between_norms(keys: &Keys<'_>, family: &'static str) -> Result<Config, Error> {
    let mut config = gemma(keys, family)?;
    config.norms.after = true;
    if LAYERS_27B.contains(&(family, config.layers.len())) {
        let heads = config.widest_heads().heads;
        config.scales.attention = 1.0 / ((config.embedding / heads) as f32).sqrt();
    }
    config.logits_cap = keys.optional_positive("final_logit_softcapping")?;
    Ok(config)
}

/// A window in every other layer; caps of scores (50) and logits (30).
fn gemma2(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = between_norms(keys, GEMMA2.name)?;
    config.attention_cap = Some(keys.positive("attn_logit_softcapping", 50.0)?);
    config.logits_cap = Some(keys.positive("final_logit_softcapping", 30.0)?);
    let local = keys.positive("rope.freq_base_swa", config.ropes[0].base as f32)?;
    config.ropes.push(Rope { base: f64::from(local), ..config.ropes[0] });
    let window = keys.optional_count("attention.sliding_window")?.unwrap_or(4096);
    windows(keys, &mut config, window, 2, 1)?;
    Ok(config)
}

/// Norms of queries and keys; five layers with a window and rotary embedding of their own, then one without.
fn gemma3(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = between_norms(keys, GEMMA3.name)?;
    config.norms.heads = true;
    let Some(window) = keys.nonzero("attention.sliding_window")? else { return Ok(config) };
    let base = f64::from(keys.positive("rope.freq_base_swa", 10_000.0)?);
    let scaling = Scaling::Linear { factor: 1.0 };
    config.ropes.push(Rope { base, scaling, ..config.ropes[0] });
    windows(keys, &mut config, window, 6, 1)?;
    Ok(config)
}
