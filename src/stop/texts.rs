//! Finding stop texts in a stream of bytes; a condition of [`Stops`](super::Stops), and used by itself where only text matters.
//!
//! Each text has a Knuth-Morris-Pratt automaton, whose state is how many of the text's first bytes the stream
//! ends with (D. E. Knuth, J. H. Morris and V. R. Pratt, "Fast pattern matching in strings", 1977). The states
//! say everything: a full one is a match, and the largest is how many bytes have to be held back, unless another match always comes first. The held bytes
//! are then by definition the beginning of a known text, so not even a buffer for them is needed.

use super::{Before, Condition, Error, Foreseen, Hit, Reason, Token, TooLate};
use std::fmt;
use std::sync::Arc;

/// A matcher of several stop texts over a stream of bytes, with hold-back.
///
/// # Guarantees
/// - Bytes are matched, not tokens or characters: it does not matter how the stream is cut into pieces.
/// - The match is the one that is complete first. Of several that end at the same byte, the longest (which
///   starts first); of equal texts, the one given first. So no text has to be generated only to see whether a
///   longer stop text might follow.
/// - What is held back is the longest end of the stream that is the beginning of a stop text, never more. A text that has another one inside
///   of it does not count: it can never become complete.
/// - Neither the stop text nor anything after it is ever emitted.
/// - Time is linear in the bytes pushed, times the number of stop texts. Nothing allocates but the output.
///
/// ```
/// use siskin::stop::StopTexts;
///
/// let mut texts = StopTexts::new(["\nUser:", "</s>"])?;
/// let mut out = Vec::new();
/// assert_eq!(texts.push(b"Hi!\nUs", &mut out), None);
/// assert_eq!(out, b"Hi!"); // "\nUs" may yet become "\nUser:"
/// assert_eq!(texts.push(b"er: bye", &mut out), Some(0));
/// texts.finish(&mut out);
/// assert_eq!(out, b"Hi!");
/// # Ok::<(), siskin::stop::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct StopTexts {
    texts: Arc<[Automaton]>,
    /// For each, how many of the first bytes of its text the stream ends with.
    states: Vec<usize>,
    /// The text that was found, after which the stream is over.
    found: Option<usize>,
}

impl Clone for StopTexts {
    fn clone(&self) -> StopTexts {
        StopTexts { texts: self.texts.clone(), states: self.states.clone(), found: self.found }
    }

    fn clone_from(&mut self, other: &StopTexts) {
        self.texts.clone_from(&other.texts);
        self.states.clone_from(&other.states);
        self.found = other.found;
    }
}

impl StopTexts {
    /// A matcher for `texts`; with none, everything passes through at once.
    ///
    /// # Errors
    /// When a text is empty: it would match before the first byte.
    pub fn new<T: AsRef<[u8]>>(texts: impl IntoIterator<Item = T>) -> Result<StopTexts, Error> {
        let automaton = |(index, text): (usize, T)| match text.as_ref() {
            [] => Err(Error::EmptyText { index }),
            text => Ok(Automaton::new(text)),
        };
        let texts = texts.into_iter().enumerate().map(automaton).collect::<Result<Arc<[_]>, _>>()?;
        Ok(StopTexts { states: vec![0; texts.len()], texts, found: None })
    }

    /// The stop texts, in the order given.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.texts.iter().map(|automaton| automaton.text.as_slice())
    }

    /// Takes the next bytes of the stream, and appends to `out` what can no longer be part of a stop text.
    ///
    /// Returns the index of the stop text that is now complete. From then on every call returns it again and
    /// appends nothing, until [`reset`](Self::reset).
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        if self.found.is_some() {
            return self.found;
        }
        let held_before = self.held();
        let Some((found, used)) = self.scan(bytes) else {
            self.release(held_before, bytes, self.held().len, out);
            return None;
        };
        self.release(held_before, &bytes[..used], self.texts[found].text.len(), out);
        self.reset();
        self.found = Some(found);
        self.found
    }

    /// Moves over `bytes` up to the end of a text. Returns the text, and how many bytes that took.
    fn scan(&mut self, bytes: &[u8]) -> Option<(usize, usize)> {
        bytes.iter().zip(1..).find_map(|(&byte, used)| Some((self.step(byte)?, used)))
    }

    /// How many bytes of the stream are held back.
    pub fn held_len(&self) -> usize {
        self.held().len
    }

    fn each(&self) -> impl Iterator<Item = (&Automaton, usize)> {
        self.texts.iter().zip(self.states.iter().copied())
    }

    /// After how many of the `next` bytes a text would be complete, at the earliest.
    fn first(&self, next: &[u8]) -> Option<usize> {
        self.each().filter_map(|(automaton, state)| automaton.first(state, next)).min()
    }

    /// How many first bytes of each text a stream ends with that ended with `states` before `byte`, and whether a text is complete, after which
    /// all begin anew.
    #[cfg(feature = "regex")]
    pub(super) fn after(&self, states: &[usize], byte: u8) -> (Vec<usize>, bool) {
        let next: Vec<usize> =
            self.texts.iter().zip(states).map(|(text, state)| text.after(*state, byte)).collect();
        let is_complete = self.texts.iter().zip(&next).any(|(text, state)| *state == text.text.len());
        if is_complete { (vec![0; next.len()], true) } else { (next, false) }
    }

    /// Ends the stream: appends to `out` the bytes held back, as no more can follow them. After a match: nothing.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.release(self.held(), &[], 0, out);
        self.states.fill(0);
    }

    /// Begins a new stream. Bytes held back are dropped, a match is forgotten.
    pub fn reset(&mut self) {
        self.states.fill(0);
        self.found = None;
    }

    /// Moves every automaton over `byte`. Returns the longest text that ends here, of equal ones the first.
    fn step(&mut self, byte: u8) -> Option<usize> {
        let mut found = None;
        let mut longest = 0;
        for (index, (automaton, state)) in self.texts.iter().zip(&mut self.states).enumerate() {
            *state = automaton.after(*state, byte);
            if *state == automaton.text.len() && automaton.text.len() > longest {
                (found, longest) = (Some(index), automaton.text.len());
            }
        }
        found
    }

    /// The longest end of the stream that is the beginning of a stop text, of those that can become complete before any other is.
    fn held(&self) -> Held {
        self.held_before(&|next| self.first(next))
    }

    /// Likewise, where `first` tells after how many bytes something ends the stream.
    fn held_before(&self, first: &dyn Fn(&[u8]) -> Option<usize>) -> Held {
        let all = self.each().enumerate();
        let all =
            all.map(|(text, (automaton, state))| Held { text, len: automaton.longest_before(state, first) });
        all.max_by_key(|held| held.len).unwrap_or_default()
    }

    /// Appends the bytes held before and the new `bytes` to `out`, except for the last `keep` of them.
    ///
    /// There are that many: all that the automata have seen of a text lies in what was held and what is new.
    fn release(&self, held: Held, bytes: &[u8], keep: usize, out: &mut Vec<u8>) {
        let count = held.len + bytes.len() - keep;
        let of_held = count.min(held.len);
        if let Some(automaton) = self.texts.get(held.text) {
            out.extend_from_slice(&automaton.text[..of_held]);
        }
        out.extend_from_slice(&bytes[..count - of_held]);
    }
}

