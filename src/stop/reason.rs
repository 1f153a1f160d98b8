//! Why a generation ended, for programs and for people.

use std::fmt;
use std::time::Duration;

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The model chose an end-of-generation token.
    Eos {
        /// The id of that token.
        token: u32,
    },
    /// As many tokens as allowed were generated.
    MaxTokens {
        /// The limit, in tokens.
        n: usize,
    },
    /// A stop text came up.
    StopText {
        /// The stop text.
        text: String,
    },
    /// The text matched a regular expression.
    Regex {
        /// The expression.
        pattern: String,
    },
    /// So many sentences are complete.
    Sentences {
        /// The limit, in sentences.
        n: usize,
    },
    /// So many lines are complete.
    Lines {
        /// The limit, in lines.
        n: usize,
    },
    /// So many paragraphs are complete.
    Paragraphs {
        /// The limit, in paragraphs.
        n: usize,
    },
    /// A JSON object or array is complete.
    Json,
    /// The chosen token, or the last few on average, had too small a probability.
    Confidence {
        /// The probability, or the mean of those in the window.
        probability: f32,
        /// What it is less than.
        limit: f32,
        /// Tokens that the mean is over; 1 for the chosen token alone.
        window: usize,
    },
    /// The distribution that the token was chosen from was too flat.
    Entropy {
        /// Its entropy, in nats.
        entropy: f32,
        /// What it is more than.
        limit: f32,
    },
    /// The last tokens are one cycle, again and again.
    Loop {
        /// Length of the cycle, in tokens.
        length: usize,
        /// How often it came, in full.
        repeats: usize,
    },
    /// The time is over.
    Time {
        /// The limit.
        limit: Duration,
    },
    /// The text has as many bytes as allowed.
    Bytes {
        /// The limit, in bytes.
        n: usize,
    },
    /// Prompt and generated tokens fill the context.
    Context {
        /// The size of the context, in tokens.
        n: usize,
    },
    /// The text satisfies its grammar, and nothing more may follow.
    Grammar,
    /// The caller asked to stop.
    Cancelled,
    /// A condition of the caller's own.
    Custom {
        /// What the condition says about it.
        text: String,
    },
}

impl Reason {
    /// The reason in one word, the same in every version: `eos`, `max_tokens`, `stop_text`, `regex`, `sentences`, `lines`, `paragraphs`,
    /// `json`, `confidence`, `entropy`, `loop`, `time`, `bytes`, `context`, `grammar`, `cancelled`, `custom`.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Eos { .. } => "eos",
            Reason::MaxTokens { .. } => "max_tokens",
            Reason::StopText { .. } => "stop_text",
            Reason::Regex { .. } => "regex",
            Reason::Sentences { .. } => "sentences",
            Reason::Lines { .. } => "lines",
            Reason::Paragraphs { .. } => "paragraphs",
            Reason::Json => "json",
            Reason::Confidence { .. } => "confidence",
            Reason::Entropy { .. } => "entropy",
            Reason::Loop { .. } => "loop",
            Reason::Time { .. } => "time",
            Reason::Bytes { .. } => "bytes",
            Reason::Context { .. } => "context",
            Reason::Grammar => "grammar",
            Reason::Cancelled => "cancelled",
            Reason::Custom { .. } => "custom",
        }
    }

    /// Whether it says nothing about the text.
    #[cfg(feature = "grammar")]
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Reason::MaxTokens { .. } | Reason::Context { .. } | Reason::Cancelled)
    }

    /// What a program may want to know besides the name: the token id, the limit (a time in seconds), the stop text or pattern, the
    /// probability or entropy found, the length of the cycle in tokens, the text of a custom condition; else empty.
    pub fn detail(&self) -> String {
        match self {
            Reason::Eos { token } => token.to_string(),
            Reason::MaxTokens { n }
            | Reason::Context { n }
            | Reason::Sentences { n }
            | Reason::Lines { n }
            | Reason::Paragraphs { n }
            | Reason::Bytes { n } => n.to_string(),
            Reason::StopText { text } | Reason::Regex { pattern: text } | Reason::Custom { text } => {
                text.clone()
            }
            Reason::Confidence { probability, .. } => probability.to_string(),
            Reason::Entropy { entropy, .. } => entropy.to_string(),
            Reason::Loop { length, .. } => length.to_string(),
            Reason::Time { limit } => limit.as_secs_f64().to_string(),
            Reason::Json | Reason::Grammar | Reason::Cancelled => String::new(),
        }
    }
}

/// A sentence part for people, as in "stopped: end-of-generation token 2".
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Eos { token } => write!(f, "end-of-generation token {token}"),
            Reason::MaxTokens { n } => write!(f, "maximum of {n} tokens reached"),
            Reason::StopText { text } => write!(f, "stop text {text:?}"),
            Reason::Regex { pattern } => write!(f, "match of {pattern:?}"),
            Reason::Sentences { n } => write!(f, "end of sentence {n}"),
            Reason::Lines { n } => write!(f, "end of line {n}"),
            Reason::Paragraphs { n } => write!(f, "end of paragraph {n}"),
            Reason::Json => f.write_str("end of the JSON value"),
            Reason::Confidence { probability, limit, window: 1 } => {
                write!(f, "token of probability {probability:.4}, below {limit}")
            }
            Reason::Confidence { probability, limit, window } => {
                write!(f, "mean probability {probability:.4} of the last {window} tokens, below {limit}")
            }
            Reason::Entropy { entropy, limit } => write!(f, "entropy of {entropy:.4} nats, above {limit}"),
            Reason::Loop { length: 1, repeats } => write!(f, "the same token {repeats} times"),
            Reason::Loop { length, repeats } => write!(f, "the same {length} tokens {repeats} times"),
            Reason::Time { limit } => write!(f, "time limit of {limit:?}"),
            Reason::Bytes { n } => write!(f, "maximum of {n} bytes reached"),
            Reason::Context { n } => write!(f, "context of {n} tokens full"),
            Reason::Grammar => f.write_str("end of what the grammar allows"),
            Reason::Cancelled => f.write_str("cancelled"),
            Reason::Custom { text } => f.write_str(text),
        }
    }
}
