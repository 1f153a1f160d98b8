//! Qwen 2 and 2.5 (arXiv:2412.15115), Qwen 3 (arXiv:2505.09388), dense and as mixtures of experts; the language models of Qwen 2-VL, 2.5-VL and 3-VL.
//! Those split rotary embedding into sections for time, height and width of pictures; of text, all three are the position.

use super::Family;
use super::common::{llama_like, need_experts};
use crate::model::Error;
use crate::model::config::{Config, Weighting};
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Qwen 2 and 2.5: biases of query, key and value.
pub(super) const QWEN2: Family = Family { name: "qwen2", config: qwen2 };
/// Qwen 1.5 and 2 with experts.
pub(super) const QWEN2MOE: Family = Family { name: "qwen2moe", config: qwen2moe };
/// Qwen 2-VL and 2.5-VL (text).
pub(super) const QWEN2VL: Family = Family { name: "qwen2vl", config: qwen2vl };
/// Qwen 3: norms of queries and keys.
pub(super) const QWEN3: Family = Family { name: "qwen3", config: qwen3 };
/// Qwen 3 with experts.
pub(super) const QWEN3MOE: Family = Family { name: "qwen3moe", config: qwen3moe };
/// Qwen 3-VL (text).
pub(super) const QWEN3VL: Family = Family { name: "qwen3vl", config: qwen3vl };
/// Qwen 3-VL with experts (text).
pub(super) const QWEN3VLMOE: Family = Family { name: "qwen3vlmoe", config: qwen3vlmoe };

fn qwen2(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, QWEN2.name, RopeStyle::Halves)
}

fn qwen3(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, QWEN3.name, RopeStyle::Halves)?;
    config.norms.heads = true;
    Ok(config)
}

fn qwen3moe(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = Config { family: QWEN3MOE.name, ..qwen3(keys)? };
    need_experts(keys, &mut config)?;
    Ok(config)
}

/// A part that all tokens go to, and weights that do not add up to 1.
fn qwen2moe(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = Config { family: QWEN2MOE.name, ..qwen2(keys)? };
    let width = config.layers[0].feed_forward;
    let experts = need_experts(keys, &mut config)?;
    experts.shared = experts.shared.or(Some(width));
    experts.weighting = Weighting::Softmax;
    Ok(config)
}

fn qwen2vl(keys: &Keys<'_>) -> Result<Config, Error> {
    Ok(Config { family: QWEN2VL.name, ..qwen2(keys)? })
}

fn qwen3vl(keys: &Keys<'_>) -> Result<Config, Error> {
    Ok(Config { family: QWEN3VL.name, ..qwen3(keys)? })
}

fn qwen3vlmoe(keys: &Keys<'_>) -> Result<Config, Error> {
    Ok(Config { family: QWEN3VLMOE.name, ..qwen3moe(keys)? })
}
