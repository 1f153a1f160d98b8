//! Several continuations of one prompt at once: beam search, and independent samples of which the best are kept.
//!
//! The prompt is run once, and its keys and values are there once. Every pass runs a token of each continuation, so that the weights are read
//! once for all of them. Called by whoever has a [`Session`] with room for branches ([`crate::session::Options::branches`]).
//!
//! # Memory
//! A search takes what the plan of its session says ([`Session::plan`]) at the beginning, and what it returns at the end; in between
//! nothing, whatever its length. Texts are not kept on the way: they are made of the tokens of those continuations that are returned. Not in the plan are
//! the [tree](Beams::tree) of beams, what a grammar keeps for each continuation, what a stop condition of the caller's owns without telling
//! ([`Condition::owned_bytes`](crate::stop::Condition::owned_bytes)) or takes on the way, and, for a moment, the words of a [`Reason`] that a
//! continuation ends with which is not returned.

mod beam;
mod branches;
mod following;
mod tree;

pub use beam::{Beams, EarlyStopping};
pub use branches::{beams, samples};
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

impl Found {
    /// One continuation without tokens.
    fn nothing(reason: Reason) -> Found {
        let none = Continuation { tokens: Vec::new(), text: String::new(), logprob: 0.0, score: 0.0, reason };
        Found { continuations: vec![none], tree: Vec::new() }
    }
}

/// `logprob / len^penalty`, the score of a sequence of `len` tokens (Wu et al. 2016, arXiv:1609.08144, in the simpler form that Hugging Face
/// transformers uses). Above 0 the penalty favours long sequences, because logarithms are negative; at 0 it is the sum itself.
fn score(logprob: f64, len: usize, penalty: f32) -> f64 {
    logprob / (len as f64).powf(f64::from(penalty))
}
