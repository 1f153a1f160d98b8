//! EXAONE 3, 3.5 and Deep (arXiv:2412.04862); EXAONE 4 (arXiv:2507.11407): norms after each part instead of before it.

use super::Family;
use super::common::{llama_like, turn_windows_only, windows};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// EXAONE 3 and 3.5.
pub(super) const EXAONE: Family = Family { name: "exaone", config: exaone };
/// EXAONE 4.
pub(super) const EXAONE4: Family = Family { name: "exaone4", config: exaone4 };

fn exaone(keys: &Keys<'_>) -> Result<Config, Error> {
    llama_like(keys, EXAONE.name, RopeStyle::Halves)
}

/// The largest model has a window in three of four layers, and no rotary embedding in the others.
fn exaone4(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = llama_like(keys, EXAONE4.name, RopeStyle::Halves)?;
    (config.norms.before, config.norms.after, config.norms.heads) = (false, true, true);
    if let Some(window) = keys.nonzero("attention.sliding_window")? {
        windows(keys, &mut config, window, 4, 0)?;
        turn_windows_only(&mut config);
    }
    Ok(config)
}
