//! What a trace holds: plain records, filled by `capture`, `watch` and `beams`, shown by `table`, `jsonl`, `csv` and `page`.
//!
//! Probabilities without a further word are the model's own: the softmax over *all* logits at temperature 1, before any step of the chain.

use crate::cli::json::Stop;
use serde::Serialize;

/// A token and its text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Piece {
    /// Its id.
    pub token: u32,
    /// The text that it adds, with U+FFFD where that is not UTF-8; the spelling of a special token, which adds none.
    pub text: String,
    /// Whether it adds no text: BOS, end of turn and the like.
    #[serde(skip_serializing_if = "is_false")]
    pub special: bool,
    /// The bytes that it adds, if they are not UTF-8: a part of a character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<Vec<u8>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What is the same for every step.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// File name of the model.
    pub model: String,
    /// Its family: `general.architecture`.
    pub family: &'static str,
    /// Entries of the vocabulary.
    pub vocabulary: usize,
    /// The prompt's tokens.
    pub prompt: Vec<Piece>,
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// What a token goes through, first to last.
    pub stages: Vec<Stage>,
    /// Instruction set of the kernels.
    pub isa: &'static str,
    /// Threads that run generated tokens.
    pub threads: usize,
    /// Threads that run the prompt.
    pub prefill_threads: usize,
}

/// How tokens are chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The likeliest.
    Greedy,
    /// Drawn, after the chain.
    Sample,
    /// Beam search.
    Beams,
    /// Several drawn continuations, of which the likeliest is kept.
    BestOf,
}

/// The settings of the choice.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sampling {
    /// How.
    pub method: Method,
    /// 0 for greedy.
    pub temperature: f32,
    /// 0 for all.
    pub top_k: u32,
    /// 1 for all.
    pub top_p: f32,
    /// 0 for all.
    pub min_p: f32,
    /// The steps of the chain that run, in order.
    pub chain: Vec<Setting>,
    /// The order that `--samplers` asks for, with steps that are off.
    pub order: Vec<&'static str>,
    /// Selects the random numbers.
    pub seed: u64,
}

/// A step of the chain.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name, as in `--samplers`.
    pub name: &'static str,
    /// What it is set to, in a few words.
    pub setting: String,
}

/// A stage of the way from text to text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// Shape of what comes out for one token, or of the weights, as numbers of this model.
    pub shape: String,
    /// What happens, in a few words.
    pub detail: String,
    /// Which of the measured [`Times`] it is a part of; `None` if it is a part of none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timed_with: Option<Span>,
}

/// What is measured as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Span {
    /// Text to token ids.
    Tokenize,
    /// From token ids to vectors.
    Embedding,
    /// Attention of all layers.
    Attention,
    /// Feed-forward parts of all layers.
    FeedForward,
    /// From vectors to logits.
    Output,
    /// From logits to a token.
    Sample,
}

/// A token that could have come.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// The token.
    #[serde(flatten)]
    pub piece: Piece,
    /// Its logit.
    pub logit: f32,
    /// Its probability.
    pub probability: f32,
    /// Its probability and that of all likelier tokens.
    pub cumulative: f32,
    /// Its place among all tokens: 1 for the likeliest.
    #[serde(skip)]
    pub rank: usize,
    /// The probability with which it would be drawn, after the chain; none if it was removed, or nothing was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_with: Option<f32>,
    /// The step of the chain that removed it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed_by: Option<&'static str>,
}

/// What the model expected at one position.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// `-sum p ln p` over the whole vocabulary.
    pub entropy_nats: f32,
    /// The same in bits.
    pub entropy_bits: f32,
    /// `ln sum e^logit` over the whole vocabulary.
    pub log_sum_exp: f64,
    /// The likeliest tokens, likeliest first; of equal ones the lower id first. For the page, where some are forbidden, after these as many
    /// more as it takes for it to have as many of the likeliest that are allowed.
    pub top: Vec<Candidate>,
    /// The other tokens.
    #[serde(skip)]
    pub rest: Rest,
}

/// The tokens that are not recorded one by one, of those with a finite logit.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rest {
    /// Those that are allowed.
    pub count: usize,
    /// Those that a grammar or a stop condition forbids.
    pub forbidden: usize,
    /// `ln sum e^(beta logit)` over the allowed ones, for each of [`BETAS`](super::scores::BETAS).
    pub log_sum_exp: Vec<f64>,
}

/// The token that stands at a position.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// The token.
    #[serde(flatten)]
    pub piece: Piece,
    /// Its logit; none at the first position, which nothing predicts.
    pub logit: Option<f32>,
    /// Its probability.
    pub probability: Option<f32>,
    /// Natural logarithm of its probability.
    pub logprob: Option<f32>,
    /// Its place among all tokens: 1 for the likeliest. Of equal ones the lower id comes first.
    pub rank: Option<usize>,
    /// The probability with which it was drawn, after the chain; none if nothing was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_with: Option<f32>,
}

