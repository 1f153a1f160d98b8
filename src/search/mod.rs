//! Several continuations of one prompt at once: beam search, and independent samples of which the best are kept.
//!
//! The prompt is run once, and its keys and values are there once. Every pass runs a token of each continuation, so that the weights are read
//! once for all of them. Called by whoever has a [`Session`] with room for branches ([`crate::session::Options::branches`]).

mod beam;
mod branches;
mod samples;
mod track;
mod tree;

pub use beam::{Beams, EarlyStopping};
pub use branches::{beams, samples};
pub(crate) use samples::Sample;
pub(crate) use track::Track;
pub use tree::Node;

use crate::session::Session;
use crate::stop::Reason;
use crate::tokenizer::TokenId;

/// A continuation that has come to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Its tokens, with the one that ended it.
    pub tokens: Vec<TokenId>,
    /// Its text, without what stop conditions cut off.
    pub text: String,
    /// Natural logarithm of its probability: the sum over its tokens, by the softmax over all logits.
    pub logprob: f64,
    /// What continuations are ordered by, the largest first: `logprob / tokens^length_penalty`.
    pub score: f64,
    /// Why it ended.
    pub reason: Reason,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The best first.
    pub continuations: Vec<Continuation>,
    /// Every token that was kept on the way, as a tree: a node comes after its parent. Only of beams that are to have one ([`Beams::tree`]).
    pub tree: Vec<Node>,
}

/// `logprob / len^penalty`, the score of a sequence of `len` tokens (Wu et al. 2016, arXiv:1609.08144, in the simpler form that Hugging Face
/// transformers uses). Above 0 the penalty favours long sequences, because logarithms are negative; at 0 it is the sum itself.
fn score(logprob: f64, len: usize, penalty: f32) -> f64 {
    logprob / (len as f64).powf(f64::from(penalty))
}
