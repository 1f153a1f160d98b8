//! Stopping after a JSON value.

use super::{Before, Condition, Foreseen, Hit, Reason, Token};
use std::fmt;

/// Nesting that is reserved for; deeper values allocate.
const DEPTH: usize = 64;

/// Brackets beyond those that are open that can be foreseen to open.
const AHEAD: usize = 16;

/// Stops after the first complete JSON object or array (RFC 8259): where each bracket that opened, outside of strings, is closed by its
/// like.
///
/// Text before it is no part of it, and bare numbers, strings and words are not looked for, because prose is full of them. A closing
/// bracket that fits no opening one shows that there was no JSON: the search begins anew behind it.
#[derive(Debug, Clone)]
pub struct Json(Place<Vec<u8>>);

impl Json {
    /// The condition.
    #[allow(clippy::new_without_default)] // like the other conditions
    pub fn new() -> Json {
        Json(Place { open: Vec::with_capacity(DEPTH), string: InString::No })
    }
}

/// Where in a value a text has come to.
#[derive(Debug, Clone)]
struct Place<O> {
    /// The closing brackets that are to come, innermost last.
    open: O,
    string: InString,
}

/// Strings begin in a value only: before it, a quote is one of prose.
#[derive(Debug, Clone, Copy, PartialEq)]
enum InString {
    No,
    Yes,
    /// Behind a backslash.
    Escape,
}

impl<O: Open> Place<O> {
    /// Moves over `byte`; whether it ends a value. `None` where there are too many brackets to tell.
    fn step(&mut self, byte: u8) -> Option<bool> {
        self.string = match (self.string, byte) {
            (InString::Escape, _) => InString::Yes,
            (InString::Yes, b'\\') => InString::Escape,
            (InString::Yes, b'"') => InString::No,
            (InString::Yes, _) => InString::Yes,
            (InString::No, b'"') if self.open.innermost().is_some() => InString::Yes,
            (InString::No, _) => return self.bracket(byte),
        };
        Some(false)
    }

    fn bracket(&mut self, byte: u8) -> Option<bool> {
        match byte {
            b'{' => self.open.push(b'}')?,
            b'[' => self.open.push(b']')?,
            b'}' | b']' if self.open.innermost() == Some(byte) => {
                self.open.pop();
                return Some(self.open.innermost().is_none());
            }
            b'}' | b']' => self.open.clear(),
            _ => {}
        }
        Some(false)
    }
}

/// A stack of closing brackets.
trait Open {
    /// The one that comes first.
    fn innermost(&self) -> Option<u8>;

    /// `None` if there is no room.
    fn push(&mut self, bracket: u8) -> Option<()>;

    /// Drops the innermost one.
    fn pop(&mut self);

    /// Drops all.
    fn clear(&mut self);
}

impl Open for Vec<u8> {
    fn innermost(&self) -> Option<u8> {
        self.last().copied()
    }

    fn push(&mut self, bracket: u8) -> Option<()> {
        Vec::push(self, bracket);
        Some(())
    }

    fn pop(&mut self) {
        Vec::pop(self);
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }
}

/// The brackets of a text that may come: those that are open now, and new ones upon them. A copy of the former could allocate.
struct Ahead<'a> {
    now: &'a [u8],
    new: [u8; AHEAD],
    count: usize,
}

impl Open for Ahead<'_> {
    fn innermost(&self) -> Option<u8> {
        self.new[..self.count].last().or(self.now.last()).copied()
    }

    fn push(&mut self, bracket: u8) -> Option<()> {
        *self.new.get_mut(self.count)? = bracket;
        self.count += 1;
        Some(())
    }

    fn pop(&mut self) {
        match self.count {
            0 => self.now = self.now.split_last().map_or(&[], |(_, outer)| outer),
            _ => self.count -= 1,
        }
    }

    fn clear(&mut self) {
        (self.now, self.count) = (&[], 0);
    }
}

impl Condition for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            if self.0.step(byte) == Some(true) && before.armed {
                return Some(Hit { at, from: at, to: at, reason: Reason::Json });
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], _: &Before) -> Foreseen {
        let open = Ahead { now: &self.0.open, new: [0; AHEAD], count: 0 };
        let mut ahead = Place { open, string: self.0.string };
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
        let place = if self.0.string == InString::No { "" } else { ", in a string" };
        write!(f, "{} open{place}", self.0.open.len())
    }
}