/// What a step of the sampler's chain left.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Filter {
    /// Its name.
    pub name: &'static str,
    /// Its setting.
    pub setting: String,
    /// Tokens that are left after it.
    pub left: usize,
    /// Those of the recorded tokens that it removed, likeliest first.
    pub removed: Vec<u32>,
    /// Those of the recorded tokens whose logit it changed, likeliest first; not told of a temperature, which divides all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<Changed>,
}

/// A token whose logit a bias or a penalty changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Changed {
    /// Its id.
    pub token: u32,
    /// Its logit now.
    pub logit: f32,
}

/// What a stop condition sees after a token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Seen {
    /// The condition: the name of its reason.
    pub name: &'static str,
    /// What it sees, in a few words.
    pub text: String,
    /// Whether it ends the generation here.
    pub met: bool,
}

/// One position.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Index of the token in the sequence.
    pub position: usize,
    /// Whether the token is one of the prompt, so that nothing was chosen.
    pub prompt: bool,
    /// The token.
    pub chosen: Chosen,
    /// What the model expected; none at the first position.
    pub distribution: Option<Distribution>,
    /// What each step of the sampler's chain left.
    pub filters: Vec<Filter>,
    /// What the stop conditions see.
    pub stops: Vec<Seen>,
    /// Bytes of text that a condition may yet remove, so that they are not printed.
    pub held_bytes: usize,
    /// Text that is now certain to be part of the answer.
    pub printed: String,
    /// Milliseconds to run the token, which the last one is not. None where tokens run in batches.
    pub pass_ms: Option<f64>,
    /// Milliseconds to choose it.
    pub sampling_ms: Option<f64>,
}

/// A node of the tree of beams: a sequence's last token, its predecessor the parent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BeamNode {
    /// Its index; parents come first.
    pub id: usize,
    /// The node before; none for the first tokens.
    pub parent: Option<usize>,
    /// The token.
    #[serde(flatten)]
    pub piece: Piece,
    /// Natural logarithm of the token's probability.
    pub logprob: f64,
    /// The same of the sequence up to here.
    pub sum: f64,
    /// Whether a continuation ends here.
    pub ends: bool,
    /// Whether it is part of the best continuation.
    pub best: bool,
}

/// One of several continuations.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Continuation {
    /// Its text, without what stop conditions cut off.
    pub text: String,
    /// Its tokens.
    pub tokens: Vec<u32>,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// What continuations are ordered by, the largest first.
    pub score: f64,
    /// Why it ended.
    pub stop: Stop,
}

/// How it ended.
#[derive(Clone, Debug, Serialize)]
pub struct End {
    /// The answer, as `generate` prints it.
    pub text: String,
    /// The stop condition.
    pub stop: Stop,
    /// What was measured.
    pub times: Times,
}

/// Measured times, in milliseconds. What recording takes is in none of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Times {
    /// From the start of the command until the prompt could be run, reading the prompt's text as tokens included.
    pub load_ms: f64,
    /// Of that, turning the text into tokens.
    pub tokenize_ms: f64,
    /// Running the prompt.
    pub prefill_ms: f64,
    /// Its tokens.
    pub prefill_tokens: usize,
    /// Choosing tokens and running them.
    pub decode_ms: f64,
    /// Those tokens.
    pub decode_tokens: usize,
    /// The median of running a generated token; none if none was run by itself.
    pub pass_median_ms: Option<f64>,
    /// The median of choosing one.
    pub sampling_median_ms: Option<f64>,
    /// What the stages of a pass took after the prompt, on average.
    pub stages_mean_ms: Option<StageMeans>,
}

/// Means over the passes after the prompt, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct StageMeans {
    /// How many passes: of several sequences side by side, one for a token of each.
    pub passes: u32,
    /// From token ids to vectors.
    pub embedding: f64,
    /// Attention of all layers.
    pub attention: f64,
    /// Feed-forward parts of all layers.
    pub feed_forward: f64,
    /// From vectors to logits.
    pub output: f64,
}

/// Everything, as the page needs it.
#[derive(Clone, Debug)]
pub struct Trace {
    /// What is the same for every step.
    pub run: Run,
    /// The positions, in order.
    pub steps: Vec<Step>,
    /// The nodes of the beam search, parents first; empty where there was none.
    pub beams: Vec<BeamNode>,
    /// Of several continuations, those that were asked for, the best first; `steps` shows the best. Empty where there is only one.
    pub continuations: Vec<Continuation>,
    /// How it ended.
    pub end: End,
}
