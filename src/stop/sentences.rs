//! Stopping after sentences, by a rule that needs no model and no language.

use super::chars::{Chars, Unit};
use super::{Before, Condition, Error, Foreseen, Hit, Reason, Token};
use std::fmt;

/// Abbreviations that never end a sentence: what they belong to comes after them.
const BEFORE_WORDS: &[&str] = &[
    "Mr", "Mrs", "Ms", "Mx", "Dr", "Prof", "St", "Mt", "Ft", "Rev", "Hon", "Fr", "Gen", "Col", "Maj", "Capt",
    "Cmdr", "Lt", "Sgt", "Cpl", "Pvt", "Adm", "Gov", "Sen", "Rep", "Pres", "Supt", "Messrs", "Mme", "Mlle",
    "mr", "mrs", "ms", "dr", "e.g", "E.g", "i.e", "I.e", "eg", "ie", "cf", "Cf", "viz", "vs", "v", "ca",
    "approx",
];

/// Abbreviations that end no sentence if a digit follows.
const BEFORE_NUMBERS: &[&str] = &[
    "No", "Nos", "no", "nos", "Nr", "Fig", "Figs", "fig", "figs", "Eq", "Eqs", "eq", "Sec", "sec", "Ch",
    "ch", "Vol", "vol", "Art", "art", "p", "pp", "c", "Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep",
    "Sept", "Oct", "Nov", "Dec",
];

/// Stops after `n` sentences.
///
/// # Rule
/// After Unicode's sentence boundaries (UAX #29, rules SB4 to SB11), with a list of English abbreviations:
///
/// 1. *Stops* are `. ! ? …`, their likes of other scripts (`؟ ۔ । ॥ ։ ።` and doubled marks), and the wide ones `。 ！ ？ ｡`. A sentence has a
///    letter or digit before its stop: dots alone are none.
/// 2. Further stops and *closers* directly behind a stop (quotes, brackets, and `*`, `_`, `` ` `` of Markdown) belong to the sentence.
/// 3. Behind a wide stop, anything else begins the next sentence, also without a space.
/// 4. Behind another stop there must be white space; `3.14`, `example.com` and `e.g` go on. Then the next character decides:
///    a lowercase letter, or one of `, ; : - – —`, goes on with the sentence (`"Stop!" he said`, `Well... maybe`, `etc. and`);
///    anything else begins the next.
/// 5. A single dot goes on, whatever follows, behind an abbreviation that needs something after it (`Mr.`, `e.g.`, see the source for all), behind a
///    single capital letter (`J. Smith`), behind letters with dots of which the last is a capital (`U.S.`), and behind a number
///    that begins a line (`1. First`, `2.3. Then`). It goes on before a digit behind `No.`, `Fig.`, `Jan.` and others that stand before numbers.
/// 6. A blank line ends a sentence, with a stop or without one.
///
/// The text ends behind the stop and its closers. Only white space that may turn out to be behind the last sentence is held back. To stop
/// too late is better than too early, so `the U.S. He left` is one sentence.
#[derive(Debug, Clone)]
pub struct Sentences {
    n: usize,
    done: usize,
    chars: Chars,
    place: Place,
    word: Word,
    /// Whether the sentence has a letter or digit yet.
    has_word: bool,
    /// Whether nothing but white space was on the line so far.
    line_begins: bool,
}

/// Where the stream is. Lengths are in bytes, counted back from the end of the last character.
#[derive(Debug, Clone, Copy)]
enum Place {
    /// In a sentence, or before one.
    Inside,
    /// In white space inside a sentence, from its line end on.
    LineEnd { back: usize },
    /// Behind a stop and its closers.
    Stop(Stop),
    /// In the white space after it.
    Gap { stop: Stop, back: usize, line_end: bool },
}

/// The stop at the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stop {
    Plain,
    /// Needs no white space behind it.
    Wide,
    /// A dot behind one of `BEFORE_WORDS` or a capital: before white space it is none.
    Abbreviation,
    /// A dot behind one of `BEFORE_NUMBERS`.
    BeforeNumber,
}

impl Sentences {
    /// A condition for `n` sentences.
    ///
    /// # Errors
    /// When `n` is 0.
    pub fn new(n: usize) -> Result<Sentences, Error> {
        if n == 0 {
            return Err(Error::Zero { what: "sentences" });
        }
        let (chars, place, word) = (Chars::default(), Place::Inside, Word::default());
        Ok(Sentences { n, done: 0, chars, place, word, has_word: false, line_begins: true })
    }

    /// Moves over a unit. If it shows that a sentence is complete: how many bytes, its own included, are behind that sentence.
    fn step(&mut self, unit: Unit) -> Option<usize> {
        let (c, len) = (unit.char, unit.len());
        let behind = match self.place {
            Place::Inside => {
                self.inside(c, len);
                None
            }
            Place::LineEnd { back } => self.after_line_end(c, len, back),
            Place::Stop(stop) => self.after_stop(c, len, stop),
            Place::Gap { stop, back, line_end } => self.in_gap(c, stop, back + len, line_end, len),
        };
        self.line_begins = c == '\n' || (self.line_begins && c.is_whitespace());
        self.done += usize::from(behind.is_some());
        behind
    }

    fn inside(&mut self, c: char, len: usize) {
        self.place = match stop(c) {
            Some(Stop::Plain) if self.has_word && c == '.' => Place::Stop(self.word.dot()),
            Some(stop) if self.has_word => Place::Stop(stop),
            _ if self.has_word && c == '\n' => Place::LineEnd { back: len },
            _ => Place::Inside,
        };
        self.has_word |= c.is_alphanumeric();
        let is_dot = c == '.' && matches!(self.place, Place::Stop(_));
        if !is_dot {
            self.word.push(c, self.line_begins);
        }
    }

