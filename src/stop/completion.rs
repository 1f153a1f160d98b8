//! Which partial matches of regular expressions can become the stop text; used by [`Regexes`](super::Regexes) alone.
//!
//! A partial match has to be held back if some text that may come next completes it before anything else ends the text. For matches of the same
//! expressions, and for stop texts beside them, that is worked out once. What ends the text is a deterministic automaton, the *ending*: its state is the
//! set of the expressions' states (the subset construction of M. O. Rabin and D. Scott, "Finite automata and their decision problems", 1959) and how
//! much of each stop text has been seen. Walking backwards from the matches through the pairs of its states and those of the expressions gives
//! each pair the fewest bytes to a match before which nothing ends the text.
//!
//! The subsets can be many. Where the pairs are more than [`MOST_PAIRS`], or assertions look at characters that are to come, only stop texts end the text,
//! and where there are still too many, nothing does: a partial match is then held back as long as it can be completed at all.

use super::StopTexts;
use regex_automata::nfa::thompson::{NFA, State, Transition};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use std::collections::HashMap;
use std::ops::RangeInclusive;

/// Where the ending begins.
pub(super) const START: u32 = 0;
/// Most pairs of a state of the ending and one of the expressions; each takes a byte.
const MOST_PAIRS: usize = 1 << 13;
/// Most states of the ending.
const MOST_ENDINGS: usize = 1 << 10;
/// In place of a number of bytes: a match cannot be complete before the text ends. One less stands for as many or more.
const NEVER: u8 = u8::MAX;

/// How the text may end, for expressions and stop texts.
#[derive(Debug)]
pub(super) struct Completion {
    ending: Ending,
    /// Number of states of the expressions.
    states: usize,
    /// `[ending, state]`: fewest bytes from there to a match.
    fewest: Vec<u8>,
}

/// The automaton of what ends the text.
#[derive(Debug)]
struct Ending {
    /// Whether matches of the expressions end it.
    by_match: bool,
    classes: Classes,
    /// `[state, class]`: where a byte of the class leads.
    steps: Vec<Step>,
}

/// A step of the ending.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    /// The state after it; where the text ends but may not yet, that from which everything begins anew.
    pub(super) to: u32,
    /// Whether a match is complete.
    pub(super) is_match: bool,
    /// Whether a match or a stop text is.
    ends: bool,
}

/// Bytes side by side that nothing tells apart.
#[derive(Debug)]
struct Classes {
    of: [u8; 256],
    /// The first byte of each class.
    bytes: Vec<u8>,
}

impl Completion {
    /// What may end the text for the expressions in `nfa` beside `texts`. `alive` says from which states a match can be reached.
    pub(super) fn new(nfa: &NFA, alive: &[bool], texts: &StopTexts) -> Completion {
        let states = alive.len();
        let most = MOST_ENDINGS.min(MOST_PAIRS / states);
        let none = StopTexts::default();
        let with_matches = || {
            let has_assertions = !nfa.look_set_any().is_empty();
            if has_assertions { None } else { Ending::new(nfa, Some(alive), texts, most) }
        };
        let ending = with_matches().or_else(|| Ending::new(nfa, None, texts, most));
        let ending = ending.or_else(|| Ending::new(nfa, None, &none, 1)).expect("a single state");
        let fewest = Backwards::new(nfa, &ending).fewest(&ending);
        Completion { ending, states, fewest }
    }

    /// Where a byte leads.
    pub(super) fn step(&self, ending: u32, byte: u8) -> Step {
        self.ending.step(ending as usize, usize::from(self.ending.classes.of[usize::from(byte)]))
    }

    /// Whether the ending knows all matches.
    pub(super) fn knows_matches(&self) -> bool {
        self.ending.by_match
    }

    /// Whether a match can be complete, from `state` of the expressions, before the text ends, and `within` so many bytes.
    pub(super) fn is_possible(&self, ending: u32, state: StateID, within: Option<usize>) -> bool {
        let fewest = self.fewest[ending as usize * self.states + state.as_usize()];
        fewest != NEVER && within.is_none_or(|most| usize::from(fewest) <= most)
    }
}

impl Classes {
    fn new(nfa: &NFA, texts: &StopTexts) -> Classes {
        let mut classes = Classes { of: [0; 256], bytes: Vec::new() };
        let kind = |byte: u8| {
            let is_in_text = texts.texts().any(|text| text.contains(&byte));
            (nfa.byte_classes().get(byte), Some(byte).filter(|_| is_in_text))
        };
        for byte in 0..=u8::MAX {
            if byte == 0 || kind(byte - 1) != kind(byte) {
                classes.bytes.push(byte);
            }
            // There are 256 bytes.
            classes.of[usize::from(byte)] = (classes.bytes.len() - 1) as u8;
        }
        classes
    }

