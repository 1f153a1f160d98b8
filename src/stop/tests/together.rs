//! Conditions beside each other: what is printed and when, against all that may come next, and which of them wins.

use super::cut;
use crate::stop::{Any, Before, Condition, Judge, Options, Rules, Stops, Token};
use proptest::prelude::*;
use siskin_tools::emulated;
use std::ops::RangeInclusive;

/// What texts are made of, and what may come next. The last is white space for sentences, and none for lines and paragraphs.
const LETTERS: &[&str] = &["a", "b", "A", ".", " ", "\n", "\r", "{", "}", "\u{b}"];
/// Stop texts, of which some have others inside of them, or what other conditions stop at.
const TEXTS: &[&str] = &["ab", "aba", "b", "a\nb", "{}a", "\n\n", " A", "a. ", "bAa"];

/// Everything of up to two letters, as one token; where tokens count, also behind some empty ones, and in two with some of those in between.
fn continuations(options: &Options) -> Vec<Vec<Vec<u8>>> {
    let letters = || LETTERS.iter().map(|letter| letter.as_bytes().to_vec());
    let pairs = || letters().flat_map(|a| letters().map(move |b| [a.clone(), b]));
    let whole = || letters().chain(pairs().map(|pair| pair.concat()));
    let most = options.rules.min_tokens.saturating_sub(1);
    let tokens = (0..=most).flat_map(|empty| {
        let none = vec![Vec::new(); empty];
        let between = none.clone();
        let behind = whole().map(move |token| [&none[..], &[token]].concat());
        let apart = pairs().map(move |[a, b]| [&[a], &between[..], &[b]].concat());
        behind.chain(apart.filter(move |_| most > 0))
    });
    tokens.collect()
}

/// Conditions that have seen some tokens, and nothing that holds text back.
#[derive(Clone)]
struct Plain<'a> {
    options: &'a Options,
    conditions: Any,
    before: Before,
}

impl<'a> Plain<'a> {
    fn new(options: &'a Options) -> Plain<'a> {
        Plain { options, conditions: options.conditions().unwrap(), before: Before::default() }
    }

    /// Where the text ends, if this token ends it.
    fn see(&mut self, piece: &[u8]) -> Option<usize> {
        self.before.armed = self.before.tokens + 1 >= self.options.rules.min_tokens;
        let hit = self.conditions.see(&Token::new(1, piece), &self.before).filter(|_| self.before.armed);
        self.before.tokens += 1;
        self.before.bytes += piece.len();
        hit.map(|hit| if self.options.rules.keep_stop { hit.to } else { hit.from })
    }

    /// The longest text that nothing that may come next makes shorter.
    fn safe(&self, next: &[Vec<Vec<u8>>]) -> usize {
        let end = |tokens: &Vec<Vec<u8>>| {
            let mut copy = self.clone();
            tokens.iter().find_map(|piece| copy.see(piece))
        };
        next.iter().filter_map(end).min().unwrap_or(usize::MAX).min(self.before.bytes)
    }
}

/// How much may be printed after some tokens.
type Expected<'a> = dyn Fn(&[&[u8]], &Plain<'_>) -> RangeInclusive<usize> + 'a;

/// Gives `pieces` to conditions: they end where the plain ones do, and what is printed after each before that is within what `expected` says.
fn within(options: &Options, pieces: &[&[u8]], expected: &Expected<'_>) {
    let (mut stops, mut plain, mut out) = (Stops::new(options.clone()).unwrap(), Plain::new(options), vec![]);
    for (count, piece) in (1..).zip(pieces) {
        let stopped = stops.step(&Token::new(1, piece), &mut out).is_some();
        let (seen, end) = (&pieces[..count], plain.see(piece));
        assert_eq!(stopped, end.is_some(), "{seen:?} {options:?}");
        let range = end.map_or_else(|| expected(seen, &plain), |end| end..=end);
        assert!(range.contains(&out.len()), "{} {range:?} {seen:?} {options:?}", out.len());
        assert!(seen.concat().starts_with(&out), "{seen:?} {options:?}");
        if stopped {
            return;
        }
    }
}

