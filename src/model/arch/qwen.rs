//! Qwen 2 and 2.5 (arXiv:2412.15115), Qwen 3 dense and as a mixture of experts (arXiv:2505.09388).

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Qwen 2 and 2.5: biases of query, key and value.
pub(super) const QWEN2: Family = Family { name: "qwen2", config: qwen2 };
/// Qwen 3: norms of queries and keys.
pub(super) const QWEN3: Family = Family { name: "qwen3", config: qwen3 };
/// Qwen 3 with experts.
pub(super) const QWEN3MOE: Family = Family { name: "qwen3moe", config: qwen3moe };

fn qwen2(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, QWEN2.name, RopeStyle::Halves)
}

fn qwen3(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, QWEN3.name, RopeStyle::Halves)?;
    config.norms.heads = true;
    Ok(config)
}

fn qwen3moe(keys: &Keys<'_>) -> Result<Config, Error> {
    let config = Config { family: QWEN3MOE.name, ..qwen3(keys)? };
    match config.experts {
        Some(_) => Ok(config),
        None => Err(Error::MissingKey { key: keys.key("expert_count") }),
    }
}
