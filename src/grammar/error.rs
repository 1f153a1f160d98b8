//! Why text cannot be held to a grammar.

use super::Kind;

/// Why text cannot be held to a grammar.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The grammar is none, or one that is not supported.
    #[error("{kind}: {reason}{}{hint}", separator(.reason))]
    Invalid {
        /// What it was read as.
        kind: Kind,
        /// What is wrong, in the words of the compiler; over several lines where it points into the text.
        reason: String,
        /// What to try.
        hint: &'static str,
    },
    /// A grammar in GBNF has a mistake.
    #[error("GBNF grammar, line {line}: found {found}, expected {expected}")]
    Gbnf {
        /// The line, counted from 1.
        line: usize,
        /// What is there.
        found: String,
        /// What could be.
        expected: &'static str,
    },
    /// The vocabulary has more or longer tokens than can be searched.
    #[error(
        "grammar: found a vocabulary of {tokens} tokens and {bytes} bytes, expected at most {most} of each. Try a model with a smaller one"
    )]
    Vocabulary {
        /// Its tokens.
        tokens: usize,
        /// Their bytes.
        bytes: usize,
        /// The limit for both.
        most: usize,
    },
    /// The text so far cannot go on: the grammar asks for something that no token of the vocabulary is.
    #[error(
        "grammar: found nothing that may follow after {tokens} tokens, expected at least one token. Try a grammar that some text satisfies, in \
         characters that the model can write"
    )]
    Nothing {
        /// Tokens before it.
        tokens: usize,
    },
    /// The grammar takes too much time or memory.
    #[error("grammar: {reason}, after {tokens} tokens. Try a simpler grammar")]
    Limit {
        /// Which limit.
        reason: String,
        /// Tokens before it.
        tokens: usize,
    },
    /// A token was chosen that the grammar does not allow.
    #[error(
        "grammar: token {token} was chosen, which may not follow. Try a sampler that keeps to Context::allowed"
    )]
    NotAllowed {
        /// Its id.
        token: u32,
    },
}

/// What stands between a reason and the hint: a drawing has its own lines.
fn separator(reason: &str) -> &'static str {
    if reason.contains('\n') { "\n" } else { ". " }
}