    /// The classes of the bytes from `first` to `last`.
    fn between(&self, first: u8, last: u8) -> RangeInclusive<usize> {
        let class = |byte: u8| usize::from(self.of[usize::from(byte)]);
        class(first)..=class(last)
    }
}

/// A state of the ending: the expressions' states that read a byte next, sorted, and the states of the stop texts.
type Key = (Vec<StateID>, Vec<usize>);

impl Ending {
    /// The automaton of at most `most` states, if it is no larger. Matches end the text if the `alive` states are given.
    fn new(nfa: &NFA, alive: Option<&[bool]>, texts: &StopTexts, most: usize) -> Option<Ending> {
        let classes = Classes::new(nfa, texts);
        let start: Key = (Vec::new(), vec![0; texts.texts().len()]);
        let (mut numbers, mut keys) = (HashMap::from([(start.clone(), START)]), vec![start]);
        let begun = alive.map(|alive| readers(nfa, alive, vec![nfa.start_anchored()])).unwrap_or_default();
        let mut steps = Vec::new();
        let mut done = 0;
        while let Some((threads, seen)) = keys.get(done).cloned() {
            let threads = || threads.iter().chain(&begun);
            for &byte in &classes.bytes {
                let (threads, is_match) =
                    alive.map_or_else(Default::default, |alive| advance(nfa, alive, threads(), byte));
                let (seen, is_text) = texts.after(&seen, byte);
                let key = (threads, seen);
                let to = *numbers.entry(key).or_insert_with_key(|key| {
                    keys.push(key.clone());
                    // There are at most `most`, and one step more.
                    (keys.len() - 1) as u32
                });
                steps.push(Step { to, is_match, ends: is_match || is_text });
            }
            if keys.len() > most {
                return None;
            }
            done += 1;
        }
        Some(Ending { by_match: alive.is_some(), classes, steps })
    }

    fn step(&self, state: usize, class: usize) -> Step {
        self.steps[state * self.classes.bytes.len() + class]
    }

    /// Number of states.
    fn len(&self) -> usize {
        self.steps.len() / self.classes.bytes.len()
    }
}

/// Where `byte` leads from `threads`, and whether it completes a match: then nothing of them is left.
fn advance<'a>(
    nfa: &NFA,
    alive: &[bool],
    threads: impl Iterator<Item = &'a StateID>,
    byte: u8,
) -> (Vec<StateID>, bool) {
    let reached = threads.filter_map(|state| successor(nfa.state(*state), byte));
    let next = readers(nfa, alive, reached.collect());
    let is_match = next.iter().any(|state| matches!(nfa.state(*state), State::Match { .. }));
    if is_match { (Vec::new(), true) } else { (next, false) }
}

/// The states that read a byte or are a match, of those that `found` leads to without a byte.
fn readers(nfa: &NFA, alive: &[bool], mut found: Vec<StateID>) -> Vec<StateID> {
    let (mut seen, mut readers) = (Vec::new(), Vec::new());
    while let Some(state) = found.pop() {
        if !alive[state.as_usize()] || seen.contains(&state) {
            continue;
        }
        seen.push(state);
        match nfa.state(state) {
            state if state.is_epsilon() => successors(state, |next| found.push(next)),
            _ => readers.push(state),
        }
    }
    readers.sort_unstable();
    readers
}

/// The fewest bytes that are known so far.
struct Found {
    fewest: Vec<u8>,
    states: usize,
}

impl Found {
    /// Adds a pair to `level` if it was not known in as few bytes.
    fn add(&mut self, ending: usize, state: usize, bytes: u8, level: &mut Vec<(usize, usize)>) {
        let known = &mut self.fewest[ending * self.states + state];
        if bytes < *known {
            *known = bytes;
            level.push((ending, state));
        }
    }
}

/// The ways of the expressions and of the ending, backwards.
struct Backwards {
    states: usize,
    matches: Vec<usize>,
    /// For each state those that lead to it without a byte; assertions count as if they held.
    free: Vec<Vec<usize>>,
    /// For each state those that bytes lead from, with their classes.
    read: Vec<Vec<(usize, RangeInclusive<usize>)>>,
    /// `[class, ending]`: the endings that a byte leads from, where it does not end the text.
    endings: Vec<Vec<u32>>,
}

