//! Stopping where the text matches a regular expression, in linear time.
//!
//! The expressions are compiled, together, to a nondeterministic automaton over bytes (K. Thompson, "Regular expression search
//! algorithm", 1968), which is run in lockstep: after each character there is a list of the states it can be in, each with the
//! earliest place where a match that is in it can have begun (R. Pike's way to run such automata). A deterministic automaton would be
//! faster, but does not know where its matches began; that is what says how much text has to be held back. The list never holds a state
//! twice, so a byte costs at most the size of the automaton, whatever the expression.
//!
//! Assertions such as `\b` and `(?m)$` look at the next character. States that wait for one stay in the list until it is there. The
//! end of the text is never known in time, so `$` without `(?m)` and `\z` never hold.

use super::chars::{Chars, Unit};
use super::completion::{Completion, START, alive, successor};
use super::{Before, Condition, Error, Foreseen, Hit, Reason, StopTexts, Token, TooLate};
use regex_automata::nfa::thompson::{self, NFA, State, WhichCaptures};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;
use std::fmt;
use std::sync::Arc;

/// Most memory of an automaton, in bytes. It bounds what a byte of text costs, too.
const MAX_SIZE: usize = 4 << 20;

/// Stops at the first match of any of several regular expressions, which is the stop text.
///
/// # Rule
/// The match is the one that is complete first, byte by byte; of several that end there the longest, which begins first; of equal ones
/// that of the pattern given first. So `a+` ends at its first `a`: as soon as there is a match, text need not be generated to see whether
/// a longer one might follow. `^` is the beginning of the generated text, or of any line with `(?m)`.
///
/// What is held back is the longest end of the text that may become a match by what follows. Nothing is if another match, or one of the
/// generation's stop texts, always comes first, or if the limit of bytes is too near; [the module](super#hold-back) lists the exceptions.
///
/// The syntax is that of the crate [`regex`](https://docs.rs/regex/latest/regex/#syntax).
#[derive(Debug)]
pub struct Regexes {
    patterns: Arc<[String]>,
    nfa: NFA,
    /// For each state, whether a match can be reached from it.
    alive: Arc<[bool]>,
    completion: Arc<Completion>,
    /// What has been seen of what ends the text.
    ending: u32,
    threads: Threads,
    /// Those of the next byte, while a byte is taken.
    next: Threads,
    /// States whose ways out are still to be followed.
    stack: Vec<StateID>,
    chars: Chars,
    /// Bytes of whole characters taken.
    taken: usize,
    previous: Option<Unit>,
}

/// States of the automaton, each at most once, in the order of the places where they began.
#[derive(Debug)]
struct Threads {
    list: Vec<Thread>,
    /// For each state, where in the list it is, if it is there.
    places: Vec<u32>,
}

#[derive(Debug, Clone, Copy)]
struct Thread {
    state: StateID,
    /// Offset of the first byte of the match.
    start: usize,
}

/// A match: of which pattern, and where it begins and ends.
#[derive(Debug, Clone, Copy)]
struct Found {
    pattern: usize,
    start: usize,
    end: usize,
}

/// The characters on both sides of a place, for assertions.
#[derive(Clone, Copy)]
struct Around {
    bytes: [u8; 8],
    len: usize,
    at: usize,
}

impl Clone for Regexes {
    fn clone(&self) -> Regexes {
        let (states, ways) = (self.alive.len(), self.stack.capacity());
        Regexes {
            patterns: self.patterns.clone(),
            nfa: self.nfa.clone(),
            alive: self.alive.clone(),
            completion: self.completion.clone(),
            threads: self.threads.clone(),
            next: Threads::new(states),
            stack: Vec::with_capacity(ways),
            ..*self
        }
    }

    fn clone_from(&mut self, other: &Regexes) {
        if !Arc::ptr_eq(&self.alive, &other.alive) {
            return *self = other.clone();
        }
        self.threads.clone_from(&other.threads);
        (self.ending, self.chars) = (other.ending, other.chars);
        (self.taken, self.previous) = (other.taken, other.previous);
    }
}

impl Regexes {
    /// A condition for `patterns`.
    ///
    /// # Errors
    /// When one is no regular expression, is too large, matches the empty text, or can never match.
    pub fn new<P: AsRef<str>>(patterns: &[P]) -> Result<Regexes, Error> {
        Regexes::beside(patterns, &StopTexts::default())
    }

