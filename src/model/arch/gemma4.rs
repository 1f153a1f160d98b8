//! Gemma 4 (Google 2026), text: layers with a window and layers without one have heads and rotary embeddings of their own, the last layers look up keys and
//! values of earlier ones, and in the small models each layer has an embedding of its own for each token. One model has experts beside the
//! dense feed-forward part.

use super::Family;
use super::common::{head_length, rope_dims, windows};
use super::gemma::between_norms;
use crate::model::Error;
use crate::model::config::{Attention, Config, Factors, LayerConfig, Mixer, Rope, Scaling};
use crate::model::keys::{Keys, LIMIT};

/// Gemma 4.
pub(super) const GEMMA4: Family = Family { name: "gemma4", config };

/// The base of rotary embedding in layers with a window, where the file does not say.
const LOCAL_BASE: f32 = 10_000.0;

fn config(keys: &Keys<'_>) -> Result<Config, Error> {
    let mut config = between_norms(keys, GEMMA4.name)?;
    (config.norms.heads, config.norms.values) = (true, true);
    config.keys_as_values = true;
    // norms of queries and keys have taken that over
    config.scales.attention = 1.0;
    layers_with_windows(keys, &mut config)?;
    share(keys, &mut config)?;
    config.per_layer = per_layer(keys, config.layers.len())?;
    if let Some(experts) = &mut config.experts {
        (experts.beside_dense, experts.scale) = (true, 1.0);
        if config.layers.iter().any(|layer| layer.feed_forward == 0) {
            return Err(Error::MissingKey { key: keys.key("feed_forward_length") });
        }
    }
    Ok(config)
}

/// The file says which layers have a window. Divisors of rotary frequencies are for the others: they leave a part of each head as it is.
fn layers_with_windows(keys: &Keys<'_>, config: &mut Config) -> Result<(), Error> {
    const PATTERN: &str = "attention.sliding_window_pattern";
    if !keys.is_list(PATTERN) {
        return Err(Error::MissingKey { key: keys.key(PATTERN) });
    }
    let heads = config.widest_heads();
    let head_dim = head_length(keys, heads.heads, "_swa")?.unwrap_or(heads.head_dim);
    config.ropes[0].factors = Factors::Needed;
    config.ropes.push(Rope {
        dims: rope_dims(keys, "rope.dimension_count_swa", head_dim)?,
        base: f64::from(keys.positive("rope.freq_base_swa", LOCAL_BASE)?),
        scaling: Scaling::Linear { factor: 1.0 },
        factors: Factors::Others,
        ..config.ropes[0]
    });
    windows(keys, config, keys.count("attention.sliding_window")?, 1, 1)?;
    for layer in config.layers.iter_mut().filter(|layer| layer.window.is_some()) {
        if let Mixer::Attention(Attention { heads, .. }) = &mut layer.mixer {
            heads.head_dim = head_dim;
        }
    }
    Ok(())
}

/// The last layers look up what the last one of their kind before them has stored.
fn share(keys: &Keys<'_>, config: &mut Config) -> Result<(), Error> {
    const KEY: &str = "attention.shared_kv_layers";
    let (count, layers) = (keys.nonzero(KEY)?.unwrap_or(0), config.layers.len());
    let storing = layers.saturating_sub(count);
    let (sources, last) = config.layers.split_at_mut(storing);
    for layer in last {
        let heads = |layer: &LayerConfig| layer.attention().map(|attention| attention.heads);
        let is_alike = |other: &LayerConfig| other.window == layer.window && heads(other) == heads(layer);
        let Some(source) = sources.iter().rposition(is_alike) else {
            let expected = "a layer before these for each kind of layer among them";
            return Err(keys.value(KEY, count, expected));
        };
        if let Mixer::Attention(attention) = &mut layer.mixer {
            attention.shared = Some(source);
        }
    }
    Ok(())
}

/// Values that each layer has of a token for itself.
fn per_layer(keys: &Keys<'_>, layers: usize) -> Result<Option<usize>, Error> {
    const KEY: &str = "embedding_length_per_layer_input";
    let width = keys.nonzero(KEY)?;
    let is_too_wide = |width: &usize| width.checked_mul(layers).is_none_or(|all| all > LIMIT as usize);
    match width.filter(is_too_wide) {
        Some(width) => Err(keys.value(KEY, width, &format!("at most {LIMIT} values in all {layers} layers"))),
        None => Ok(width),
    }
}
