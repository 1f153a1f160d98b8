//! LFM2 and 2.5 (Liquid AI 2025, arXiv:2511.23404), dense and as a mixture of experts: short convolutions in most layers, attention in the others.

use super::Family;
use super::common::{leading_dense, llama_like, need_experts, weighting};
use crate::model::Error;
use crate::model::config::{Config, Mixer};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// LFM2.
pub(super) const LFM2: Family = Family { name: "lfm2", config: |keys| config(keys, LFM2.name) };
/// LFM2 with experts.
pub(super) const LFM2MOE: Family = Family { name: "lfm2moe", config: lfm2moe };

/// The first layers are dense. A bias changes which experts are chosen.
fn lfm2moe(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = config(keys, LFM2MOE.name)?;
    need_experts(keys, &mut config)?.weighting = weighting(keys, true)?;
    leading_dense(keys, &mut config)?;
    Ok(config)
}

/// A layer without key-value heads is a convolution.
fn config(keys: &Keys<'_>, family: &'static str) -> Result<Config, Error> {
    const KEY: &str = "attention.head_count_kv";
    let mut config = llama_like(keys, family, RopeStyle::Halves)?;
    config.norms.output_name = "token_embd_norm";
    config.norms.heads = true;
    let length = keys.count("shortconv.l_cache")?;
    let heads = keys.integers(KEY)?.ok_or_else(|| Error::MissingKey { key: keys.key(KEY) })?;
    if heads.len() != config.layers.len() {
        let expected = format!("one for each of {} layers", config.layers.len());
        return Err(keys.value(KEY, format!("a list of {}", heads.len()), &expected));
    }
    let window = keys.nonzero("attention.sliding_window")?;
    for (layer, heads) in config.layers.iter_mut().zip(heads) {
        if heads == 0 {
            layer.mixer = Mixer::ShortConv(length);
        } else {
            layer.window = window;
        }
    }
    Ok(config)
}
