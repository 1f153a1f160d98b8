//! Why stop conditions cannot be used; made when they are.

/// Why stop conditions cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stop text has no bytes.
    #[error("stop text {}: found an empty text, expected at least one byte. Try leaving it out.", index + 1)]
    EmptyText {
        /// Which of the texts, counted from 0 (from 1 in the message).
        index: usize,
    },
    /// Something that is counted would have to be there before the first token.
    #[error("stop after {what}: found 0, expected at least 1. Try 1, or leave it out.")]
    Zero {
        /// What is counted, such as `sentences`.
        what: &'static str,
    },
    /// A probability that tokens are compared with is none, or can never be undercut.
    #[error("stop below a probability: found {found}, expected more than 0 and at most 1. Try 0.1.")]
    Probability {
        /// The number given.
        found: f32,
    },
    /// An entropy that tokens are compared with is not a finite number of nats, or below 0.
    #[error("stop above an entropy: found {found} nats, expected a finite number from 0. Try 4.")]
    Entropy {
        /// The number given.
        found: f32,
    },
    /// A cycle that need not even come twice is none.
    #[error("stop at a loop: found {found}, expected at least 2 repeats. Try 4.")]
    Repeats {
        /// The number given.
        found: usize,
    },
    /// The least number of tokens is larger than the most.
    #[error(
        "minimum of {min} tokens: found a maximum of {max}, expected no less than the minimum. Try a larger maximum."
    )]
    Minimum {
        /// The least number of tokens.
        min: usize,
        /// The most.
        max: usize,
    },
    /// A pattern is not a regular expression, or a very large one.
    #[error("stop regex {pattern:?}: {reason}. {hint}.")]
    Regex {
        /// The pattern.
        pattern: String,
        /// What is wrong, over several lines where it points into the pattern.
        reason: String,
        /// What to try.
        hint: &'static str,
    },
    /// A pattern matches the empty text, which is everywhere.
    #[error(
        "stop regex {pattern:?}: found a pattern that matches the empty text, expected one that needs a character. Try + instead of *."
    )]
    EmptyMatch {
        /// The pattern.
        pattern: String,
    },
    /// A pattern can never match: it asks for the end of a text that has none yet, or for a character of an empty set.
    #[error(
        "stop regex {pattern:?}: found a pattern that never matches, expected one that can. Try (?m) for $ at line ends."
    )]
    NoMatch {
        /// The pattern.
        pattern: String,
    },
}
