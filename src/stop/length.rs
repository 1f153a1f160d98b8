//! Stopping after so many tokens or bytes.

use super::chars::Chars;
use super::{Before, Condition, Error, Foreseen, Hit, Reason, Token};
use std::fmt;

/// Stops after `n` tokens, the last of which is printed. For [`all`](super::all) and the like; a generation's own limit is
/// [`Options::max_tokens`](super::Options::max_tokens).
#[derive(Debug, Clone)]
pub struct MaxTokens {
    n: usize,
    seen: usize,
}

impl MaxTokens {
    /// A condition for `n` tokens.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn new(n: usize) -> Result<MaxTokens, Error> {
        if n == 0 {
            return Err(Error::Zero { what: "tokens" });
        }
        Ok(MaxTokens { n, seen: 0 })
    }
}

impl Condition for MaxTokens {
    fn name(&self) -> &'static str {
        "max_tokens"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        self.seen = before.tokens + 1;
        let holds = self.seen >= self.n && before.armed;
        holds.then(|| Hit::after(token, before, Reason::MaxTokens { n: self.n }))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.seen, self.n)
    }
}

/// Stops before the text has more than `n` bytes: at `n`, or before the character that reaches beyond.
///
/// Bytes are those of the model's text; one that is no UTF-8 counts as one, though it is printed as U+FFFD.
#[derive(Debug, Clone)]
pub struct Bytes {
    n: usize,
    seen: usize,
    chars: Chars,
}

impl Bytes {
    /// A condition for `n` bytes.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn new(n: usize) -> Result<Bytes, Error> {
        if n == 0 {
            return Err(Error::Zero { what: "bytes" });
        }
        Ok(Bytes { n, seen: 0, chars: Chars::default() })
    }
}

impl Condition for Bytes {
    fn name(&self) -> &'static str {
        "bytes"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let end = before.end(token);
        // The limit lies behind where a minimum of tokens forbade to stop; then the end of any token is as good.
        let limit = if before.bytes < self.n && before.armed { self.n } else { end };
        for &byte in &token.piece[..token.piece.len().min(limit - before.bytes)] {
            self.chars.push(byte).for_each(drop);
        }
        self.seen = end;
        let holds = end >= limit && end >= self.n && before.armed;
        let whole = limit.saturating_sub(self.chars.pending());
        holds.then_some(Hit { at: limit, from: whole, to: whole, reason: Reason::Bytes { n: self.n } })
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        match self.n.saturating_sub(before.bytes) {
            // Beyond the limit it holds at the end of the next token, wherever that is.
            0 => Foreseen::Unknown,
            room => Some(room).filter(|room| *room <= next.len()).into(),
        }
    }

    fn within(&self, before: &Before) -> Option<usize> {
        Some(self.n.saturating_sub(before.bytes)).filter(|room| *room > 0)
    }

    fn hold(&self, _: bool) -> usize {
        self.chars.pending()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.seen, self.n)
    }
}
