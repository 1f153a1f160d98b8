//! What most families share: a decoder in the manner of Llama, from the keys that all of them use. A family changes what differs.

use crate::model::Error;
use crate::model::config::{
    Attention, Config, Experts, Factors, LayerConfig, Mixer, Norms, Rope, Scales, Scaling, Weighting,
};
use crate::model::keys::{Keys, LIMIT};
use crate::ops::Heads;
use crate::ops::rope::RopeStyle;
use crate::ops::rows::NormKind;
use siskin_simd::{Activation, Gate};

/// Turns within the original context above which YaRN keeps a frequency, and below which it divides it, where the file does not say.
const YARN_TURNS: (f32, f32) = (32.0, 1.0);

/// Root mean square norms before both parts, rotary embedding in every layer, SwiGLU, or experts of it.
pub(super) fn llama_like(keys: &Keys<'_>, family: &'static str, style: RopeStyle) -> Result<Config, Error> {
    let embedding = keys.count("embedding_length")?;
    let layers = keys.layers()?;
    let heads = heads(keys, embedding, layers)?;
    let context = keys.count("context_length")?;
    let experts = experts(keys)?;
    let feed_forward = feed_forward(keys, layers, experts.is_some())?;
    let eps = keys.positive("attention.layer_norm_rms_epsilon", 1e-5)?;
    let head_dim = heads[0].head_dim;
    let layer = |(heads, feed_forward)| {
        let mixer = Mixer::Attention(Attention { heads, shared: None });
        let activation = Activation::Gelu;
        LayerConfig { window: None, rope: Some(0), mixer, feed_forward, dense: false, activation }
    };
    Ok(Config {
        family,
        layers: heads.into_iter().zip(feed_forward).map(layer).collect(),
        embedding,
        context,
        norms: Norms {
            kind: NormKind::Rms,
            eps,
            before: true,
            after: false,
            heads: false,
            values: false,
            heads_turned: false,
            weights: true,
            feed_forward_name: "ffn_norm",
            output_name: "output_norm",
        },
        ropes: vec![rope(keys, style, head_dim, context)?],
        gate: Some(Gate::Silu),
        scales: Scales {
            embedding: 1.0,
            attention: 1.0 / (head_dim as f32).sqrt(),
            residual: 1.0,
            logits: 1.0,
        },
        attention_cap: None,
        logits_cap: None,
        temperature: None,
        parallel: false,
        position_embedding: false,
        output_gate: false,
        draft_blocks: 0,
        keys_as_values: false,
        experts,
        per_layer: None,
    })
}

/// Takes the blocks that only guess further tokens out of the layers.
pub(super) fn leave_draft_blocks(keys: &Keys<'_>, config: &mut Config) -> Result<(), Error> {
    const KEY: &str = "nextn_predict_layers";
    let (draft, blocks) = (keys.nonzero(KEY)?.unwrap_or(0), config.layers.len());
    if draft >= blocks {
        return Err(keys.value(KEY, draft, &format!("fewer than the {blocks} blocks")));
    }
    config.draft_blocks = draft;
    config.layers.truncate(blocks - draft);
    Ok(())
}

/// The norms of the family, with the key of layer normalization.
pub(super) fn layer_norms(keys: &Keys<'_>, norms: Norms) -> Result<Norms, Error> {
    Ok(Norms { kind: NormKind::Layer, eps: keys.positive("attention.layer_norm_epsilon", 1e-5)?, ..norms })
}

/// The heads of each layer; of one without key-value heads, which has no attention, those of the first that has.
fn heads(keys: &Keys<'_>, embedding: usize, layers: usize) -> Result<Vec<Heads>, Error> {
    const KEY: &str = "attention.head_count_kv";
    let heads = keys.count("attention.head_count")?;
    let head_dim = head_dim(keys, embedding, heads)?;
    let counts = keys.counts_of_layers(KEY, layers)?.unwrap_or_else(|| vec![heads; layers]);
    let first = counts.iter().find(|&&count| count > 0).copied();
    let first = first.ok_or_else(|| keys.value(KEY, 0, "a layer with attention"))?;
    let of = |count| Heads { heads, kv_heads: if count > 0 { count } else { first }, head_dim };
    let all: Vec<Heads> = counts.into_iter().map(of).collect();
    match all.iter().find(|heads| !heads.heads.is_multiple_of(heads.kv_heads)) {
        Some(Heads { kv_heads, .. }) => {
            Err(keys.value(KEY, kv_heads, &format!("a divisor of the {heads} query heads")))
        }
        None => Ok(all),
    }
}