/// Some conditions of every kind that looks at text, but for expressions.
fn options() -> impl Strategy<Value = Options> {
    let texts = prop::sample::subsequence(TEXTS, 0..4);
    let count = || prop::option::of(1usize..3);
    let counts = (count(), count(), count(), prop::option::of(3usize..12), any::<bool>());
    (texts, counts, any::<bool>(), prop_oneof![2 => Just(0usize), 1 => 1usize..5]).prop_map(
        |(texts, (sentences, paragraphs, lines, bytes, json), keep_stop, min_tokens)| {
            let rules = Rules {
                sentences,
                paragraphs,
                lines,
                bytes,
                json,
                keep_stop,
                min_tokens,
                ..Rules::default()
            };
            Options { texts: texts.into_iter().map(String::from).collect(), rules, ..Options::default() }
        },
    )
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(LETTERS), 0..9).prop_map(|parts| parts.concat())
}

/// Each of the conditions alone.
fn alone(options: &Options) -> Vec<Options> {
    let Rules { sentences, paragraphs, lines, bytes, json, keep_stop, min_tokens, .. } = options.rules;
    let with = |set: &dyn Fn(&mut Options)| {
        let rules = Rules { keep_stop, min_tokens, ..Rules::default() };
        let mut one = Options { rules, ..Options::default() };
        set(&mut one);
        one
    };
    let texts = options.texts.iter().map(|text| with(&|one| one.texts = vec![text.clone()]));
    let rules = [
        with(&|one| one.rules.sentences = sentences),
        with(&|one| one.rules.paragraphs = paragraphs),
        with(&|one| one.rules.lines = lines),
        with(&|one| one.rules.bytes = bytes),
        with(&|one| one.rules.json = json),
    ];
    #[cfg(feature = "regex")]
    let regexes =
        options.rules.regexes.iter().map(|regex| with(&|one| one.rules.regexes = vec![regex.clone()]));
    #[cfg(not(feature = "regex"))]
    let regexes = std::iter::empty();
    texts.chain(rules).chain(regexes).collect()
}

/// What is safe from each condition that has not held yet, by itself.
fn safe_from_each(each: &[Options], pieces: &[&[u8]], next: &[Vec<Vec<u8>>]) -> usize {
    let safe = |options: &Options| {
        let mut plain = Plain::new(options);
        let has_held = pieces.iter().any(|piece| plain.see(piece).is_some());
        if has_held { usize::MAX } else { plain.safe(next) }
    };
    each.iter().map(safe).min().unwrap_or(usize::MAX).min(pieces.concat().len())
}

fn cases(native: u32) -> ProptestConfig {
    ProptestConfig::with_cases(if emulated() { native / 8 } else { native })
}

proptest! {
    #![proptest_config(cases(256))]

    /// Of several conditions of which one is enough: neither more nor less than what no continuation removes. Only a byte before the limit, where stop
    /// texts are printed, a sentence that a blank line may end holds back the line end even if a stop text would end there too.
    #[test]
    fn any_of_them_prints_all_that_is_safe(options in options(), text in text(), cuts: u128) {
        let (bytes, next, each) = (text.as_bytes(), continuations(&options), alone(&options));
        let is_exact = !(options.rules.keep_stop && options.rules.sentences.is_some() && options.rules.bytes.is_some());
        for pieces in [cut(bytes, cuts), bytes.chunks(1).collect()] {
            within(&options, &pieces, &|pieces, plain| {
                let safe = plain.safe(&next);
                if is_exact { safe..=safe } else { safe_from_each(&each, pieces, &next)..=safe }
            });
        }
    }

    /// Of several that all have to hold, likewise, unless white space may be the end of a sentence or paragraph: then at least what each of those that
    /// are to come leaves by itself.
    #[test]
    fn all_of_them_print_all_that_is_safe(mut options in options(), text in text(), cuts: u128) {
        (options.rules.all, options.rules.min_tokens) = (true, 0);
        let (each, next) = (alone(&options), continuations(&options));
        let rules = &options.rules;
        let is_exact = rules.sentences.is_none() && rules.paragraphs.is_none();
        let pieces = cut(text.as_bytes(), cuts);
        within(&options, &pieces, &|pieces, plain| {
            let safe = plain.safe(&next);
            if is_exact { safe..=safe } else { safe_from_each(&each, pieces, &next)..=safe }
        });
    }
}

