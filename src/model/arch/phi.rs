//! Phi-3, 3.5 and 4-mini (Abdin et al. 2024, arXiv:2404.14219): query, key and value in one tensor, gate and up in another, and LongRoPE.

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Phi-3. Its files name a window for some models that were trained without one; like llama.cpp, this does not use it.
pub(super) const PHI3: Family = Family { name: "phi3", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, PHI3.name, RopeStyle::Halves)
}
