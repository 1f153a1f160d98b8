//! What can be wrong with a session.

use crate::kv::HeadSize;
use crate::machine::Size;
use crate::tokenizer::TokenId;
use crate::{sample, stop};
use std::io;

/// Why a session cannot be started or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to continue.
    #[error("the prompt is empty: 0 tokens, expected at least 1. Try a few words")]
    EmptyPrompt,
    /// The prompt has more tokens than the context. Nothing is ever cut off silently.
    #[error("the prompt has {tokens} tokens, more than the context of {context}. Try a shorter prompt{hint}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of the context.
        context: usize,
        /// What else to try.
        hint: &'static str,
    },
    /// A token id that the vocabulary does not have.
    #[error("token id {token} is out of range: the vocabulary has {vocabulary} tokens, 0 to {}", vocabulary - 1)]
    TokenRange {
        /// The id.
        token: TokenId,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// It is not the prompt that was announced.
    #[error(
        "found a prompt of {tokens} tokens, expected the one of {expected} that the session was made for or resumed with, which begins with the {run} that were run. Try Session::resume first"
    )]
    OtherPrompt {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of the one that the session was made for or resumed with; 0 if there was none yet.
        expected: usize,
        /// Tokens that were run.
        run: usize,
    },
    /// A session for several continuations generates none by itself.
    #[error(
        "found a step of a session that was made for {branches} continuations at once, expected a search. Try search::beams or search::samples, or Options::branches of 0"
    )]
    OnlySearches {
        /// Continuations that there is room for.
        branches: usize,
    },
    /// There are no logits to choose from.
    #[error(
        "no token can be chosen: found a prompt that was not run, expected logits. Try Session::prefill first"
    )]
    NotPrefilled,
    /// The tokenizer and the weights are not of one model.
    #[error(
        "the tokenizer has {tokens} tokens, but the model's vocabulary has {vocabulary}. The file is inconsistent"
    )]
    Vocabulary {
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// Keys and values cannot be stored in this way.
    #[error(transparent)]
    KvType(#[from] HeadSize),
    /// No machine has this much memory.
    #[error("a context of {positions} tokens needs more memory than can be addressed. Try a smaller one")]
    TooLarge {
        /// Positions asked for.
        positions: usize,
    },
    /// The system has not that much.
    #[error(
        "a context of {positions} tokens needs {} of memory, which the system refuses. Try a smaller context, or a higher limit (ulimit -v)",
        Size(*needed as u64)
    )]
    Memory {
        /// Positions of the longest sequence.
        positions: usize,
        /// Bytes that the session takes.
        needed: usize,
    },
    /// A search follows more continuations than there is room for.
    #[error(
        "found {found} continuations at once, expected 1 to {room}, which this session has room for. Try Options::branches"
    )]
    Branches {
        /// Continuations asked for.
        found: usize,
        /// Branches of the plan.
        room: usize,
    },
    /// Continuations cannot be ordered by such scores.
    #[error("length penalty: found {found}, expected a finite number. Try 1")]
    LengthPenalty {
        /// The penalty.
        found: f32,
    },
    /// Text cannot go on in the window.
    #[error(transparent)]
    Window(#[from] super::WindowError),
    /// The logits could not be handed on.
    #[error("logits: {0}")]
    Sink(#[from] io::Error),
    /// Sampling options that make no sense, or logits that no token can be chosen from.
    #[error(transparent)]
    Sample(#[from] sample::Error),
    /// A grammar that is none, or that the text cannot be held to.
    #[cfg(feature = "grammar")]
    #[error(transparent)]
    Grammar(#[from] crate::grammar::Error),
    /// Stop conditions that make no sense.
    #[error(transparent)]
    Stop(#[from] stop::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let text = Error::Memory { positions: 303, needed: 28_559_990 }.to_string();
        assert!(text.contains("a context of 303 tokens needs 27.2 MiB of memory"), "{text}");
    }
}
