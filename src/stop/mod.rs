//! When to stop, and why. Called by the session after each token; knows no model, tokenizer or terminal.
//!
//! | condition | stops | removes (printed by [`Rules::keep_stop`]) |
//! |---|---|---|
//! | end of generation | at such a token | the token's text, always |
//! | [`StopTexts`] | when one of some texts is complete | the text |
//! | `Regexes` (feature `regex`) | when a regular expression matches | the match |
//! | [`Json`] | behind the first JSON object or array | |
//! | [`Sentences`] | behind `n` sentences | |
//! | [`Paragraphs`], [`Lines`] | behind `n` of them | the last line end, and the blank line |
//! | [`Bytes`] | before more than `n` bytes, between characters | |
//! | [`Below`], [`BelowMean`], [`Entropy`] | where the model is unsure | the token |
//! | [`Repetition`] | when the last tokens are one cycle again and again | |
//! | [`TimeLimit`] | after a time | |
//! | a [`Condition`] of the caller's, [`when`], [`any`], [`all`] | | what it says |
//! | most tokens, context, cancelled | at a limit, or when asked to | |
//!
//! What follows the place where the text ends is never printed.
//!
//! # Which reason wins
//! A generation ends at the first token after which any condition holds. When several hold after the same token:
//!
//! 1. [`Reason::Eos`] wins: there is no text in such a token.
//! 2. Then the condition that is complete at the earliest byte of the text, so that it does not matter how text is cut into tokens. A
//!    condition that judges the token as a whole is complete at its last byte.
//! 3. Of those at the same byte, the one that removes most.
//! 4. Of those, the first of the table above; the caller's own in the order given.
//! 5. [`Reason::Grammar`], when the text satisfies its grammar and nothing may follow; even before the fewest tokens.
//! 6. [`Reason::MaxTokens`], [`Reason::Context`], [`Reason::Cancelled`], in this order, when nothing else holds. The last token is
//!    printed. Between tokens [`Reason::Time`] comes last.
//!
//! # Fewest tokens
//! While there are fewer tokens than [`Rules::min_tokens`], only the context and the caller end the generation. Conditions go on counting:
//! after the third sentence of two that were asked for, say, the generation ends. What was found is not found again: a stop text
//! that was complete too early is printed. [`Stops::forbids_eog`] says that no end-of-generation token should be chosen; one that is
//! chosen all the same counts, and has no text.
//!
//! # Hold-back
//! Text is held back as long as something that may come next would remove it, and no longer. So nothing waits for a stop text that cannot become
//! complete before another condition holds, or, where all have to hold, that would not be the last of them. Nor does anything wait for a match of a
//! regular expression if another match, a text of [`Options::texts`] or the limit of bytes always ends the text before it. Held text is printed when the
//! generation ends otherwise. What is printed and where it ends depends on the bytes alone, not on how tokens cut them.
//!
//! In these cases more is held back than has to be, until what follows has decided:
//!
//! - A match of a regular expression that has begun is held back as long as the expression can still match, even if this always ends the text first:
//!     - JSON, a sentence, paragraph or line, or a condition of [`Rules::also`];
//!     - another match, if one of the expressions has an assertion (`^`, `\b`) or is large: some hundred states, as those with a `\w` of all of Unicode.
//!       `(?-u:\w)`, `\d` and `.` are small;
//!     - anything, if there are fewer tokens than the fewest, if the text ends inside of a character, if the stop texts have more than 1,000 bytes, or if
//!       those bytes times the states of the expressions are more than 8,192.
//! - Where several conditions all have to hold, such a match is held back even if another condition cannot have held by then. So is the white space that may
//!   be the end of a sentence or paragraph.
//! - With [`Rules::keep_stop`], one byte before the limit of bytes, the end of a line without a stop is held back for the end of a sentence even if
//!   a stop text that is printed would be complete at the same byte.

mod chars;
mod combine;
#[cfg(feature = "regex")]
mod completion;
mod condition;
mod confidence;
mod error;
mod json;
mod judge;
mod length;
mod lines;
mod options;
mod reason;
#[cfg(feature = "regex")]
mod regex;
mod repetition;
mod sentences;
#[cfg(test)]
mod tests;
mod texts;
mod time;

