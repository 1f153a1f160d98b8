//! The stop conditions of one generation without its text: how many bytes of it there are, and how many of them are certain. [`Stops`](super::Stops)
//! holds text back by it. Searches follow many continuations with one each, and make the texts of those that are wanted.

use super::combine::Any;
use super::condition::Described;
use super::{Before, Condition, Error, Needs, Options, Reason, State, Token};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What ends a generation beside conditions, and how conditions end it: the plain part of [`Options`].
#[derive(Debug, Clone)]
struct Limits {
    ignore_eos: bool,
    max_tokens: Option<usize>,
    context: Option<usize>,
    prompt_tokens: usize,
    cancelled: Option<Arc<AtomicBool>>,
    min_tokens: usize,
    keep_stop: bool,
}

/// See the module's text. A clone goes on by itself from there.
#[derive(Debug, Clone)]
pub(crate) struct Judge {
    limits: Limits,
    conditions: Any,
    generated: usize,
    /// Bytes of text, without what was cut off.
    bytes: usize,
    /// Of these, the first that stay whatever comes.
    certain: usize,
}

impl Judge {
    /// The conditions in `options`, before the first token.
    ///
    /// # Errors
    /// When an option makes no sense.
    pub fn new(options: &Options) -> Result<Judge, Error> {
        let conditions = options.conditions()?;
        let limits = Limits {
            ignore_eos: options.ignore_eos,
            max_tokens: options.max_tokens,
            context: options.context,
            prompt_tokens: options.prompt_tokens,
            cancelled: options.cancelled.clone(),
            min_tokens: options.rules.min_tokens,
            keep_stop: options.rules.keep_stop,
        };
        Ok(Judge { limits, conditions, generated: 0, bytes: 0, certain: 0 })
    }

    /// Goes on from where another one is that has the same options, in the memory that is there.
    pub fn copy_from(&mut self, other: &Judge) {
        self.conditions.clone_from(&other.conditions);
        (self.generated, self.bytes, self.certain) = (other.generated, other.bytes, other.certain);
    }

    /// Bytes that a clone allocates, as far as conditions tell.
    pub fn owned_bytes(&self) -> usize {
        self.conditions.owned_bytes()
    }

    /// Takes a generated token; why to stop, if so. Must not be called again after that.
    pub fn step(&mut self, token: &Token<'_>) -> Option<Reason> {
        let before = self.before();
        self.generated += 1;
        if !self.has_text(token.is_eog) {
            let may_end = before.tokens >= self.limits.min_tokens;
            return if may_end { Some(Reason::Eos { token: token.id }) } else { self.check() };
        }
        self.bytes += token.piece.len();
        if let Some(hit) = self.conditions.see(token, &before).filter(|_| before.armed) {
            self.release(if self.limits.keep_stop { hit.to } else { hit.from });
            self.bytes = self.certain;
            return Some(hit.reason);
        }
        let hold = self.conditions.hold_after(self.limits.keep_stop, &self.before());
        self.release(self.bytes.saturating_sub(hold));
        self.check()
    }

    /// The text up to the offset `end` is certain, if it was not before.
    fn release(&mut self, end: usize) {
        self.certain = self.certain.max(end.min(self.bytes));
    }

    /// Nothing follows: all of the text is certain.
    pub fn finish(&mut self) {
        self.certain = self.bytes;
    }

    /// Why no other token may be generated, judged by the limits alone and by whether the caller cancelled.
    pub fn check(&mut self) -> Option<Reason> {
        self.limit().or_else(|| {
            // Asked in any case, so that time begins to count before the first token.
            let armed = self.generated >= self.limits.min_tokens;
            let reason = self.conditions.between(&Before { armed, ..self.before() });
            reason.filter(|_| armed)
        })
    }

    fn limit(&self) -> Option<Reason> {
        let Limits { max_tokens, context, prompt_tokens, cancelled, .. } = &self.limits;
        let length = prompt_tokens.saturating_add(self.generated);
        let is_cancelled = || cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed));
        let max_tokens = max_tokens.filter(|n| self.generated >= *n).map(|n| Reason::MaxTokens { n });
        let context = || context.filter(|n| length >= *n).map(|n| Reason::Context { n });
        max_tokens.or_else(context).or_else(|| is_cancelled().then_some(Reason::Cancelled))
    }

    /// Tokens so far.
    pub fn generated(&self) -> usize {
        self.generated
    }

    /// Bytes of text so far, without what was cut off.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Of these, the first that stay whatever comes.
    pub fn certain(&self) -> usize {
        self.certain
    }

    /// Whether tokens have text that end the generation, or do not.
    pub fn has_text(&self, is_eog: bool) -> bool {
        !is_eog || self.limits.ignore_eos
    }

    /// Whether the next token should be no end-of-generation token, because there are too few before it.
    pub fn forbids_eog(&self) -> bool {
        !self.limits.ignore_eos && self.generated < self.limits.min_tokens
    }

    /// What the conditions want to know of each token.
    pub fn needs(&self) -> Needs {
        self.conditions.needs()
    }

    /// What the conditions have seen so far, for people. Allocates.
    pub fn describe(&self) -> Vec<State> {
        let Limits { min_tokens, max_tokens, context, prompt_tokens, .. } = self.limits;
        let min_tokens = (min_tokens > 0).then_some(("min_tokens", min_tokens));
        let counts = min_tokens.into_iter().chain(max_tokens.map(|n| ("max_tokens", n)));
        let counts = counts.map(|(name, n)| State { name, text: format!("{} of {n}", self.generated) });
        let length = prompt_tokens + self.generated;
        let context = context.map(|n| State { name: "context", text: format!("{length} of {n}") });
        let conditions = self
            .conditions
            .conditions()
            .map(|condition| State { name: condition.name(), text: Described(condition).to_string() });
        conditions.chain(counts).chain(context).collect()
    }

    /// What came before the next token.
    fn before(&self) -> Before {
        Before {
            tokens: self.generated,
            bytes: self.bytes,
            armed: self.generated + 1 >= self.limits.min_tokens,
        }
    }
}
