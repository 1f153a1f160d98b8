//! Regular expressions, against a search with another engine from every place to every place.

use super::{Ending, compare, cut};
use crate::stop::{Before, Condition, Error, Foreseen, Options, Reason, Regexes, Stops, Token};
use proptest::prelude::*;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::{Anchored, Input, MatchKind};

fn options(patterns: &[&str]) -> Options {
    let mut options = Options::default();
    options.rules.regexes = patterns.iter().map(|pattern| pattern.to_string()).collect();
    options
}

struct Engine {
    engine: PikeVM,
    cache: std::cell::RefCell<Cache>,
}

impl Engine {
    fn new(patterns: &[&str]) -> Engine {
        let config = PikeVM::config().match_kind(MatchKind::All);
        let engine = PikeVM::builder().configure(config).build_many(patterns).unwrap();
        let cache = engine.create_cache().into();
        Engine { engine, cache }
    }

    /// Where the longest match begins that ends at `end`, with all of `text` to look at.
    fn start(&self, text: &[u8], end: usize) -> Option<usize> {
        let mut cache = self.cache.borrow_mut();
        (0..end).find(|start| {
            let input = Input::new(text).span(*start..end).anchored(Anchored::Yes);
            self.engine.find(&mut cache, input).is_some_and(|found| found.end() == end)
        })
    }

    /// The match that is known first: what it takes to know is the character behind it, or nothing whatever comes.
    fn oracle(&self, text: &[u8]) -> Option<Ending> {
        let whole = str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
        let text = str::from_utf8(&text[..whole]).unwrap();
        let mut previous = 0;
        for at in text.char_indices().map(|(i, c)| i + c.len_utf8()) {
            if let Some(from) = self.start(&text.as_bytes()[..at], previous) {
                return Some((at, from, previous));
            }
            let whatever = ["a", " ", "\n", "é"].map(|next| {
                let text = [&text[..at], next].concat();
                self.start(text.as_bytes(), at)
            });
            if let Some(from) = whatever[0].filter(|_| whatever.iter().all(|start| *start == whatever[0])) {
                return Some((at, from, at));
            }
            previous = at;
        }
        None
    }
}

const SETS: &[&[&str]] = &[
    &["a+b"],
    &["(?i)ab|bA"],
    &["é."],
    &[r"\bab\b"],
    &["(?m)^b"],
    &["(?m)b$", "aé"],
    &["[ab]é", "a[^é]b"],
    &["a.*b"],
    &["ab*a", "bb", "aab"],
    &[r"\w \w"],
    &["(?s)a.b"],
    &["^ab"],
];

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn any_text_in_any_pieces(
        parts in prop::collection::vec(prop::sample::select(vec!["a", "b", "a", "b", "é", " ", "\n", "鳥"]), 0..8),
        set in prop::sample::select(SETS),
        cuts: u128,
    ) {
        let text = parts.concat();
        let bytes = text.as_bytes();
        let engine = Engine::new(set);
        let endings = ["a", "b", "é", "\n", "b ", "a ", " a", "ba", "bb", "é\n", "b\n"];
        for pieces in [cut(bytes, cuts), bytes.chunks(1).collect()] {
            compare(&options(set), &pieces, &endings, &|text| engine.oracle(text));
        }
    }
}

proptest! {
    /// What is foreseen is what happens: of any bytes, inside of characters, and behind matches that did not count.
    #[test]
    fn foresees_the_first_match(
        parts in prop::collection::vec(prop::sample::select(vec!["a".as_bytes(), b"b", b"a", b"b", "é".as_bytes(), "é".as_bytes(), b"\xff", b"\n"]), 0..10),
        cut: prop::sample::Index,
        set in prop::sample::select(SETS),
    ) {
        let text = parts.concat();
        let (seen, next) = text.split_at(cut.index(text.len() + 1));
        let mut regexes = Regexes::new(set).unwrap();
        regexes.see(&Token::new(1, seen), &Before::default());
        let before = Before { tokens: 1, bytes: seen.len(), armed: true };
        let foreseen = regexes.foresee(next, &before);
        let happens = regexes.see(&Token::new(2, next), &before).map(|hit| hit.at - seen.len());
        // Assertions, and a large class.
        let is_unknown = set.iter().any(|pattern| ["^", "(?m)", "\\"].iter().any(|with| pattern.starts_with(with)));
        prop_assert_eq!(foreseen, if is_unknown { Foreseen::Unknown } else { happens.into() });
    }
}

fn run(patterns: &[&str], pieces: &[&str]) -> (Option<String>, String) {
    let mut stops = Stops::new(options(patterns)).unwrap();
    let mut out = Vec::new();
    let reason = pieces.iter().find_map(|piece| stops.step(&Token::new(1, piece.as_bytes()), &mut out));
    let detail = reason.map(|reason| {
        assert!(matches!(reason, Reason::Regex { .. }));
        reason.detail()
    });
    (detail, String::from_utf8(out).unwrap())
}

