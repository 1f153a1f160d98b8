//! Ling 2 and Ring 2 (Inclusion AI 2025, arXiv:2510.22115): experts in groups, of which a token's stand in a few.

use super::Family;
use super::common::{leading_dense, leave_draft_blocks, llama_like, need_experts, weighting};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Ling 2.
pub(super) const BAILINGMOE2: Family = Family { name: "bailingmoe2", config };

/// Most groups of experts.
const MAX_GROUPS: usize = 64;

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, BAILINGMOE2.name, RopeStyle::Halves)?;
    config.norms.heads = true;
    let experts = need_experts(keys, &mut config)?;
    let shared = experts.shared.unwrap_or(experts.feed_forward);
    experts.shared = keys.nonzero("expert_shared_count")?.map(|count| count * shared);
    experts.weighting = weighting(keys, keys.flag("expert_weights_norm")?.unwrap_or(false))?;
    experts.groups = groups(keys, experts.count, experts.used)?;
    leave_draft_blocks(keys, &mut config)?;
    leading_dense(keys, &mut config)?;
    Ok(config)
}

/// How many groups there are, and how many of them a token may use.
fn groups(keys: &Keys<'_>, experts: usize, used: usize) -> Result<Option<(usize, usize)>, Error> {
    const COUNT: &str = "expert_group_count";
    const USED: &str = "expert_group_used_count";
    let Some(count) = keys.nonzero(COUNT)?.filter(|&count| count > 1) else { return Ok(None) };
    if count > MAX_GROUPS || !experts.is_multiple_of(count) {
        let expected = format!("a divisor of the {experts} experts, at most {MAX_GROUPS}");
        return Err(keys.value(COUNT, count, &expected));
    }
    let of_token = keys.count(USED)?;
    if of_token > count || of_token * (experts / count) < used {
        let expected = format!("at most the {count} groups, with {used} experts or more");
        return Err(keys.value(USED, of_token, &expected));
    }
    Ok(Some((count, of_token)))
}