    /// `back` bytes ago a line of a sentence ended without a stop; it may yet turn out that a paragraph did.
    fn after_line_end(&mut self, c: char, len: usize, back: usize) -> Option<usize> {
        if c == '\n' {
            return self.complete(c, len, back + len);
        }
        if !c.is_whitespace() {
            return self.go_on(c, len);
        }
        self.place = Place::LineEnd { back: back + len };
        None
    }

    fn after_stop(&mut self, c: char, len: usize, last: Stop) -> Option<usize> {
        match (stop(c), last) {
            (Some(Stop::Wide), _) => self.place = Place::Stop(Stop::Wide),
            (Some(_), Stop::Wide) => {}
            // A second dot makes an ellipsis.
            (Some(_), _) => {
                self.place = Place::Stop(Stop::Plain);
                self.word.clear();
            }
            (None, _) if is_closer(c) => self.word.clear(),
            (None, Stop::Wide) => return self.complete(c, len, len),
            (None, Stop::Abbreviation) if c.is_whitespace() => return self.go_on(c, len),
            (None, stop) if c.is_whitespace() => {
                self.place = Place::Gap { stop, back: len, line_end: c == '\n' }
            }
            (None, _) => {
                self.word.push_dot();
                return self.go_on(c, len);
            }
        }
        None
    }

    fn in_gap(&mut self, c: char, last: Stop, back: usize, line_end: bool, len: usize) -> Option<usize> {
        if c == '\n' && line_end {
            return self.complete(c, len, back);
        }
        if c.is_whitespace() {
            self.place = Place::Gap { stop: last, back, line_end: line_end || c == '\n' };
            return None;
        }
        self.word.clear();
        let goes_on = c.is_lowercase()
            || matches!(c, ',' | ';' | ':' | '-' | '–' | '—')
            || (last == Stop::BeforeNumber && c.is_numeric());
        if goes_on { self.go_on(c, len) } else { self.complete(c, len, back) }
    }

    /// `c` belongs to the sentence after all.
    fn go_on(&mut self, c: char, len: usize) -> Option<usize> {
        self.inside(c, len);
        None
    }

    /// `c` is the first character that is certain not to belong to the sentence.
    fn complete(&mut self, c: char, len: usize, behind: usize) -> Option<usize> {
        self.has_word = false;
        self.word.clear();
        self.inside(c, len);
        Some(behind)
    }
}

impl Condition for Sentences {
    fn name(&self) -> &'static str {
        "sentences"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            for unit in self.chars.push(byte) {
                let Some(behind) = self.step(unit) else { continue };
                if self.done >= self.n && before.armed {
                    let from = at - unit.after - behind;
                    return Some(Hit { at, from, to: from, reason: Reason::Sentences { n: self.n } });
                }
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], before: &Before) -> Foreseen {
        let hit = self.clone().see(&Token::new(0, next), before);
        hit.map(|hit| hit.at - before.bytes).into()
    }

    fn hold(&self, _: bool) -> usize {
        let back = match self.place {
            _ if self.done + 1 < self.n => 0,
            Place::Gap { back, .. } | Place::LineEnd { back } => back,
            Place::Inside | Place::Stop(_) => 0,
        };
        back + self.chars.pending()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.done, self.n)
    }
}

/// The kind of stop that a character is.
fn stop(c: char) -> Option<Stop> {
    match c {
        '.' | '!' | '?' | '…' | '؟' | '۔' | '।' | '॥' | '։' | '።' | '‼' | '⁇' | '⁈' | '⁉' => {
            Some(Stop::Plain)
        }
        '。' | '！' | '？' | '｡' => Some(Stop::Wide),
        _ => None,
    }
}

/// Whether a character directly behind a stop closes what the sentence opened. `“` and `‘` close in German.
fn is_closer(c: char) -> bool {
    "\"'”’“‘»«›‹)]}」』】》〉〕）］｝*_`".contains(c)
}

/// The last word, as far as abbreviations need it: letters, digits and dots between them.
#[derive(Debug, Clone, Copy, Default)]
struct Word {
    bytes: [u8; 16],
    /// Bytes of the word; larger than `bytes` when it is too long for any abbreviation.
    len: usize,
    begins_line: bool,
}

impl Word {
    fn clear(&mut self) {
        self.len = 0;
    }

    fn push(&mut self, c: char, line_begins: bool) {
        if !c.is_alphanumeric() {
            return self.clear();
        }
        if self.len == 0 {
            self.begins_line = line_begins;
        }
        self.append(c);
    }

    /// A dot that turned out to be inside the word.
    fn push_dot(&mut self) {
        if self.len > 0 {
            self.append('.');
        }
    }

    fn append(&mut self, c: char) {
        let end = self.len + c.len_utf8();
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            c.encode_utf8(room);
            self.len = end;
        } else {
            self.len = usize::MAX / 2;
        }
    }

    fn text(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    /// What a dot behind the word is.
    fn dot(&self) -> Stop {
        let text = self.text();
        let mut letters = text.split('.');
        let single = |part: &str| part.chars().count() == 1;
        let ends_upper = text.chars().next_back().is_some_and(char::is_uppercase);
        let is_number = !text.is_empty() && text.chars().all(|c| c.is_numeric() || c == '.');
        if (ends_upper && letters.all(single))
            || BEFORE_WORDS.contains(&text)
            || (is_number && self.begins_line)
        {
            Stop::Abbreviation
        } else if BEFORE_NUMBERS.contains(&text) {
            Stop::BeforeNumber
        } else {
            Stop::Plain
        }
    }
}