#[test]
fn the_pattern_that_is_complete_first_is_the_reason() {
    let is = |pattern: &str, text: &str| (Some(pattern.to_string()), text.to_string());
    assert_eq!(run(&["xyz", r"\d{3}"], &["ab 1", "23 xyz"]), is(r"\d{3}", "ab "));
    assert_eq!(run(&["c", "abc", "abc?c"], &["xab", "c"]), is("abc", "x"));
    assert_eq!(run(&[r"\n(User|Bot):"], &["Hi!\nUs", "er: no"]), is(r"\n(User|Bot):", "Hi!"));
    assert_eq!(run(&["(?i)the end"], &["It is THE", " END."]), is("(?i)the end", "It is "));
    assert_eq!(run(&[r"\p{Han}"], &["abc鳥"]), is(r"\p{Han}", "abc"));
    assert_eq!(run(&["x"], &["abc"]), (None, "abc".to_string()));
}

/// A pattern that makes engines with backtracking take exponential time, on a long text.
#[test]
fn long_texts_take_linear_time() {
    let text = "a".repeat(200_000);
    let mut stops = Stops::new(options(&["(a*)*(a|aa)*b"])).unwrap();
    let mut out = Vec::new();
    assert_eq!(stops.step(&Token::new(1, text.as_bytes()), &mut out), None);
    assert_eq!((out.len(), stops.held_len()), (0, 200_000));
    assert!(stops.step(&Token::new(1, b"c"), &mut out).is_none());
    assert_eq!(out.len(), 200_001);
}

#[test]
fn patterns_that_make_no_sense() {
    let error = |pattern: &str| Regexes::new(&["fine", pattern]).unwrap_err();
    assert!(matches!(error("a(b"), Error::Regex { pattern, .. } if pattern == "a(b"));
    let hint = |pattern: &str| match error(pattern) {
        Error::Regex { hint, .. } => hint,
        error => panic!("{pattern}: {error}"),
    };
    assert!(hint("a(b").contains("backslash"));
    assert!(hint("a(?=b)").contains("look-around"));
    assert!(hint(r"(a)\1").contains("backreferences"));
    assert!(hint(r"\w{1000}{1000}").contains("repetitions"));
    assert!(error(r"\w{9999}").to_string().contains("more than 4 MiB"), "{}", error(r"\w{9999}"));
    for pattern in ["", "a*", r"\b", "(?m)^$", "a|"] {
        assert_eq!(error(pattern), Error::EmptyMatch { pattern: pattern.into() });
    }
    for pattern in ["a$", r"b\z", "[a&&b]c"] {
        assert_eq!(error(pattern), Error::NoMatch { pattern: pattern.into() });
    }
}

/// What is held back of `text`, beside stop texts and most bytes.
fn held(patterns: &[&str], texts: &[&str], bytes: Option<usize>, text: &str) -> usize {
    let mut options = options(patterns);
    options.texts = texts.iter().map(|text| text.to_string()).collect();
    options.rules.bytes = bytes;
    let mut stops = Stops::new(options).unwrap();
    assert_eq!(stops.step(&Token::new(1, text.as_bytes()), &mut Vec::new()), None);
    stops.held_len()
}

#[test]
fn nothing_waits_for_a_match_that_cannot_come_first() {
    assert_eq!(held(&[r"Q: .*!"], &[], None, "So Q: why"), 6);
    assert_eq!(held(&[r"Q: .*!"], &["!"], None, "So Q: why"), 6, "the longer one");
    assert_eq!(held(&[r"Q: .*! "], &["!"], None, "So Q: why"), 0);
    assert_eq!(held(&[r"Q: .*[!?] "], &["!"], None, "So Q: why"), 6);
    assert_eq!(held(&["b[A-Z]c"], &["A"], None, "b"), 1, "other letters may come");
    // Another match inside of it, and a stop text around one.
    assert_eq!(held(&[r"x\d+y", r"\d"], &[], None, "ax"), 0);
    assert_eq!(held(&[r"x\d*y", r"\d"], &[], None, "ax"), 1);
    assert_eq!(held(&["b"], &["abc"], None, "a"), 0);
    assert_eq!(held(&["b"], &["aBc", "ab"], None, "a"), 1);
    // Seven bytes are wanting, or one character of two.
    assert_eq!(held(&["ab{7}c"], &[], Some(8), "ab"), 0);
    assert_eq!(held(&["ab{7}c"], &[], Some(9), "ab"), 2);
    assert_eq!(held(&["aé"], &[], Some(4), "ba"), 1);
    assert_eq!(held(&["aé"], &[], Some(3), "ba"), 0);
}

/// Of what would be too large only a part is known, and more is held back.
#[test]
fn large_automata_know_less() {
    let large = r"\w{10}! ";
    assert_eq!(held(&[large], &["!"], None, "ab"), 0, "the stop text is known");
    assert_eq!(held(&[large, "!"], &[], None, "ab"), 2, "held, though `!` always comes first");
    let long = "-".repeat(2000);
    assert_eq!(held(&["a!b"], &["!", &long], None, "a"), 1, "neither is this one");
    assert_eq!(held(&["a!b"], &["!", &long], None, "a-"), 1);
}
