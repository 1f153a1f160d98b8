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
    /// Another setting is out of its range.
    #[error("{name}: found {found}, expected {expected}. {hint}.")]
    Setting {
        /// Which setting.
        name: &'static str,
        /// The value that was given.
        found: f32,
        /// What it may be.
        expected: &'static str,
        /// What to try.
        hint: &'static str,
    },
    /// A chain names a step that does not exist.
    #[error(
        "samplers: found `{found}`, expected names with `;` between them. Try some of penalties, dry, top_n_sigma, top_k, typical, top_p, min_p, xtc, temperature."
    )]
    UnknownStep {
        /// The name that was given.
        found: String,
    },
    /// A chain has a step twice.
    #[error("samplers: found `{step}` twice, expected each step once. Try without one of them.")]
    StepTwice {
        /// The step's name.
        step: &'static str,
    },
    /// A bias is NaN or +inf.
    #[error(
        "logit bias of token {token}: found {found}, expected a finite number or -inf. Try 100 to force a token, -inf to ban it."
    )]
    Bias {
        /// The token id.
        token: u32,
        /// The value that was given.
        found: f32,
    },
    /// A bias is for a token that the vocabulary does not have.
    #[error("logit bias: found token {token}, expected 0 to {}. Try `siskin tokenize` for the ids of a text.", tokens - 1)]
    BiasToken {
        /// The token id.
        token: u32,
        /// Number of tokens in the vocabulary.
        tokens: usize,
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
    /// No token that is allowed has a finite logit.
    #[error(
        "position {position}: found no allowed token with a finite logit, expected at least one. Try a grammar that leaves a token, or allows the end, at every place."
    )]
    NothingAllowed {
        /// Index of the position in the sequence.
        position: u64,
    },
    /// Bias has excluded every token.
    #[error(
        "position {position}: found no token that is not banned, expected at least one. Try fewer biases of -inf."
    )]
    NothingLeft {
        /// Index of the position in the sequence.
        position: u64,
    },
    /// The history has a token that the vocabulary does not have.
    #[error("position {position}: found token {token} in the history, expected 0 to {}. Try a sampler made for this model.", tokens - 1)]
    History {
        /// Index of the position in the sequence.
        position: u64,
        /// The token id.
        token: u32,
        /// Number of tokens in the vocabulary.
        tokens: usize,
    },
    /// What a caller's own sampler says.
    #[error("position {position}: {reason}")]
    Custom {
        /// Index of the position in the sequence.
        position: u64,
        /// What is wrong, what was expected, and what to try.
        reason: String,
    },
}

impl Error {
    /// Whether it is a setting that is wrong, not the logits of a position.
    pub fn is_setting(&self) -> bool {
        match self {
            Error::Temperature { .. }
            | Error::TopP { .. }
            | Error::MinP { .. }
            | Error::Setting { .. }
            | Error::UnknownStep { .. }
            | Error::StepTwice { .. }
            | Error::Bias { .. }
            | Error::BiasToken { .. }
            | Error::NothingLeft { .. } => true,
            Error::Vocabulary { .. }
            | Error::LogitCount { .. }
            | Error::NotANumber { .. }
            | Error::Infinite { .. }
            | Error::NothingFinite { .. }
            | Error::NothingAllowed { .. }
            | Error::History { .. }
            | Error::Custom { .. } => false,
        }
    }
}
