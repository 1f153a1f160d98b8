//! Stopping after a JSON value.

use super::{Before, Condition, Foreseen, Hit, Reason, Token};
use std::fmt;

/// Levels of nesting of which it is known what opened them: in deeper ones any closing bracket closes.
const DEPTH: usize = 512;

/// Stops after the first complete JSON object or array (RFC 8259): where each bracket that opened, outside of strings, is closed by its
/// like.
///
/// Text before it is no part of it, and bare numbers, strings and words are not looked for, because prose is full of them. A closing
/// bracket that fits no opening one shows that there was no JSON: the search begins anew behind it. Brackets more than 512 levels deep all fit each other.
#[derive(Debug, Clone)]
pub struct Json {
    open: Open,
    string: InString,
}

/// The brackets that are open.
#[derive(Debug, Clone, Copy)]
struct Open {
    count: usize,
    /// Whether the bracket of a level is curly: bit `level % 64` of word `level / 64`.
    curly: [u64; DEPTH / 64],
}

impl Open {
    fn push(&mut self, is_curly: bool) {
        if let Some(word) = self.curly.get_mut(self.count / 64) {
            let bit = 1 << (self.count % 64);
            *word = if is_curly { *word | bit } else { *word & !bit };
        }
        self.count += 1;
    }

    /// Closes the innermost one, if it is of this kind; whether it was.
    fn pop(&mut self, is_curly: bool) -> bool {
        let Some(level) = self.count.checked_sub(1) else { return false };
        let is_like =
            self.curly.get(level / 64).is_none_or(|word| (word >> (level % 64) & 1 == 1) == is_curly);
        self.count -= usize::from(is_like);
        is_like
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum InString {
    No,
    Yes,
    /// Behind a backslash.
    Escape,
}

impl Json {
    /// The condition.
    #[allow(clippy::new_without_default)] // like the other conditions
    pub fn new() -> Json {
        Json { open: Open { count: 0, curly: [0; DEPTH / 64] }, string: InString::No }
    }

    /// Moves over `byte`; whether it ends a value.
    fn step(&mut self, byte: u8) -> bool {
        let is_outside = self.string.step(byte, self.open.count > 0);
        is_outside && self.bracket(byte)
    }

    fn bracket(&mut self, byte: u8) -> bool {
        match byte {
            b'{' | b'[' => self.open.push(byte == b'{'),
            b'}' | b']' if self.open.pop(byte == b'}') => return self.open.count == 0,
            b'}' | b']' => self.open.count = 0,
            _ => {}
        }
        false
    }
}

impl InString {
    /// Moves over `byte`; whether it is outside of strings, which begin in a value only.
    fn step(&mut self, byte: u8, in_value: bool) -> bool {
        let was = *self;
        *self = match (was, byte) {
            (InString::Escape, _) => InString::Yes,
            (InString::Yes, b'\\') => InString::Escape,
            (InString::Yes, b'"') => InString::No,
            (InString::Yes, _) => InString::Yes,
            (InString::No, b'"') if in_value => InString::Yes,
            (InString::No, _) => InString::No,
        };
        was == InString::No && *self == InString::No
    }
}

impl Condition for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            if self.step(byte) && before.armed {
                return Some(Hit { at, from: at, to: at, reason: Reason::Json });
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], _: &Before) -> Foreseen {
        let mut ahead = self.clone();
        next.iter().position(|&byte| ahead.step(byte)).map(|at| at + 1).into()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.string == InString::No { "" } else { ", in a string" };
        write!(f, "{} open{place}", self.open.count)
    }
}