impl Backwards {
    fn new(nfa: &NFA, ending: &Ending) -> Backwards {
        let states = nfa.states().len();
        let (mut free, mut read, mut matches) = (vec![vec![]; states], vec![vec![]; states], vec![]);
        for (source, state) in nfa.states().iter().enumerate() {
            if matches!(state, State::Match { .. }) {
                matches.push(source);
            } else if state.is_epsilon() {
                successors(state, |next| free[next.as_usize()].push(source));
            }
            transitions(state, |trans| {
                read[trans.next.as_usize()].push((source, ending.classes.between(trans.start, trans.end)));
            });
        }
        let mut endings = vec![vec![]; ending.steps.len()];
        for (index, step) in ending.steps.iter().enumerate().filter(|(_, step)| !step.ends) {
            let (from, class) = (index / ending.classes.bytes.len(), index % ending.classes.bytes.len());
            endings[class * ending.len() + step.to as usize].push(from as u32);
        }
        Backwards { states, matches, free, read, endings }
    }

    /// See [`Completion::fewest`]: a search in breadth, one byte after the other.
    fn fewest(&self, ending: &Ending) -> Vec<u8> {
        let mut found = Found { fewest: vec![NEVER; ending.len() * self.states], states: self.states };
        let (mut level, mut next) = (Vec::new(), Vec::new());
        for state in &self.matches {
            (0..ending.len()).for_each(|from| found.add(from, *state, 0, &mut level));
        }
        self.last(ending, |from, state| found.add(from, state, 1, &mut next));
        let mut bytes = 0u8;
        while !level.is_empty() {
            let more = (bytes + 1).min(NEVER - 1);
            while let Some((to, state)) = level.pop() {
                self.free[state].iter().for_each(|source| found.add(to, *source, bytes, &mut level));
                for (source, classes) in &self.read[state] {
                    let from = classes.clone().flat_map(|class| &self.endings[class * ending.len() + to]);
                    from.for_each(|from| found.add(*from as usize, *source, more, &mut next));
                }
            }
            std::mem::swap(&mut level, &mut next);
            bytes = more;
        }
        found.fewest
    }

    /// The pairs from which a byte completes a match and ends the text at once.
    fn last(&self, ending: &Ending, mut each: impl FnMut(usize, usize)) {
        let mut found = self.matches.clone();
        let mut leads = vec![false; self.states];
        while let Some(state) = found.pop() {
            if std::mem::replace(&mut leads[state], true) {
                continue;
            }
            found.extend(&self.free[state]);
            for (source, classes) in &self.read[state] {
                let ends = |from: &usize| classes.clone().any(|class| ending.step(*from, class).ends);
                (0..ending.len()).filter(ends).for_each(|from| each(from, *source));
            }
        }
    }
}

/// Where a byte leads from a state.
pub(super) fn successor(state: &State, byte: u8) -> Option<StateID> {
    match state {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(transitions) => transitions.matches_byte(byte),
        State::Dense(transitions) => transitions.matches_byte(byte),
        _ => None,
    }
}

/// For each state, whether a match can be reached from it; never through the end of the text.
pub(super) fn alive(nfa: &NFA) -> Vec<bool> {
    let mut sources = vec![Vec::new(); nfa.states().len()];
    let mut alive = vec![false; nfa.states().len()];
    let mut found = Vec::new();
    for (source, state) in nfa.states().iter().enumerate() {
        successors(state, |next| sources[next.as_usize()].push(source));
        if matches!(state, State::Match { .. }) {
            found.push(source);
        }
    }
    while let Some(state) = found.pop() {
        if !std::mem::replace(&mut alive[state], true) {
            found.extend(&sources[state]);
        }
    }
    alive
}

/// What a state reads.
fn transitions(state: &State, mut each: impl FnMut(Transition)) {
    match state {
        State::ByteRange { trans } => each(*trans),
        State::Sparse(all) => all.transitions.iter().copied().for_each(each),
        State::Dense(all) => {
            let to = |byte| all.matches_byte(byte).map(|next| Transition { start: byte, end: byte, next });
            (0..=u8::MAX).filter_map(to).for_each(each);
        }
        _ => {}
    }
}

/// The states that a state can lead to.
fn successors(state: &State, mut each: impl FnMut(StateID)) {
    match state {
        State::Look { look: Look::End, .. } | State::Match { .. } | State::Fail => {}
        State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
            transitions(state, |trans| each(trans.next))
        }
        State::Look { next, .. } | State::Capture { next, .. } => each(*next),
        State::Union { alternates } => alternates.iter().copied().for_each(each),
        State::BinaryUnion { alt1, alt2 } => [*alt1, *alt2].into_iter().for_each(each),
    }
}
