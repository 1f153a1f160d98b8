//! Stopping after a JSON value.

use super::{Before, Condition, Foreseen, Hit, Reason, Token};
use std::fmt;

/// Nesting that is reserved for; deeper values allocate.
const DEPTH: usize = 64;

/// Stops after the first complete JSON object or array (RFC 8259): where each bracket that opened, outside of strings, is closed by its
/// like.
///
/// Text before it is no part of it, and bare numbers, strings and words are not looked for, because prose is full of them. A closing
/// bracket that fits no opening one shows that there was no JSON: the search begins anew behind it.
#[derive(Debug, Clone)]
pub struct Json {
    /// The closing brackets that are to come, innermost last.
    open: Vec<u8>,
    string: InString,
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
        Json { open: Vec::with_capacity(DEPTH), string: InString::No }
    }

    /// Moves over `byte`; whether it ends a value.
    fn step(&mut self, byte: u8) -> bool {
        let is_outside = self.string.step(byte, !self.open.is_empty());
        is_outside && self.bracket(byte)
    }

    fn bracket(&mut self, byte: u8) -> bool {
        match byte {
            b'{' => self.open.push(b'}'),
            b'[' => self.open.push(b']'),
            b'}' | b']' if self.open.last() == Some(&byte) => {
                self.open.pop();
                return self.open.is_empty();
            }
            b'}' | b']' => self.open.clear(),
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

/// Brackets that can be foreseen to open.
const AHEAD: usize = 16;

/// A value that would go on: its brackets that are still open, and those that would be new.
struct Ahead<'a> {
    open: &'a [u8],
    new: [u8; AHEAD],
    count: usize,
    string: InString,
}

impl Ahead<'_> {
    /// As [`Json::step`]; `None` where there are too many brackets to tell.
    fn step(&mut self, byte: u8) -> Option<bool> {
        let in_value = self.count + self.open.len() > 0;
        if !self.string.step(byte, in_value) {
            return Some(false);
        }
        match byte {
            b'{' | b'[' => {
                *self.new.get_mut(self.count)? = if byte == b'{' { b'}' } else { b']' };
                self.count += 1;
            }
            b'}' | b']' if self.last() == Some(byte) => {
                match self.count {
                    0 => self.open = &self.open[..self.open.len() - 1],
                    _ => self.count -= 1,
                }
                return Some(self.count + self.open.len() == 0);
            }
            b'}' | b']' => (self.open, self.count) = (&[], 0),
            _ => {}
        }
        Some(false)
    }

    /// The bracket that would close the innermost one.
    fn last(&self) -> Option<u8> {
        self.new[..self.count].last().or(self.open.last()).copied()
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
        let mut ahead = Ahead { open: &self.open, new: [0; AHEAD], count: 0, string: self.string };
        for (used, &byte) in (1..).zip(next) {
            match ahead.step(byte) {
                Some(true) => return Foreseen::After(used),
                Some(false) => {}
                None => return Foreseen::Unknown,
            }
        }
        Foreseen::No
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.string == InString::No { "" } else { ", in a string" };
        write!(f, "{} open{place}", self.open.len())
    }
}