/// Values of a head, where the layers do not differ.
fn head_dim(keys: &Keys<'_>, embedding: usize, heads: usize) -> Result<usize, Error> {
    match head_length(keys, heads, "")? {
        Some(length) => Ok(length),
        None if embedding.is_multiple_of(heads) => Ok(embedding / heads),
        None => {
            let expected = format!("a divisor of the {embedding} embedding values");
            Err(keys.value("attention.head_count", heads, &expected))
        }
    }
}

/// Values of a head as the keys with this ending say, if they do.
pub(super) fn head_length(keys: &Keys<'_>, heads: usize, ending: &str) -> Result<Option<usize>, Error> {
    let [key, value] = ["key", "value"].map(|of| format!("attention.{of}_length{ending}"));
    let Some(length) = keys.optional_count(&key)? else { return Ok(None) };
    if heads.checked_mul(length).is_none_or(|values| values > LIMIT as usize) {
        let expected = format!("at most {LIMIT} values in all {heads} heads");
        return Err(keys.value(&key, length, &expected));
    }
    match keys.optional_count(&value)? {
        Some(n) if n != length => Err(keys.value(&value, n, &format!("the key length {length}"))),
        _ => Ok(Some(length)),
    }
}

/// The width of the dense feed-forward part in each layer; 0 where the file does not say and experts take its place.
fn feed_forward(keys: &Keys<'_>, layers: usize, has_experts: bool) -> Result<Vec<usize>, Error> {
    const KEY: &str = "feed_forward_length";
    match keys.counts_of_layers(KEY, layers)? {
        None if has_experts => Ok(vec![0; layers]),
        None => Err(Error::MissingKey { key: keys.key(KEY) }),
        Some(widths) if !has_experts && widths.contains(&0) => {
            Err(keys.value(KEY, 0, "a feed-forward part in every layer"))
        }
        Some(widths) => Ok(widths),
    }
}

/// Values of a head that are turned, as a key says.
pub(super) fn rope_dims(keys: &Keys<'_>, name: &str, head_dim: usize) -> Result<usize, Error> {
    let dims = keys.optional_count(name)?.unwrap_or(head_dim);
    if dims > head_dim || !dims.is_multiple_of(2) {
        let expected = format!("an even number up to the head's {head_dim} values");
        return Err(keys.value(name, dims, &expected));
    }
    Ok(dims)
}

fn rope(keys: &Keys<'_>, style: RopeStyle, head_dim: usize, context: usize) -> Result<Rope, Error> {
    let dims = rope_dims(keys, "rope.dimension_count", head_dim)?;
    let original_context = keys.nonzero("rope.scaling.original_context_length")?.unwrap_or(context);
    let magnitude = keys.optional_positive("rope.scaling.attn_factor")?.unwrap_or(1.0);
    Ok(Rope {
        style,
        dims,
        base: f64::from(keys.positive("rope.freq_base", 10_000.0)?),
        scaling: scaling(keys)?,
        magnitude: f64::from(magnitude),
        original_context,
        factors: Factors::Found,
    })
}

fn scaling(keys: &Keys<'_>) -> Result<Scaling, Error> {
    let factor = match keys.optional_positive("rope.scaling.factor")? {
        Some(factor) => f64::from(factor),
        None => keys.optional_positive("rope.scale_linear")?.map_or(1.0, f64::from),
    };
    match keys.text("rope.scaling.type")? {
        // the factors of LongRoPE are tensors, which hold all of its scaling
        Some("none") => Ok(Scaling::Linear { factor: 1.0 }),
        None | Some("linear" | "longrope") => Ok(Scaling::Linear { factor }),
        Some("yarn") => Ok(Scaling::Yarn {
            factor,
            fast: f64::from(keys.positive("rope.scaling.yarn_beta_fast", YARN_TURNS.0)?),
            slow: f64::from(keys.positive("rope.scaling.yarn_beta_slow", YARN_TURNS.1)?),
            log_multiplier: keys
                .optional_positive("rope.scaling.yarn_log_multiplier")?
                .map_or(0.0, f64::from),
        }),
        Some(other) => Err(keys.value("rope.scaling.type", other, "none, linear, yarn or longrope")),
    }
}