/// As a condition: the text that is found is the stop text.
impl Condition for StopTexts {
    fn name(&self) -> &'static str {
        "stop_text"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        let mut start = 0;
        while let Some((found, used)) = self.scan(&token.piece[start..]) {
            self.reset();
            start += used;
            if before.armed {
                let (at, text) = (before.bytes + start, &self.texts[found].text);
                let reason = Reason::StopText { text: String::from_utf8_lossy(text).into_owned() };
                return Some(Hit { at, from: at - text.len(), to: at, reason });
            }
        }
        None
    }

    fn foresee(&self, next: &[u8], _: &Before) -> Foreseen {
        self.first(next).into()
    }

    fn hold(&self, keep_stop: bool) -> usize {
        if keep_stop { 0 } else { self.held_len() }
    }

    fn hold_beside(&self, keep_stop: bool, _: &Before, too_late: &TooLate<'_>) -> usize {
        if keep_stop { 0 } else { self.held_before(too_late.after).len }
    }

    fn owned_bytes(&self) -> usize {
        size_of_val(&self.states[..])
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Held { text, len } = self.held();
        match self.texts.get(text) {
            Some(automaton) if len > 0 => {
                let whole = String::from_utf8_lossy(&automaton.text);
                write!(f, "{len} of {} bytes of {whole:?}", automaton.text.len())
            }
            _ => f.write_str("nothing begun"),
        }
    }
}

/// Bytes held back: the first `len` of a stop text.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    text: usize,
    len: usize,
}

/// The Knuth-Morris-Pratt automaton of one text: its states are numbers of bytes.
#[derive(Debug, Clone)]
struct Automaton {
    text: Vec<u8>,
    /// `borders[n]`: the length of the longest end of `text[..n]` that is also its beginning, below `n`.
    borders: Vec<usize>,
}

impl Automaton {
    fn new(text: &[u8]) -> Automaton {
        let mut automaton = Automaton { text: text.to_vec(), borders: vec![0, 0] };
        // The borders of a text are the states that the text itself, from its second byte on, leads to. Each
        // of these steps needs only borders that are known by then.
        let mut state = 0;
        for &byte in text.get(1..).unwrap_or_default() {
            state = automaton.after(state, byte);
            automaton.borders.push(state);
        }
        automaton
    }

    /// The state that `byte` leads to from `state`.
    fn after(&self, mut state: usize, byte: u8) -> usize {
        while state > 0 && self.text.get(state) != Some(&byte) {
            state = self.borders[state];
        }
        state + usize::from(self.text.get(state) == Some(&byte))
    }

    /// After how many of the `next` bytes the text is complete.
    fn first(&self, mut state: usize, next: &[u8]) -> Option<usize> {
        let complete = |&byte: &u8| {
            state = self.after(state, byte);
            state == self.text.len()
        };
        next.iter().position(complete).map(|i| i + 1)
    }

    /// The longest beginning of the text that the stream ends with and that can still become all of it before something ends the stream: what
    /// `first` says of the bytes that lack.
    fn longest_before(&self, mut state: usize, first: &dyn Fn(&[u8]) -> Option<usize>) -> usize {
        while state > 0 && first(&self.text[state..]).is_some_and(|at| at < self.text.len() - state) {
            state = self.borders[state];
        }
        state
    }
}
