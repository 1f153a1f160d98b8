//! GLM-4-0414 and GLM-Z1 (Zhipu AI 2025): norms after each part too, and rotary embedding of half of each head.

use super::Family;
use super::common::{leave_draft_blocks, llama_like};
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// GLM-4 (text).
pub(super) const GLM4: Family = Family { name: "glm4", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    const SECTIONS: &str = "rope.dimension_sections";
    let mut config = llama_like(keys, GLM4.name, RopeStyle::Pairs)?;
    config.norms.after = true;
    leave_draft_blocks(keys, &mut config)?;
    let sections = keys.integers(SECTIONS)?.unwrap_or_default();
    if sections.iter().any(|&section| section != 0) {
        // files of models that see pictures have their rows in another order
        return Err(keys.value(SECTIONS, format!("{sections:?}"), "none: a model of text alone"));
    }
    Ok(config)
}
