//! The way of a token through a model, with the shapes of that model.

use super::record::{Span, Stage};
use siskin::model::config::{Config, LayerConfig, Mixer};
use siskin::model::weights::Matrix;
use siskin::model::{Model, Weights};

/// The stages of a run with a prompt of so many tokens, first to last.
pub fn stages(model: &Model, prompt: usize, sampler: &str, stops: &str) -> Vec<Stage> {
    let (config, weights) = (model.config(), model.weights());
    let (embedding, vocabulary) = (config.embedding, weights.vocabulary());
    let stage = |name, shape: String, detail: String, timed_with| Stage { name, shape, detail, timed_with };
    let pass = Some(Span::Pass);
    vec![
        stage("tokens", format!("{prompt} ids"), "text to token ids".into(), Some(Span::Tokenize)),
        stage("embedding", size(&weights.token_embedding), "a row of it for each token".into(), pass),
        stage(layer_name(config), format!("{} values a token", embedding), layers(config), pass),
        stage("norm", format!("{embedding} values"), "before the projection".into(), pass),
        stage("output projection", size(weights.output()), projection(weights), pass),
        stage("logits", format!("{vocabulary} values"), "one for each token of the vocabulary".into(), pass),
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
    own.to_owned()
}

fn layer_name(config: &Config) -> &'static str {
    if config.layers.len() == 1 { "layer" } else { "layers" }
}

/// What the layers consist of.
fn layers(config: &Config) -> String {
    let count = |is: fn(&LayerConfig) -> bool| config.layers.iter().filter(|layer| is(layer)).count();
    let heads = config.heads;
    let mixers = [
        (
            count(|layer| layer.mixer == Mixer::Attention),
            format!(
                "attention ({} query and {} key-value heads of {})",
                heads.heads, heads.kv_heads, heads.head_dim
            ),
        ),
        (count(|layer| matches!(layer.mixer, Mixer::ShortConv(_))), "short convolution".to_owned()),
        (count(|layer| matches!(layer.mixer, Mixer::DeltaNet(_))), "gated delta net".to_owned()),
    ];
    let mut parts: Vec<String> =
        mixers.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} x {what}")).collect();
    parts.push(match config.experts {
        Some(experts) => {
            format!("{} of {} experts of {} values", experts.used, experts.count, experts.feed_forward)
        }
        None => format!("feed-forward of {} values", config.feed_forward),
    });
    parts.join("; ")
}
