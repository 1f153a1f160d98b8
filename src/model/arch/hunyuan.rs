//! Hunyuan, dense (Tencent 2025), and Maincoder: norms of queries and keys after rotary embedding.

use super::Family;
use super::common::llama_like;
use crate::model::Error;
use crate::model::config::Config;
use crate::model::keys::Keys;
use crate::ops::rope::RopeStyle;

/// Hunyuan, dense.
pub(super) const HUNYUAN_DENSE: Family = Family { name: "hunyuan-dense", config: hunyuan };
/// Maincoder.
pub(super) const MAINCODER: Family = Family { name: "maincoder", config: maincoder };

fn hunyuan(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = normalized_when_turned(keys, HUNYUAN_DENSE.name, RopeStyle::Halves)?;
    // a stretched base, where the file does not have it already
    if let Some(alpha) = keys.optional_positive("rope.scaling.alpha")? {
        let dims = config.widest_heads().head_dim as f64;
        config.ropes[0].base *= f64::from(alpha).powf(dims / (dims - 2.0));
    }
    Ok(config)
}

fn maincoder(keys: &Keys<'_>) -> Result<Config, Error> {
    normalized_when_turned(keys, MAINCODER.name, RopeStyle::Pairs)
}

fn normalized_when_turned(keys: &Keys<'_>, family: &'static str, style: RopeStyle) -> Result<Config, Error> {
    let mut config = llama_like(keys, family, style)?;
    (config.norms.heads, config.norms.heads_turned) = (true, true);
    Ok(config)
}
