//! gpt-oss (OpenAI 2025, arXiv:2508.10925): a mixture of experts with clamped gates, attention sinks, and a window in every other layer.

use super::Family;
use super::common::{llama_like, windows};
use crate::model::Error;
use crate::model::config::{Config, Rope};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;
use siskin_simd::Gate;

/// gpt-oss.
pub(super) const GPT_OSS: Family = Family { name: "gpt-oss", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, GPT_OSS.name, RopeStyle::Halves)?;
    if config.experts.is_none() {
        return Err(Error::MissingKey { key: keys.key("expert_count") });
    }
    config.norms.feed_forward_name = "post_attention_norm";
    config.gate = Some(Gate::ClampedSilu);
    let base = f64::from(keys.positive("rope.freq_base_swa", config.ropes[0].base as f32)?);
    config.ropes.push(Rope { base, ..config.ropes[0] });
    let window = keys.count("attention.sliding_window")?;
    windows(keys, &mut config, window, 2, 1)?;
    Ok(config)
}
