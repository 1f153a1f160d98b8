//! llama: Llama 1 to 3.x, TinyLlama, SmolLM2, Mistral and what is stored like them (Touvron et al. 2023, arXiv:2302.13971).

use super::Family;
use crate::model::Error;
use crate::model::config::{Config, Keys, LIMIT, Rope};
use crate::ops::{Heads, rope::RopeStyle};

/// The family.
pub(super) const LLAMA: Family = Family { name: "llama", config };

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    if let Some(n) = keys.optional_count("expert_count").ok().flatten() {
        return Err(keys.value("expert_count", n, "no experts: mixtures of experts are not supported yet"));
    }
    let embedding = keys.count("embedding_length")?;
    let heads = heads(keys, embedding)?;
    Ok(Config {
        family: LLAMA.name,
        layers: keys.count("block_count")?,
        embedding,
        feed_forward: keys.count("feed_forward_length")?,
        heads,
        context: keys.count("context_length")?,
        norm_eps: keys.positive("attention.layer_norm_rms_epsilon", 1e-5)?,
        rope: rope(keys, heads.head_dim)?,
    })
}

fn heads(keys: &Keys<'_>, embedding: usize) -> Result<Heads, Error> {
    let heads = keys.count("attention.head_count")?;
    let kv_heads = keys.optional_count("attention.head_count_kv")?.unwrap_or(heads);
    if !heads.is_multiple_of(kv_heads) {
        return Err(keys.value(
            "attention.head_count_kv",
            kv_heads,
            &format!("a divisor of the {heads} query heads"),
        ));
    }
    let Some(head_dim) = keys.optional_count("attention.key_length")? else {
        if !embedding.is_multiple_of(heads) {
            return Err(keys.value(
                "attention.head_count",
                heads,
                &format!("a divisor of the {embedding} embedding values"),
            ));
        }
        return Ok(Heads { heads, kv_heads, head_dim: embedding / heads });
    };
    if heads.checked_mul(head_dim).is_none_or(|values| values > LIMIT as usize) {
        return Err(keys.value(
            "attention.key_length",
            head_dim,
            &format!("at most {LIMIT} values in all {heads} heads"),
        ));
    }
    match keys.optional_count("attention.value_length")? {
        Some(n) if n != head_dim => {
            Err(keys.value("attention.value_length", n, &format!("the key length {head_dim}")))
        }
        _ => Ok(Heads { heads, kv_heads, head_dim }),
    }
}

fn rope(keys: &Keys<'_>, head_dim: usize) -> Result<Rope, Error> {
    let dims = keys.optional_count("rope.dimension_count")?.unwrap_or(head_dim);
    if dims > head_dim || !dims.is_multiple_of(2) {
        return Err(keys.value(
            "rope.dimension_count",
            dims,
            &format!("an even number up to the head's {head_dim} values"),
        ));
    }
    let factor = match keys.text("rope.scaling.type")? {
        None => keys.positive("rope.scale_linear", 1.0)?,
        Some("none") => 1.0,
        Some("linear") => keys.positive("rope.scaling.factor", 1.0)?,
        Some(other) => {
            return Err(keys.value(
                "rope.scaling.type",
                other,
                "none or linear: others are not supported yet",
            ));
        }
    };
    let base = keys.positive("rope.freq_base", 10_000.0)?;
    Ok(Rope { style: RopeStyle::Pairs, dims, base: f64::from(base), scale: 1.0 / f64::from(factor) })
}
