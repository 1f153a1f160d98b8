//! Stopping when the model goes round in circles.

use super::{Before, Condition, Error, Hit, Reason, Token};
use std::fmt;

/// Longest cycle that is found, in tokens.
pub const LONGEST_CYCLE: usize = 128;
/// Fewest tokens, all repeats together, that make a loop: `ha ha ha ha` is none.
pub const SHORTEST_LOOP: usize = 24;

/// Stops when the last tokens are a cycle again and again.
///
/// # Rule
/// There is a loop when, for some length `c` from 1 to [`LONGEST_CYCLE`], the last `max(c * repeats, SHORTEST_LOOP)` tokens have period
/// `c`: each equals the one `c` before it, where that is among them. The smallest such `c` is reported. Tokens are compared by id, and
/// those of the prompt do not count. All of the loop is printed.
///
/// # Cost
/// For each `c` the number of last tokens that equal the one `c` before is kept: a token takes [`LONGEST_CYCLE`] comparisons, however
/// long the text.
#[derive(Debug, Clone)]
pub struct Repetition {
    repeats: usize,
    /// The last tokens: token `i` of the text is at `i % LONGEST_CYCLE`.
    last: [u32; LONGEST_CYCLE],
    seen: usize,
    /// At `c - 1`: how many of the last tokens equal, one after the other, the one `c` before.
    runs: [usize; LONGEST_CYCLE],
}

impl Repetition {
    /// A condition for cycles that come `repeats` times, the first time included.
    ///
    /// # Errors
    /// When `repeats` is less than 2.
    pub fn new(repeats: usize) -> Result<Repetition, Error> {
        if repeats < 2 {
            return Err(Error::Repeats { found: repeats });
        }
        Ok(Repetition { repeats, last: [0; LONGEST_CYCLE], seen: 0, runs: [0; LONGEST_CYCLE] })
    }

    fn push(&mut self, id: u32) {
        let now = self.seen % LONGEST_CYCLE;
        for (c, run) in (1..=LONGEST_CYCLE.min(self.seen)).zip(&mut self.runs) {
            let same = self.last[(now + LONGEST_CYCLE - c) % LONGEST_CYCLE] == id;
            *run = if same { *run + 1 } else { 0 };
        }
        self.last[now] = id;
        self.seen += 1;
    }

    /// The cycle: its length, and the number of tokens that have its period.
    fn cycle(&self) -> Option<(usize, usize)> {
        let lengths = (1..).zip(&self.runs).map(|(c, run)| (c, c + run));
        lengths.into_iter().find(|(c, tokens)| *tokens >= c.saturating_mul(self.repeats).max(SHORTEST_LOOP))
    }
}

impl Condition for Repetition {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        self.push(token.id);
        let (length, tokens) = self.cycle().filter(|_| before.armed)?;
        Some(Hit::after(token, before, Reason::Loop { length, repeats: tokens / length }))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let longest = (1..).zip(&self.runs).max_by_key(|(c, run)| (**run, std::cmp::Reverse(*c)));
        match longest {
            Some((c, &run)) if run > 0 => write!(f, "{} tokens of period {c}", c + run),
            _ => f.write_str("no cycle"),
        }
    }
}