    /// As [`new`](Self::new), where any of `texts` ends the text, too.
    pub(super) fn beside<P: AsRef<str>>(patterns: &[P], texts: &StopTexts) -> Result<Regexes, Error> {
        for pattern in patterns {
            check(pattern.as_ref())?;
        }
        let nfa = compile(patterns).map_err(|error| Error::Regex {
            pattern: patterns.iter().map(AsRef::as_ref).collect::<Vec<_>>().join("|"),
            reason: error,
            hint: TOO_LARGE,
        })?;
        let (states, ways) = (nfa.states().len(), ways(&nfa));
        let alive = alive(&nfa);
        Ok(Regexes {
            patterns: patterns.iter().map(|pattern| pattern.as_ref().to_string()).collect(),
            completion: Completion::new(&nfa, &alive, texts).into(),
            ending: START,
            alive: alive.into(),
            threads: Threads::new(states),
            next: Threads::new(states),
            stack: Vec::with_capacity(ways),
            chars: Chars::default(),
            taken: 0,
            previous: None,
            nfa,
        })
    }

    /// Moves over a character. Returns the match that it shows, if any.
    fn step(&mut self, unit: Unit) -> Option<Found> {
        let around = Around::new(self.previous, unit);
        // The states that waited for this character, and a match that may begin with it.
        self.next.list.clear();
        let mut found = None;
        for i in 0..self.threads.list.len() {
            let Thread { state, start } = self.threads.list[i];
            self.enter(state, start, Some(&around), &mut found);
        }
        self.enter(self.nfa.start_anchored(), self.taken, Some(&around), &mut found);
        std::mem::swap(&mut self.threads, &mut self.next);
        self.previous = Some(unit);
        let looked = found.map(|(pattern, start)| Found { pattern, start, end: self.taken });
        for &byte in unit.bytes() {
            self.ending = self.completion.step(self.ending, byte).to;
            self.next.list.clear();
            for i in 0..self.threads.list.len() {
                let Thread { state, start } = self.threads.list[i];
                if let Some(state) = successor(self.nfa.state(state), byte) {
                    self.enter(state, start, None, &mut found);
                }
            }
            std::mem::swap(&mut self.threads, &mut self.next);
        }
        self.taken += unit.len();
        looked.or_else(|| found.map(|(pattern, start)| Found { pattern, start, end: self.taken }))
    }

    /// Adds a state, and those that it leads to without a byte. Assertions hold or not by what is `around`; where that is not known yet,
    /// their states wait. Notes a match of the longest text, and the first pattern, in `found`.
    fn enter(
        &mut self,
        state: StateID,
        start: usize,
        around: Option<&Around>,
        found: &mut Option<(usize, usize)>,
    ) {
        self.stack.push(state);
        while let Some(state) = self.stack.pop() {
            if !self.alive[state.as_usize()] || !self.next.add(Thread { state, start }) {
                continue;
            }
            match self.nfa.state(state) {
                State::Look { look, next } => {
                    if around.is_some_and(|around| self.holds(*look, around)) {
                        self.stack.push(*next);
                    }
                }
                State::Union { alternates } => self.stack.extend(alternates.iter().rev()),
                State::BinaryUnion { alt1, alt2 } => self.stack.extend([*alt2, *alt1]),
                State::Capture { next, .. } => self.stack.push(*next),
                State::Match { pattern_id } => {
                    let pattern = pattern_id.as_usize();
                    if found.is_none_or(|(first, other)| other == start && pattern < first) {
                        *found = Some((pattern, start));
                    }
                }
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Fail => {}
            }
        }
    }

    fn holds(&self, look: Look, around: &Around) -> bool {
        self.nfa.look_matcher().matches(look, &around.bytes[..around.len], around.at)
    }

    /// Forgets what has begun.
    fn restart(&mut self) {
        self.threads.list.clear();
    }
}

