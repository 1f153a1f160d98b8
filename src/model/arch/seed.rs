//! Seed-OSS (ByteDance 2025): Llama with biases of query, key and value.

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Seed-OSS.
pub(super) const SEED_OSS: Family = Family { name: "seed_oss", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, SEED_OSS.name, RopeStyle::Halves)?;
    config.norms.feed_forward_name = "post_attention_norm";
    Ok(config)
}
