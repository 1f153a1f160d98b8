//! When to stop, and why. Called by the session after each token; knows no model, tokenizer or terminal.
//!
//! # Which reason wins
//! A generation ends at the first token after which any condition holds. When several hold after the same token,
//! the reason given is the first of:
//!
//! 1. [`Reason::Eos`]: the token is an end-of-generation token. Its text is not printed.
//! 2. [`Reason::StopText`]: a stop text is complete; the one that is complete first, byte by byte (of several
//!    that end at the same byte the longest). Neither it nor what follows is printed.
//! 3. [`Reason::MaxTokens`]: as many tokens as allowed were generated. The last one is printed.
//! 4. [`Reason::Context`]: prompt and generated tokens fill the context. The last one is printed.
//! 5. [`Reason::Cancelled`]: the caller asked to stop. Looked at between tokens only.
//!
//! Text held back, because it could have become a stop text, is printed when the generation ends otherwise.

#[cfg(test)]
mod tests;
mod texts;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
pub use texts::StopTexts;

/// Why stop conditions cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A stop text has no bytes.
    #[error("stop text {}: found an empty text, expected at least one byte. Try leaving it out.", index + 1)]
    EmptyText {
        /// Which of the texts, counted from 0 (from 1 in the message).
        index: usize,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Prompt and generated tokens fill the context.
    Context {
        /// The size of the context, in tokens.
        n: usize,
    },
    /// The caller asked to stop.
    Cancelled,
}

impl Reason {
    /// The reason in one word, the same in every version: `eos`, `max_tokens`, `stop_text`, `context`, `cancelled`.
    pub fn name(&self) -> &'static str {
        match self {
            Reason::Eos { .. } => "eos",
            Reason::MaxTokens { .. } => "max_tokens",
            Reason::StopText { .. } => "stop_text",
            Reason::Context { .. } => "context",
            Reason::Cancelled => "cancelled",
        }
    }

    /// What a program may want to know besides the name: the token id, the limit, the stop text; else empty.
    pub fn detail(&self) -> String {
        match self {
            Reason::Eos { token } => token.to_string(),
            Reason::MaxTokens { n } | Reason::Context { n } => n.to_string(),
            Reason::StopText { text } => text.clone(),
            Reason::Cancelled => String::new(),
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
            Reason::Context { n } => write!(f, "context of {n} tokens full"),
            Reason::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// The conditions of one generation. By default only an end-of-generation token ends it.
///
/// Outside this crate start from [`Options::default`] and set fields: later versions add some.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Treat end-of-generation tokens like any other.
    pub ignore_eos: bool,
    /// Most tokens to generate; an end-of-generation token counts too.
    pub max_tokens: Option<usize>,
    /// Texts that end the generation where they begin.
    pub texts: Vec<String>,
    /// Most tokens that prompt and generated text may have together.
    pub context: Option<usize>,
    /// Number of tokens in the prompt, counted against [`context`](Self::context).
    pub prompt_tokens: usize,
    /// Set to `true`, from any thread, to end the generation after the current token.
    pub cancelled: Option<Arc<AtomicBool>>,
}

/// The stop conditions of one generation, and how far it has come.
///
/// Ask [`check`](Self::check) once before the first token (a limit may be 0), then give each token to
/// [`step`](Self::step), and call [`finish`](Self::finish) in the end, whatever ended it.
///
/// ```
/// use siskin::stop::{Options, Reason, Stops};
///
/// let mut options = Options::default();
/// options.max_tokens = Some(8);
/// options.texts = vec!["END".to_string()];
/// let mut stops = Stops::new(options)?;
///
/// let mut printed = Vec::new();
/// let mut reason = stops.check();
/// for (token, piece) in [(17, "one E"), (4, "N"), (99, "D two")] {
///     if reason.is_none() {
///         reason = stops.step(token, false, piece.as_bytes(), &mut printed);
///     }
/// }
/// stops.finish(&mut printed);
/// assert_eq!(printed, b"one ");
/// assert_eq!(reason, Some(Reason::StopText { text: "END".to_string() }));
/// # Ok::<(), siskin::stop::Error>(())
/// ```
#[derive(Debug)]
pub struct Stops {
    options: Options,
    texts: StopTexts,
    generated: usize,
}

impl Stops {
    /// The conditions in `options`, before the first token.
    ///
    /// # Errors
    /// When a stop text is empty.
    pub fn new(options: Options) -> Result<Stops, Error> {
        let texts = StopTexts::new(&options.texts)?;
        Ok(Stops { options, texts, generated: 0 })
    }

    /// Takes a generated token with the bytes it adds to the text, and appends to `out` what can be printed now.
    ///
    /// `is_eog` says whether it is an end-of-generation token of the model. Returns why to stop, if so. Must
    /// not be called again after that.
    pub fn step(&mut self, token: u32, is_eog: bool, piece: &[u8], out: &mut Vec<u8>) -> Option<Reason> {
        self.generated += 1;
        if is_eog && !self.options.ignore_eos {
            return Some(Reason::Eos { token });
        }
        match self.texts.push(piece, out) {
            Some(index) => Some(Reason::StopText { text: self.options.texts[index].clone() }),
            None => self.check(),
        }
    }

    /// Why no other token may be generated, judged by the limits alone and by whether the caller cancelled.
    pub fn check(&self) -> Option<Reason> {
        let Options { max_tokens, context, prompt_tokens, cancelled, .. } = &self.options;
        let length = prompt_tokens.saturating_add(self.generated);
        let is_cancelled = || cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        let max_tokens = max_tokens.filter(|n| self.generated >= *n).map(|n| Reason::MaxTokens { n });
        let context = || context.filter(|n| length >= *n).map(|n| Reason::Context { n });
        max_tokens.or_else(context).or_else(|| is_cancelled().then_some(Reason::Cancelled))
    }

    /// Ends the generation: appends the text held back to `out`. After a stop text there is none.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.texts.finish(out);
    }

    /// Number of tokens given to [`step`](Self::step).
    pub fn generated(&self) -> usize {
        self.generated
    }
}
