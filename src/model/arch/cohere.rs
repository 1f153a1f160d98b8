//! Cohere's Command R and Aya 23, Command R7B and Aya Expanse: layer normalization without biases, attention and feed-forward side by side,
//! scaled logits.

use super::Family;
use super::common::{layer_norms, llama_like, turn_windows_only, windows};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Command R.
pub(super) const COMMAND_R: Family =
    Family { name: "command-r", config: |keys| cohere(keys, COMMAND_R.name) };
/// Command R7B.
pub(super) const COHERE2: Family = Family { name: "cohere2", config: cohere2 };

fn cohere(keys: &Keys<'_>, family: &'static str) -> Result<Config, Error> {
    let mut config = llama_like(keys, family, RopeStyle::Pairs)?;
    config.norms = layer_norms(keys, config.norms)?;
    config.parallel = true;
    config.scales.logits = keys.optional_positive("logit_scale")?.unwrap_or(1.0);
    Ok(config)
}

/// A window in three of four layers, and no rotary embedding in the others.
fn cohere2(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = cohere(keys, COHERE2.name)?;
    let window = keys.count("attention.sliding_window")?;
    windows(keys, &mut config, window, 4, 0)?;
    turn_windows_only(&mut config);
    Ok(config)
}
