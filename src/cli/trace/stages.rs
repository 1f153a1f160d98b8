//! The way of a token through a model, with the shapes of that model.

use super::record::{Span, Stage};
use crate::cli::report::many;
use siskin::model::config::{Attention, Config, LayerConfig, Mixer};
use siskin::model::weights::Matrix;
use siskin::model::{Model, Weights};
use siskin::ops::Heads;

/// The stages of a run with a prompt of so many tokens, first to last.
pub fn stages(model: &Model, prompt: usize, sampler: &str, stops: &str) -> Vec<Stage> {
    let (config, weights) = (model.config(), model.weights());
    let (embedding, vocabulary) = (config.embedding, weights.vocabulary());
    let values = format!("{embedding} values a token");
    let stage = |name, shape: String, detail: String, timed_with| Stage { name, shape, detail, timed_with };
    vec![
        stage("tokens", format!("{prompt} ids"), "text to token ids".into(), Some(Span::Tokenize)),
        stage(
            "embedding",
            size(&weights.token_embedding),
            "a row of it for each token".into(),
            Some(Span::Embedding),
        ),
        stage(mixer_name(config), values.clone(), mixers(config), Some(Span::Attention)),
        stage("feed-forward", values.clone(), feed_forward(config), Some(Span::FeedForward)),
        stage("output projection", size(weights.output()), projection(weights), Some(Span::Output)),
        stage("logits", format!("{vocabulary} values"), "one for each token of the vocabulary".into(), None),
        stage("samplers", format!("{vocabulary} to 1"), sampler.to_owned(), Some(Span::Sample)),
        stage("token", "1 id".into(), "goes back in as the next input".into(), None),
        stage("stop conditions", "go on or end".into(), stops.to_owned(), None),
    ]
}

/// `rows x columns` and the format.
fn size(matrix: &Matrix) -> String {
    let view = matrix.view();
    format!("{} x {}, {}", view.rows(), view.cols(), view.format().name())
}

fn projection(weights: &Weights) -> String {
    let own = if weights.output.is_some() { "a matrix of its own" } else { "the embedding once more" };
    format!("the last norm, then {own}")
}

fn mixer_name(config: &Config) -> &'static str {
    if config.layers.iter().all(|layer| layer.attention().is_some()) {
        "attention"
    } else {
        "attention and others"
    }
}

/// What mixes tokens, with how many layers of each.
fn mixers(config: &Config) -> String {
    let name = |layer: &LayerConfig| match layer.mixer {
        Mixer::Attention(Attention { heads, shared }) => {
            let Heads { heads, kv_heads, head_dim } = heads;
            let whose = if shared.is_some() { "another layer's " } else { "" };
            format!("{heads} query and {whose}{kv_heads} key-value heads of {head_dim}")
        }
        Mixer::ShortConv(_) => "a short convolution".to_owned(),
        Mixer::DeltaNet(_) => "a gated delta net".to_owned(),
    };
    kinds(config.layers.iter().map(name))
}

/// How many layers are of each kind, in the order in which they come first.
fn kinds(names: impl Iterator<Item = String>) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for name in names {
        match kinds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => kinds.push((name, 1)),
        }
    }
    kinds
        .iter()
        .map(|(name, count)| format!("{} of {name}", many(*count, "layer")))
        .collect::<Vec<_>>()
        .join("; ")
}

fn feed_forward(config: &Config) -> String {
    let experts = config.experts.map_or(String::new(), |experts| {
        format!("{} of {} experts of {} values", experts.used, experts.count, experts.feed_forward)
    });
    kinds(config.layers.iter().map(|layer| {
        let dense = format!("{} values", layer.feed_forward);
        match config.experts {
            Some(of) if of.beside_dense => format!("{dense} and {experts}"),
            Some(_) if !layer.dense => experts.clone(),
            _ => dense,
        }
    }))
}
