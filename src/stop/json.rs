//! Stopping after a JSON value.

use super::{Before, Condition, Hit, Reason, Token};
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
        self.string = match (self.string, byte) {
            (InString::Escape, _) => InString::Yes,
            (InString::Yes, b'\\') => InString::Escape,
            (InString::Yes, b'"') => InString::No,
            (InString::Yes, _) => InString::Yes,
            (InString::No, b'"') if !self.open.is_empty() => InString::Yes,
            (InString::No, _) => return self.bracket(byte),
        };
        false
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

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = if self.string == InString::No { "" } else { ", in a string" };
        write!(f, "{} open{place}", self.open.len())
    }
}
