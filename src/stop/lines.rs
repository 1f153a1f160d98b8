//! Stopping after lines and after paragraphs.
//!
//! A line end is `\n` or `\r\n`. A line counts if it has anything but spaces, tabs and carriage returns: answers often begin with blank
//! lines. A paragraph is lines that count one after the other; a blank line ends it.

use super::{Before, Condition, Error, Foreseen, Hit, Reason, Token, TooLate};
use std::fmt;

/// Stops after `n` lines with text in them. The line end of the last one is the stop text.
#[derive(Debug, Clone)]
pub struct Lines {
    n: usize,
    done: usize,
    /// Whether the line has text.
    text: bool,
    /// Whether the last byte was a carriage return.
    carriage: bool,
}

impl Lines {
    /// A condition for `n` lines.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn new(n: usize) -> Result<Lines, Error> {
        if n == 0 {
            return Err(Error::Zero { what: "lines" });
        }
        Ok(Lines { n, done: 0, text: false, carriage: false })
    }

    /// Whether `byte` ends a line that counts.
    fn ends(&mut self, byte: u8) -> bool {
        let ends = byte == b'\n' && self.text;
        self.text = byte != b'\n' && (self.text || !is_blank(byte));
        ends
    }
}

impl Condition for Lines {
    fn name(&self) -> &'static str {
        "lines"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            let end = at - 1 - usize::from(self.carriage);
            self.carriage = byte == b'\r';
            if self.ends(byte) {
                self.done += 1;
                if self.done >= self.n && before.armed {
                    return Some(Hit { at, from: end, to: at, reason: Reason::Lines { n: self.n } });
                }
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let hit = self.clone().see(&Token::new(0, next), before);
        hit.map(|hit| hit.at - before.bytes).into()
    }

    fn hold(&self, keep_stop: bool) -> usize {
        usize::from(!keep_stop && self.carriage && self.text && self.done + 1 >= self.n)
    }

    /// Behind a carriage return, only a line end that comes next removes it.
    fn hold_beside(&self, keep_stop: bool, _: &Before, too_late: &TooLate<'_>) -> usize {
        if (too_late.after)(b"\n") == Some(0) { 0 } else { self.hold(keep_stop) }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.n)
    }
}

/// Stops after `n` paragraphs. The line end of the last one and the blank line are the stop text.
#[derive(Debug, Clone)]
pub struct Paragraphs {
    n: usize,
    done: usize,
    gap: Gap,
}

/// Where in a paragraph the stream is, and how many of its last bytes are no part of it.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Gap {
    /// Before the first text of a paragraph.
    Outside,
    Inside,
    /// Behind a carriage return inside a line.
    Carriage,
    /// So many bytes back, a line ended.
    Line(usize),
}

impl Paragraphs {
    /// A condition for `n` paragraphs.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn new(n: usize) -> Result<Paragraphs, Error> {
        if n == 0 {
            return Err(Error::Zero { what: "paragraphs" });
        }
        Ok(Paragraphs { n, done: 0, gap: Gap::Outside })
    }

    /// Moves over `byte`. If it ends a paragraph: how many bytes, this one included, are behind it.
    fn step(&mut self, byte: u8) -> Option<usize> {
        let (gap, end) = match (self.gap, byte) {
            (Gap::Line(len), b'\n') => (Gap::Outside, Some(len + 1)),
            (Gap::Line(len), _) if is_blank(byte) => (Gap::Line(len + 1), None),
            (Gap::Outside, _) if is_blank(byte) => (Gap::Outside, None),
            (Gap::Inside, b'\n') => (Gap::Line(1), None),
            (Gap::Carriage, b'\n') => (Gap::Line(2), None),
            (Gap::Inside | Gap::Carriage, b'\r') => (Gap::Carriage, None),
            _ => (Gap::Inside, None),
        };
        self.gap = gap;
        end
    }
}

impl Condition for Paragraphs {
    fn name(&self) -> &'static str {
        "paragraphs"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            let Some(behind) = self.step(byte) else { continue };
            self.done += 1;
            if self.done >= self.n && before.armed {
                return Some(Hit { at, from: at - behind, to: at, reason: Reason::Paragraphs { n: self.n } });
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let hit = self.clone().see(&Token::new(0, next), before);
        hit.map(|hit| hit.at - before.bytes).into()
    }

    fn hold(&self, keep_stop: bool) -> usize {
        match self.gap {
            _ if keep_stop || self.done + 1 < self.n => 0,
            Gap::Line(len) => len,
            Gap::Carriage => 1,
            Gap::Outside | Gap::Inside => 0,
        }
    }

    /// Behind a carriage return, two line ends have to come before anything else ends the text; otherwise the next byte decides.
    fn hold_beside(&self, keep_stop: bool, _: &Before, too_late: &TooLate<'_>) -> usize {
        let needs = b"\n\n";
        let comes_before = || (too_late.after)(needs).is_some_and(|at| at < needs.len());
        if self.gap == Gap::Carriage && comes_before() { 0 } else { self.hold(keep_stop) }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.n)
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