impl Condition for Regexes {
    fn name(&self) -> &'static str {
        "regex"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        for (at, &byte) in (before.bytes + 1..).zip(token.piece) {
            for unit in self.chars.push(byte) {
                let Some(Found { pattern, start, end }) = self.step(unit) else { continue };
                self.restart();
                if before.armed {
                    let reason = Reason::Regex { pattern: self.patterns[pattern].clone() };
                    return Some(Hit { at, from: start, to: end, reason });
                }
            }
        }
        None
    }

    fn hold(&self, keep_stop: bool) -> usize {
        let first = self.threads.list.first().filter(|_| !keep_stop);
        first.map_or(0, |thread| self.taken - thread.start) + self.chars.pending()
    }

    fn foresee(&self, next: &[u8], _: &Before) -> Foreseen {
        if !self.completion.knows_matches() {
            return Foreseen::Unknown;
        }
        let pending = self.chars.held();
        let mut ending = self.ending;
        let completes = |byte: &u8| {
            let step = self.completion.step(ending, *byte);
            ending = step.to;
            step.is_match
        };
        let found = pending.iter().chain(next).position(completes);
        found.map(|i| (i + 1).saturating_sub(pending.len())).into()
    }

    fn hold_beside(&self, keep_stop: bool, _: &Before, too_late: &TooLate<'_>) -> usize {
        // Inside a character, that one decides.
        if keep_stop || self.chars.pending() > 0 {
            return self.hold(keep_stop);
        }
        let possible =
            |thread: &&Thread| self.completion.is_possible(self.ending, thread.state, too_late.always);
        self.threads.list.iter().find(possible).map_or(0, |thread| self.taken - thread.start)
    }

    fn owned_bytes(&self) -> usize {
        2 * Threads::bytes(self.alive.len()) + self.stack.capacity() * size_of::<StateID>()
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.threads.list.first() {
            Some(thread) => write!(f, "{} bytes may begin a match", self.taken - thread.start),
            None => f.write_str("nothing begun"),
        }
    }
}

impl Clone for Threads {
    fn clone(&self) -> Threads {
        let mut threads = Threads::new(self.places.len());
        threads.clone_from(self);
        threads
    }

    fn clone_from(&mut self, other: &Threads) {
        self.list.clone_from(&other.list);
        self.places.clone_from(&other.places);
    }
}

impl Threads {
    fn new(states: usize) -> Threads {
        Threads { list: Vec::with_capacity(states), places: vec![0; states] }
    }

    /// Bytes that [`Threads::new`] allocates.
    fn bytes(states: usize) -> usize {
        states * (size_of::<Thread>() + size_of::<u32>())
    }

    /// Adds a thread, unless its state is there: that one began earlier.
    fn add(&mut self, thread: Thread) -> bool {
        let place = &mut self.places[thread.state.as_usize()];
        let there = self.list.get(*place as usize).is_some_and(|other| other.state == thread.state);
        if !there {
            // State ids are 31 bits.
            *place = self.list.len() as u32;
            self.list.push(thread);
        }
        !there
    }
}

impl Around {
    fn new(previous: Option<Unit>, next: Unit) -> Around {
        let mut around = Around { bytes: [0; 8], len: 0, at: 0 };
        for unit in previous.into_iter().chain([next]) {
            around.at = around.len;
            around.len += unit.len();
            around.bytes[around.at..around.len].copy_from_slice(unit.bytes());
        }
        around
    }
}

/// What to try with a pattern that is none.
const ESCAPE: &str = "Try escaping special characters with a backslash";
const NOT_SUPPORTED: &str =
    "Try without look-around and backreferences, which would take more than linear time";
const TOO_LARGE: &str = "Try smaller counts of repetitions, or (?-u) for classes of ASCII characters";

/// Refuses what is no pattern, and what matches everywhere or nowhere.
fn check(pattern: &str) -> Result<(), Error> {
    let owned = || pattern.to_string();
    let error = |reason, hint| Error::Regex { pattern: owned(), reason, hint };
    let parsed = syntax::parse(pattern).map_err(|reason| {
        let reason = reason.to_string();
        let hint = if reason.contains("not supported") { NOT_SUPPORTED } else { ESCAPE };
        error(reason, hint)
    })?;
    if parsed.properties().minimum_len() == Some(0) {
        return Err(Error::EmptyMatch { pattern: owned() });
    }
    let nfa = compile(&[pattern]).map_err(|reason| error(reason, TOO_LARGE))?;
    match alive(&nfa)[nfa.start_anchored().as_usize()] {
        true => Ok(()),
        false => Err(Error::NoMatch { pattern: owned() }),
    }
}

fn compile<P: AsRef<str>>(patterns: &[P]) -> Result<NFA, String> {
    let config = thompson::Config::new()
        .which_captures(WhichCaptures::None)
        .nfa_size_limit(Some(MAX_SIZE))
        .shrink(false);
    let built = thompson::Compiler::new().configure(config).build_many(patterns);
    built.map_err(|error| match error.size_limit() {
        Some(_) => format!("found an automaton of more than {} MiB, expected a smaller one", MAX_SIZE >> 20),
        None => error.to_string(),
    })
}

/// The most states that can wait on the stack: one to begin with, and all that any state leads to without a byte.
fn ways(nfa: &NFA) -> usize {
    let of = |state: &State| match state {
        State::Look { .. } | State::Capture { .. } => 1,
        State::BinaryUnion { .. } => 2,
        State::Union { alternates } => alternates.len(),
        State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } | State::Fail => 0,
    };
    1 + nfa.states().iter().map(of).sum::<usize>()
}
