//! OLMo (arXiv:2402.00838): layer normalization without weights. OLMo 2 and 3 (arXiv:2501.00656): norms after each part instead of before it. OLMoE (arXiv:2409.02060): a mixture of experts.

use super::Family;
use super::common::{layer_norms, llama_like, need_experts, windows};
use crate::model::Error;
use crate::model::config::{Config, Rope, Scaling, Weighting};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// OLMo.
pub(super) const OLMO: Family = Family { name: "olmo", config: olmo };
/// OLMo 2 and 3.
pub(super) const OLMO2: Family = Family { name: "olmo2", config: olmo2 };
/// OLMoE.
pub(super) const OLMOE: Family = Family { name: "olmoe", config: olmoe };

fn olmo(keys: &Keys<'_>) -> Result<Config, Error> {
    const CLAMP: &str = "attention.clamp_kqv";
    let mut config = llama_like(keys, OLMO.name, RopeStyle::Pairs)?;
    config.norms = layer_norms(keys, config.norms)?;
    config.norms.weights = false;
    match keys.optional_positive(CLAMP)? {
        None => Ok(config),
        Some(limit) => Err(keys.value(CLAMP, limit, "0: queries, keys and values without a limit")),
    }
}

/// OLMo 3 has a window in three of four layers, and scales rotary embedding only in the others.
fn olmo2(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, OLMO2.name, RopeStyle::Halves)?;
    (config.norms.before, config.norms.after, config.norms.heads) = (false, true, true);
    let Some(window) = keys.nonzero("attention.sliding_window")? else { return Ok(config) };
    let base = f64::from(keys.positive("rope.freq_base_swa", config.ropes[0].base as f32)?);
    let scaling = Scaling::Linear { factor: 1.0 };
    config.ropes.push(Rope { base, scaling, magnitude: 1.0, ..config.ropes[0] });
    windows(keys, &mut config, window, 4, 1)?;
    Ok(config)
}

fn olmoe(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, OLMOE.name, RopeStyle::Halves)?;
    config.norms.heads = true;
    need_experts(keys, &mut config)?.weighting = Weighting::Softmax;
    Ok(config)
}