proptest! {
    /// What took over the place of another one, whatever it had seen, goes on as that one does.
    #[test]
    fn a_copy_goes_on_like_what_it_is_of(
        mut options in options(), all: bool, texts in prop::array::uniform3(text()), tokens in 0usize..4,
    ) {
        options.rules.all = all;
        let [mut judge, mut copy] = [(); 2].map(|()| Judge::new(&options).unwrap());
        let step = |judge: &mut Judge, byte: u8| {
            let reason = judge.step(&Token::new(1, &[byte]));
            (reason, judge.generated(), judge.bytes(), judge.certain(), judge.describe())
        };
        let ends = |judge: &mut Judge, text: &str| text.bytes().any(|byte| step(judge, byte).0.is_some());
        ends(&mut copy, &texts[1]);
        if ends(&mut judge, &texts[0]) {
            return Ok(());
        }
        copy.copy_from(&judge);
        for byte in texts[2].bytes().chain(std::iter::repeat_n(b'a', tokens)) {
            let seen = step(&mut judge, byte);
            prop_assert_eq!(&step(&mut copy, byte), &seen);
            if seen.0.is_some() {
                break;
            }
        }
    }
}

/// `\r` belongs to the end of the last line only if every other condition can have held by then.
#[test]
fn carriage_returns_of_lines_beside_others() {
    let held = |text: &str| {
        let rules = Rules { all: true, lines: Some(1), json: true, ..Rules::default() };
        let mut stops = Stops::new(Options { rules, ..Options::default() }).unwrap();
        assert_eq!(stops.step(&Token::new(1, text.as_bytes()), &mut vec![]), None);
        stops.held_len()
    };
    assert_eq!((held("a\r"), held("{\r"), held("{}a\r")), (0, 0, 1));
}

/// Expressions of which each partial match can be completed by two letters, and some that have others inside of them.
#[cfg(feature = "regex")]
const EXPRESSIONS: &[&[&str]] = &[
    &["a+b"],
    &["b."],
    &["a+b", "b."],
    &["a[bA]+\\.", "b "],
    &["A", "a+A."],
    &["abA", "a[bA]a"],
    &["\\.bA|aa"],
    &["ab*\\.|b*A"],
];

#[cfg(feature = "regex")]
proptest! {
    #![proptest_config(cases(256))]

    /// Beside expressions, stop texts and a limit of bytes: neither more nor less than what no continuation removes.
    #[test]
    fn expressions_print_all_that_is_safe(
        texts in prop::sample::subsequence(&["b", "aba", "bAa", "A.", "aa.", "a. "], 0..3),
        regexes in prop::sample::select(EXPRESSIONS),
        bytes in prop::option::of(3usize..9),
        keep_stop in prop::bool::weighted(0.2),
        text in "[abA.]{0,8}",
        cuts: u128,
    ) {
        let mut options = Options { texts: texts.into_iter().map(String::from).collect(), ..Options::default() };
        options.rules.regexes = regexes.iter().map(|regex| regex.to_string()).collect();
        (options.rules.bytes, options.rules.keep_stop) = (bytes, keep_stop);
        let next = continuations(&options);
        for pieces in [cut(text.as_bytes(), cuts), text.as_bytes().chunks(1).collect()] {
            within(&options, &pieces, &|_, plain| plain.safe(&next)..=plain.safe(&next));
        }
    }

    /// Below a minimum of tokens, a stop text ends nothing before an expression does: nothing is printed too early for that.
    #[test]
    fn expressions_wait_for_a_minimum_of_tokens(
        texts in prop::sample::subsequence(&["b", "aba", "A."], 1..3),
        regexes in prop::sample::select(EXPRESSIONS),
        min_tokens in 2usize..5,
        text in "[abA.]{0,8}",
    ) {
        let mut options = Options { texts: texts.into_iter().map(String::from).collect(), ..Options::default() };
        options.rules.regexes = regexes.iter().map(|regex| regex.to_string()).collect();
        options.rules.min_tokens = min_tokens;
        let (next, pieces) = (continuations(&options), text.as_bytes().chunks(1).collect::<Vec<_>>());
        within(&options, &pieces, &|_, plain| 0..=plain.safe(&next));
    }

    /// Beside other conditions, assertions, and where all have to hold: at least what is safe from each, and never more than what is safe from all.
    #[test]
    fn beside_an_expression(
        mut options in options(),
        text in text(),
        cuts: u128,
        regex in prop::sample::select(vec!["a+b", r"\bA", "b.", "(?m)^a", "(?m)a$"]),
        all: bool,
    ) {
        options.rules.regexes.push(regex.into());
        (options.rules.min_tokens, options.rules.all) = (0, all);
        let (each, next) = (alone(&options), continuations(&options));
        within(&options, &cut(text.as_bytes(), cuts), &|pieces, plain| {
            safe_from_each(&each, pieces, &next)..=plain.safe(&next)
        });
    }
}
