//! What can be wrong with sampling options or with the logits of one position.

/// Why a sampler cannot be built, or why no token can be chosen.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The temperature is negative, infinite or NaN.
    #[error("temperature: found {found}, expected a finite number of at least 0. Try 0 (greedy) or 0.8.")]
    Temperature {
        /// The value that was given.
        found: f32,
    },
    /// top-p lies outside `(0, 1]`.
    #[error("top-p: found {found}, expected a number above 0 and at most 1. Try 0.95, or 1 to turn it off.")]
    TopP {
        /// The value that was given.
        found: f32,
    },
    /// min-p lies outside `[0, 1)`.
    #[error(
        "min-p: found {found}, expected a number of at least 0 and below 1. Try 0.05, or 0 to turn it off."
    )]
    MinP {
        /// The value that was given.
        found: f32,
    },
    /// The vocabulary is empty, or larger than a token id can count.
    #[error("vocabulary: found {found} tokens, expected 1 to 4294967295. Try a complete model file.")]
    Vocabulary {
        /// The number of tokens that was given.
        found: usize,
    },
    /// The logits are not one per token of the vocabulary.
    #[error(
        "position {position}: found {found} logits, expected {expected}, one per token. Try a sampler made for this model."
    )]
    LogitCount {
        /// Index of the position in the sequence.
        position: u64,
        /// Number of logits given.
        found: usize,
        /// Number of tokens in the vocabulary.
        expected: usize,
    },
    /// A logit is NaN.
    #[error(
        "position {position}: the logit of token {token} is NaN, expected a number. Try another copy of the model file: its weights may be damaged."
    )]
    NotANumber {
        /// Index of the position in the sequence.
        position: u64,
        /// The lowest token id whose logit is unusable.
        token: u32,
    },
    /// A logit is positive infinity.
    #[error(
        "position {position}: the logit of token {token} is +inf, expected a finite number or -inf. Try a model file with another quantization: an activation overflowed."
    )]
    Infinite {
        /// Index of the position in the sequence.
        position: u64,
        /// The lowest token id whose logit is unusable.
        token: u32,
    },
    /// Every logit is negative infinity: every token is excluded.
    #[error(
        "position {position}: all {tokens} logits are -inf, expected at least one finite. Try allowing more tokens, or another copy of the model file."
    )]
    NothingFinite {
        /// Index of the position in the sequence.
        position: u64,
        /// Number of tokens in the vocabulary.
        tokens: usize,
    },
}
