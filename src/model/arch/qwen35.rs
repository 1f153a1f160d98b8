//! Qwen 3.5, dense and as a mixture of experts (Qwen Team 2026): gated delta nets in most layers, attention whose output is gated in the others.

use super::Family;
use super::common::{leave_draft_blocks, llama_like};
use crate::model::Error;
use crate::model::config::{Config, DeltaNet, Mixer};
use crate::model::keys::{Keys, LIMIT};
use crate::ops::DeltaHeads;
use crate::ops::rope::RopeStyle;

/// Qwen 3.5.
pub(super) const QWEN35: Family = Family { name: "qwen35", config: qwen35 };
/// Qwen 3.5 with experts.
pub(super) const QWEN35MOE: Family = Family { name: "qwen35moe", config: qwen35moe };

/// The last of each so many layers has attention, where the file does not say.
const INTERVAL: usize = 4;

/// Rotary embedding is split into sections for time, height and width of pictures; of text, all three are the position.
fn qwen35(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, QWEN35.name, RopeStyle::Halves)?;
    config.norms.feed_forward_name = "post_attention_norm";
    config.norms.heads = true;
    config.output_gate = true;
    leave_draft_blocks(keys, &mut config)?;
    let delta_net = delta_net(keys)?;
    for (layer, recurrent) in config.layers.iter_mut().zip(recurrent(keys)?) {
        if recurrent {
            layer.mixer = Mixer::DeltaNet(delta_net);
        }
    }
    Ok(config)
}

fn qwen35moe(keys: &Keys<'_>) -> Result<Config, Error> {
    let config = Config { family: QWEN35MOE.name, ..qwen35(keys)? };
    match config.experts {
        Some(_) => Ok(config),
        None => Err(Error::MissingKey { key: keys.key("expert_count") }),
    }
}

/// Whether each block of the file is a delta net, by a list or by an interval.
fn recurrent(keys: &Keys<'_>) -> Result<Vec<bool>, Error> {
    const KEY: &str = "attention.recurrent_layers";
    let blocks = keys.layers()?;
    if let Some(flags) = keys.integers(KEY)? {
        if flags.len() != blocks {
            let expected = format!("one for each of {blocks} blocks");
            return Err(keys.value(KEY, format!("a list of {}", flags.len()), &expected));
        }
        return Ok(flags.into_iter().map(|flag| flag != 0).collect());
    }
    let interval = keys.optional_count("full_attention_interval")?.unwrap_or(INTERVAL);
    Ok((1..=blocks).map(|block| !block.is_multiple_of(interval)).collect())
}

fn delta_net(keys: &Keys<'_>) -> Result<DeltaNet, Error> {
    let (key_heads, value_heads) = (keys.count("ssm.group_count")?, keys.count("ssm.time_step_rank")?);
    let heads = DeltaHeads { key_heads, value_heads, head_dim: keys.count("ssm.state_size")? };
    if !value_heads.is_multiple_of(key_heads) {
        let expected = format!("a multiple of the {key_heads} key heads");
        return Err(keys.value("ssm.time_step_rank", value_heads, &expected));
    }
    let (limit, length) = (LIMIT as usize, keys.count("ssm.conv_kernel")?);
    let states = heads.head_dim.checked_mul(heads.head_dim).and_then(|n| n.checked_mul(value_heads));
    if states.is_none_or(|values| values > limit) {
        let expected = format!("at most {limit} values in the states of {value_heads} heads");
        return Err(keys.value("ssm.state_size", heads.head_dim, &expected));
    }
    let inner = keys.count("ssm.inner_size")?;
    if inner != heads.value_values() {
        let expected = format!("{}, the values of all heads", heads.value_values());
        return Err(keys.value("ssm.inner_size", inner, &expected));
    }
    if length > limit / heads.qkv_values() {
        return Err(keys.value("ssm.conv_kernel", length, &format!("at most {limit} values in all")));
    }
    Ok(DeltaNet { heads, length })
}