/// The mixture of experts that the keys describe, its weights adding up to 1 as in most families.
fn experts(keys: &Keys<'_>) -> Result<Option<Experts>, Error> {
    let Some(count) = keys.nonzero("expert_count")? else { return Ok(None) };
    let used = keys.count("expert_used_count")?;
    if used > count {
        return Err(keys.value("expert_used_count", used, &format!("at most the {count} experts")));
    }
    let feed_forward = match keys.nonzero("expert_feed_forward_length")? {
        Some(length) => length,
        None => keys.count("feed_forward_length")?,
    };
    Ok(Some(Experts {
        count,
        used,
        feed_forward,
        shared: keys.nonzero("expert_shared_feed_forward_length")?,
        weighting: Weighting::SoftmaxOfChosen,
        scale: keys.optional_positive("expert_weights_scale")?.unwrap_or(1.0),
        beside_dense: false,
        groups: None,
    }))
}

/// The experts of a family that is a mixture.
pub(super) fn need_experts<'c>(keys: &Keys<'_>, config: &'c mut Config) -> Result<&'c mut Experts, Error> {
    config.experts.as_mut().ok_or_else(|| Error::MissingKey { key: keys.key("expert_count") })
}

/// How scores of a router become weights, as the file says; these are divided by their sum if that is asked for.
pub(super) fn weighting(keys: &Keys<'_>, divided: bool) -> Result<Weighting, Error> {
    const KEY: &str = "expert_gating_func";
    match (keys.nonzero(KEY)?.unwrap_or(1), divided) {
        (1, false) => Ok(Weighting::Softmax),
        (1, true) => Ok(Weighting::SoftmaxOfChosen),
        (2, false) => Ok(Weighting::Sigmoid),
        (2, true) => Ok(Weighting::SigmoidOfChosen),
        (other, _) => Err(keys.value(KEY, other, "1 (softmax) or 2 (sigmoid)")),
    }
}

/// Lets the first layers, as many as the file says, have a dense feed-forward part instead of experts.
pub(super) fn leading_dense(keys: &Keys<'_>, config: &mut Config) -> Result<(), Error> {
    let count = keys.nonzero("leading_dense_block_count")?.unwrap_or(0);
    if count > 0 {
        keys.count("feed_forward_length")?;
    }
    config.layers.iter_mut().take(count).for_each(|layer| layer.dense = true);
    Ok(())
}

/// The activation of every layer, in place of a gate.
pub(super) fn activate(config: &mut Config, activation: Activation) {
    config.gate = None;
    config.layers.iter_mut().for_each(|layer| layer.activation = activation);
}

/// Lets layers without a window have no rotary embedding.
pub(super) fn turn_windows_only(config: &mut Config) {
    config.layers.iter_mut().filter(|layer| layer.window.is_none()).for_each(|layer| layer.rope = None);
}

/// Gives a window to all layers but every `pattern`-th (unless the file has another pattern, or a list), and the rotary embedding `rope` to
/// those that have one.
pub(super) fn windows(
    keys: &Keys<'_>,
    config: &mut Config,
    window: usize,
    pattern: usize,
    rope: usize,
) -> Result<(), Error> {
    const KEY: &str = "attention.sliding_window_pattern";
    let count = config.layers.len();
    let windowed: Vec<bool> = if keys.is_list(KEY) {
        keys.integers(KEY)?.unwrap_or_default().into_iter().map(|flag| flag != 0).collect()
    } else {
        let pattern = keys.optional_count(KEY)?.unwrap_or(pattern);
        (0..count).map(|layer| layer % pattern < pattern - 1).collect()
    };
    if windowed.len() < count {
        return Err(keys.value(
            KEY,
            format!("a list of {}", windowed.len()),
            &format!("one for each of {count} layers"),
        ));
    }
    for (layer, windowed) in config.layers.iter_mut().zip(windowed) {
        if windowed {
            *layer = LayerConfig { window: Some(window), rope: Some(rope), ..*layer };
        }
    }
    Ok(())
}