pub use combine::{All, Any, When, all, any, when};
pub use condition::{Before, Condition, Duplicate, Foreseen, Hit, Needs, Token, TooLate};
pub use confidence::{Below, BelowMean, Entropy};
pub use error::Error;
pub use json::Json;
pub(crate) use judge::Judge;
pub use length::{Bytes, MaxTokens};
pub use lines::{Lines, Paragraphs};
pub use options::{Options, Rules};
pub use reason::Reason;
#[cfg(feature = "regex")]
pub use regex::Regexes;
pub use repetition::{LONGEST_CYCLE, Repetition, SHORTEST_LOOP};
pub use sentences::Sentences;
pub use texts::StopTexts;
pub use time::{Clock, TimeLimit};

/// Bytes that are reserved for text held back; more, which only long stop texts and regular expressions ask for, allocates.
pub(crate) const RESERVED: usize = 1024;

/// What a condition has seen so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The condition: the word of its [`Reason`], or `min_tokens`, or what a condition of the caller's is called.
    pub name: &'static str,
    /// A few words, such as `1 of 2`.
    pub text: String,
}

/// The stop conditions of one generation, and how far it has come. A clone goes on by itself from there.
///
/// Ask [`check`](Self::check) once before the first token (a limit may be 0), then give each token to
/// [`step`](Self::step), and call [`finish`](Self::finish) in the end, whatever ended it.
///
/// ```
/// use siskin::stop::{Options, Reason, Stops, Token};
///
/// let mut options = Options::default();
/// options.max_tokens = Some(8);
/// options.texts = vec!["END".to_string()];
/// let mut stops = Stops::new(options)?;
///
/// let mut printed = Vec::new();
/// let mut reason = stops.check();
/// for (id, piece) in [(17, "one E"), (4, "N"), (99, "D two")] {
///     if reason.is_none() {
///         reason = stops.step(&Token::new(id, piece.as_bytes()), &mut printed);
///     }
/// }
/// stops.finish(&mut printed);
/// assert_eq!(printed, b"one ");
/// assert_eq!(reason, Some(Reason::StopText { text: "END".to_string() }));
/// # Ok::<(), siskin::stop::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Stops {
    judge: Judge,
    /// The bytes of text that have not left.
    held: Vec<u8>,
}

impl Stops {
    /// The conditions in `options`, before the first token.
    ///
    /// # Errors
    /// When an option makes no sense.
    pub fn new(options: Options) -> Result<Stops, Error> {
        Judge::new(&options).map(Stops::of)
    }

    /// The same, of conditions that wait for the first token.
    pub(crate) fn of(judge: Judge) -> Stops {
        Stops { judge, held: Vec::with_capacity(RESERVED) }
    }

    /// Takes a generated token, and appends to `out` what can be printed now. Returns why to stop, if so. Must not be called again
    /// after that.
    pub fn step(&mut self, token: &Token<'_>, out: &mut Vec<u8>) -> Option<Reason> {
        if self.judge.has_text(token.is_eog) {
            self.held.extend_from_slice(token.piece);
        }
        let printed = self.judge.certain();
        let reason = self.judge.step(token);
        self.release(printed, out);
        reason
    }

    /// Why no other token may be generated, judged by the limits alone and by whether the caller cancelled.
    pub fn check(&mut self) -> Option<Reason> {
        self.judge.check()
    }

    /// Ends the generation: appends the text held back to `out`. After a condition has held there is none.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let printed = self.judge.certain();
        self.judge.finish();
        self.release(printed, out);
    }

    /// Number of tokens given to [`step`](Self::step).
    pub fn generated(&self) -> usize {
        self.judge.generated()
    }

    /// Whether the next token should be no end-of-generation token, because there are too few before it.
    pub fn forbids_eog(&self) -> bool {
        self.judge.forbids_eog()
    }

    /// What the conditions want to know of each token.
    pub fn needs(&self) -> Needs {
        self.judge.needs()
    }

    /// What the conditions have seen so far, for people. Allocates.
    pub fn describe(&self) -> Vec<State> {
        self.judge.describe()
    }

    /// Number of bytes held back.
    pub fn held_len(&self) -> usize {
        self.held.len()
    }

    /// Appends to `out` what has become certain behind the `printed` bytes that were, and drops what was cut off.
    fn release(&mut self, printed: usize, out: &mut Vec<u8>) {
        out.extend(self.held.drain(..self.judge.certain() - printed));
        self.held.truncate(self.judge.bytes() - self.judge.certain());
    }
}
