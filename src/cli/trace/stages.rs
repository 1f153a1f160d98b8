//! The way of a token through a model, with the shapes of that model.

use super::record::{Span, Stage};
use siskin::model::config::{Config, LayerConfig, Mixer};
use siskin::model::weights::Matrix;
use siskin::model::{Model, Weights};

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
    let is_attention = |layer: &LayerConfig| layer.mixer == Mixer::Attention;
    if config.layers.iter().all(is_attention) { "attention" } else { "attention and others" }
}

/// What mixes tokens, with how many layers of each.
fn mixers(config: &Config) -> String {
    let count = |is: fn(&LayerConfig) -> bool| config.layers.iter().filter(|layer| is(layer)).count();
    let heads = config.heads;
    let attention =
        format!("{} query and {} key-value heads of {}", heads.heads, heads.kv_heads, heads.head_dim);
    let mixers = [
        (count(|layer| layer.mixer == Mixer::Attention), attention),
        (count(|layer| matches!(layer.mixer, Mixer::ShortConv(_))), "a short convolution".to_owned()),
        (count(|layer| matches!(layer.mixer, Mixer::DeltaNet(_))), "a gated delta net".to_owned()),
    ];
    let used = mixers.iter().filter(|(n, _)| *n > 0);
    used.map(|(n, what)| format!("{} of {what}", layers(*n))).collect::<Vec<_>>().join("; ")
}

fn feed_forward(config: &Config) -> String {
    let all = config.layers.len();
    let dense = config.experts.map_or(all, |_| config.layers.iter().filter(|layer| layer.dense).count());
    let experts = config.experts.map_or(String::new(), |experts| {
        format!("{} of {} experts of {} values", experts.used, experts.count, experts.feed_forward)
    });
    let parts = [(dense, format!("{} values", config.feed_forward)), (all - dense, experts)];
    let used = parts.iter().filter(|(n, _)| *n > 0);
    used.map(|(n, what)| format!("{} of {what}", layers(*n))).collect::<Vec<_>>().join("; ")
}

fn layers(count: usize) -> String {
    if count == 1 { "1 layer".to_owned() } else { format!("{count} layers") }
}
