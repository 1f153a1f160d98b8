//! ERNIE 4.5 (ERNIE Team 2025), dense and as a mixture of experts of which some are chosen with the help of a bias.

use super::Family;
use super::common::{leading_dense, llama_like, need_experts};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// ERNIE 4.5.
pub(super) const ERNIE4_5: Family = Family { name: "ernie4_5", config: ernie };
/// ERNIE 4.5 with experts.
pub(super) const ERNIE4_5_MOE: Family = Family { name: "ernie4_5-moe", config: ernie_moe };

fn ernie(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, ERNIE4_5.name, RopeStyle::Pairs)
}

/// Experts in all layers but the first few.
fn ernie_moe(keys: &Keys<'_>) -> Result<Config, Error> {
    const KEY: &str = "interleave_moe_layer_step";
    let mut config = llama_like(keys, ERNIE4_5_MOE.name, RopeStyle::Pairs)?;
    need_experts(keys, &mut config)?;
    leading_dense(keys, &mut config)?;
    match keys.optional_count(KEY)? {
        None | Some(1) => Ok(config),
        Some(step) => Err(keys.value(KEY, step, "1: experts in every layer after the dense ones")),
    }
}
