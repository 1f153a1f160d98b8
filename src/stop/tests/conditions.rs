//! Conditions that judge tokens, combinations, closures, and what is said about all of them.

use crate::stop::{any, *};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn stops(set: impl Fn(&mut Rules)) -> Stops {
    let mut options = Options::default();
    set(&mut options.rules);
    Stops::new(options).unwrap()
}

fn likely(probability: f32) -> Token<'static> {
    Token { logprob: Some(probability.ln()), ..Token::new(1, b"x") }
}

#[test]
fn an_unlikely_token_is_not_printed() {
    for (keep, expected) in [(false, "xx"), (true, "xxx")] {
        let mut stops = stops(|rules| {
            rules.below = Some(0.25);
            rules.keep_stop = keep;
        });
        assert_eq!(stops.needs(), Needs { logprob: true, entropy: false });
        let mut out = Vec::new();
        assert_eq!(stops.step(&likely(1.0), &mut out), None);
        assert_eq!(stops.step(&likely(0.26), &mut out), None);
        let reason = stops.step(&likely(0.125), &mut out);
        assert_eq!(reason, Some(Reason::Confidence { probability: 0.125, limit: 0.25, window: 1 }));
        assert_eq!(out, expected.as_bytes());
    }
}

/// A probability that equals the limit is none below it.
#[test]
fn certain_tokens_are_never_below() {
    let mut one = stops(|rules| rules.below = Some(1.0));
    let mut mean = stops(|rules| rules.below_mean = Some((1.0, 2)));
    for stops in [&mut one, &mut mean] {
        assert_eq!([(); 3].map(|()| stops.step(&likely(1.0), &mut Vec::new())), [None, None, None]);
    }
}

/// Up to 512 levels each bracket is closed by its like; in deeper ones by either.
#[test]
fn json_knows_512_levels() {
    let kind = |level: usize| usize::from(level.is_multiple_of(3) || level % 64 == 7);
    let open = |depth| (0..depth).map(|level| ["[", "{"][kind(level)]).collect::<String>();
    let close = |levels: std::ops::Range<usize>, other: Option<usize>| {
        let bracket = |level| ["]", "}"][kind(level) ^ usize::from(other == Some(level))];
        levels.rev().map(bracket).collect::<String>()
    };
    let ends_at = |text: String| {
        let mut stops = stops(|rules| rules.json = true);
        text.bytes().position(|byte| stops.step(&Token::new(1, &[byte]), &mut Vec::new()).is_some())
    };
    for depth in [1, 2, 64, 65, 66, 129, 512, 513, 600] {
        assert_eq!(ends_at(open(depth) + &close(0..depth, None) + "]"), Some(2 * depth - 1), "{depth}");
        for other in [0, 7, 63, 64, 100, 511, 512].into_iter().filter(|level| *level < depth) {
            let expected = (other >= 512).then_some(2 * depth - 1);
            assert_eq!(ends_at(open(depth) + &close(0..depth, Some(other))), expected, "{other} of {depth}");
        }
    }
}

#[test]
fn an_undecided_distribution_ends_it() {
    let mut stops = stops(|rules| rules.entropy = Some(2.0));
    assert_eq!(stops.needs(), Needs { logprob: false, entropy: true });
    let token = |entropy| Token { entropy: Some(entropy), ..Token::new(1, b"x") };
    let mut out = Vec::new();
    assert_eq!(stops.step(&token(2.0), &mut out), None);
    let reason = stops.step(&token(2.5), &mut out);
    assert_eq!(
        (reason, out.as_slice()),
        (Some(Reason::Entropy { entropy: 2.5, limit: 2.0 }), b"x".as_slice())
    );
}

proptest! {
    #[test]
    fn the_mean_is_that_of_the_window(
        probabilities in prop::collection::vec(0.0f32..=1.0, 0..60),
        limit in 0.1f32..0.9,
        window in 1usize..9,
    ) {
        let mut stops = stops(|rules| rules.below_mean = Some((limit, window)));
        let found = probabilities.iter().position(|p| stops.step(&likely(*p), &mut Vec::new()).is_some());
        let mean = |last: &[f32]| last.iter().map(|p| f64::from(*p)).sum::<f64>() / window as f64;
        let means: Vec<f64> = probabilities.windows(window).map(mean).collect();
        // Where the mean is as good as the limit, rounding decides.
        prop_assume!(means.iter().all(|mean| (mean - f64::from(limit)).abs() > 1e-6));
        let expected = means.iter().position(|mean| *mean < f64::from(limit)).map(|i| i + window - 1);
        prop_assert_eq!(found, expected);
    }

    /// The rule, word by word, on all tokens so far.
    #[test]
    fn loops_are_those_of_the_rule(
        beginning in prop::collection::vec(0u32..3, 0..20),
        cycle in prop::collection::vec(0u32..3, 1..12),
        repeats in 2usize..6,
    ) {
        let mut stops = stops(|rules| rules.repeats = Some(repeats));
        let mut seen: Vec<u32> = Vec::new();
        for id in beginning.iter().chain(cycle.iter().cycle().take(100)) {
            seen.push(*id);
            let is_loop = |c: usize| {
                let tokens = (c * repeats).max(SHORTEST_LOOP);
                let last = seen.len().checked_sub(tokens).map(|start| &seen[start..]);
                last.is_some_and(|last| last[c..].iter().zip(last).all(|(a, b)| a == b))
            };
            let expected = (1..=LONGEST_CYCLE).find(|c| is_loop(*c));
            match stops.step(&Token::new(*id, b"x"), &mut Vec::new()) {
                Some(Reason::Loop { length, repeats: found }) => {
                    prop_assert_eq!(Some(length), expected);
                    prop_assert!(found >= repeats);
                    return Ok(());
                }
                other => prop_assert_eq!((other, expected), (None, None)),
            }
        }
        // The cycle is at most 11 long, and 100 tokens are more than five of it and more than 24.
        prop_assert!(false, "no loop in {:?}", seen);
    }
}

#[test]
fn the_longest_cycle_is_found_and_no_longer_one() {
    for (length, found) in [(LONGEST_CYCLE, true), (LONGEST_CYCLE + 1, false)] {
        let mut stops = stops(|rules| rules.repeats = Some(2));
        let ids = (0..length as u32).cycle().take(length * 4);
        let steps = ids.map(|id| stops.step(&Token::new(id, b"x"), &mut Vec::new()).is_some());
        assert_eq!(steps.into_iter().position(|stopped| stopped), found.then_some(2 * length - 1));
    }
}

/// A clock that a test moves, in milliseconds.
fn clock() -> (Arc<AtomicU64>, Clock) {
    let ms = Arc::new(AtomicU64::new(5_000));
    let now = ms.clone();
    (ms, Clock::new(move || Duration::from_millis(now.load(Ordering::Relaxed))))
}

#[test]
fn time_counts_from_before_the_first_token() {
    let (ms, clock) = clock();
    let limit = Duration::from_millis(100);
    let mut stops = stops(|rules| {
        rules.time = Some(limit);
        rules.clock = clock.clone();
    });
    // Reading the prompt.
    ms.fetch_add(1_000, Ordering::Relaxed);
    assert_eq!(stops.check(), None);
    ms.fetch_add(99, Ordering::Relaxed);
    let mut out = Vec::new();
    assert_eq!(stops.step(&Token::new(1, b"a"), &mut out), None);
    assert_eq!(stops.describe()[0].text, "0.099 s of 0.1 s");
    assert_eq!(stops.check(), None);
    ms.fetch_add(1, Ordering::Relaxed);
    assert_eq!(stops.clone().check(), Some(Reason::Time { limit }));
    assert_eq!(stops.step(&Token::new(1, b"b"), &mut out), Some(Reason::Time { limit }));
    assert_eq!(out, b"ab");
}

#[test]
fn no_time_at_all_ends_it_before_the_first_token() {
    let mut stops = stops(|rules| rules.time = Some(Duration::ZERO));
    assert_eq!(stops.check(), Some(Reason::Time { limit: Duration::ZERO }));
}

fn boxed(condition: impl Condition + 'static) -> Box<dyn Condition> {
    Box::new(condition)
}

/// (Sentences and lines) or json, and a minimum of tokens by `all`.
#[test]
fn combinations_nest() {
    let run = |pieces: &[&str]| {
        let both = all([boxed(Sentences::new(1).unwrap()), boxed(Lines::new(1).unwrap())]);
        let either = any([boxed(both), boxed(Json::new())]);
        let mut stops = stops(|rules| rules.also = vec![boxed(either.clone())]);
        let mut out = Vec::new();
        let reason = pieces.iter().find_map(|piece| stops.step(&Token::new(1, piece.as_bytes()), &mut out));
        (reason.map(|reason| reason.name()), String::from_utf8(out).unwrap())
    };
    assert_eq!(run(&["One. Two", " three\n"]), (Some("lines"), "One. Two three".into()));
    assert_eq!(run(&["One\nTwo. ", "Three"]), (Some("sentences"), "One\nTwo.".into()));
    assert_eq!(run(&["One. [2] a\n"]), (Some("json"), "One. [2]".into()));
    assert_eq!(run(&["One. Two"]).0, None);
}

#[test]
fn time_may_be_the_last_of_all() {
    let (ms, clock) = clock();
    let mut stops = stops(|rules| {
        rules.all = true;
        rules.lines = Some(1);
        rules.time = Some(Duration::from_millis(10));
        rules.clock = clock.clone();
    });
    let mut out = Vec::new();
    assert_eq!(stops.check(), None);
    assert_eq!(stops.step(&Token::new(1, b"a\nb"), &mut out), None);
    assert_eq!(out, b"a\nb");
    ms.fetch_add(10, Ordering::Relaxed);
    assert_eq!(stops.check(), Some(Reason::Time { limit: Duration::from_millis(10) }));
}

/// Each text and each pattern is a condition of its own.
#[test]
fn all_waits_for_every_text_and_pattern() {
    let run = |all: bool, pieces: &[&str]| {
        let mut options = Options { texts: vec!["X".into(), "Y".into()], ..Options::default() };
        options.rules.all = all;
        #[cfg(feature = "regex")]
        {
            options.rules.regexes = vec!["[0-9]".into(), "Z+".into()];
        }
        let (mut stops, mut out) = (Stops::new(options).unwrap(), Vec::new());
        pieces.iter().position(|piece| stops.step(&Token::new(1, piece.as_bytes()), &mut out).is_some())
    };
    let pieces = ["aX", "b", "cY", "d7", "eZ", "f"];
    assert_eq!(run(false, &pieces), Some(0));
    assert_eq!(run(true, &pieces), Some(if cfg!(feature = "regex") { 4 } else { 2 }));
    assert_eq!(run(true, &["aX", "bX", "c"]), None);
}

/// What holds below the minimum of tokens is asked again when there are enough.
#[test]
fn all_waits_for_the_minimum() {
    let mut stops = stops(|rules| {
        (rules.all, rules.min_tokens) = (true, 2);
        (rules.time, rules.bytes) = (Some(Duration::ZERO), Some(1));
    });
    let mut out = Vec::new();
    assert_eq!(stops.check(), None);
    assert_eq!(stops.step(&Token::new(1, b"ab"), &mut out), None);
    assert!(stops.step(&Token::new(1, b"cd"), &mut out).is_some());
    assert_eq!(out, b"abcd");
}

#[test]
fn a_closure_keeps_its_state_and_a_clone_its_own() {
    let mut count = 0;
    let mut stops = stops(|rules| {
        rules.also.push(boxed(when("third", move |_, before| {
            count += 1;
            count == 3 && before.tokens == 2
        })));
    });
    let step = |stops: &mut Stops| stops.step(&Token::new(1, b"x"), &mut Vec::new());
    assert_eq!(step(&mut stops), None);
    let mut other = stops.clone();
    assert_eq!((step(&mut stops), step(&mut other)), (None, None));
    let reason = Some(Reason::Custom { text: "third".into() });
    assert_eq!((step(&mut stops), step(&mut other)), (reason.clone(), reason));
}

/// A condition that claims to remove what it did not hold: what is out stays out.
#[test]
fn a_careless_condition_cannot_take_text_back() {
    #[derive(Clone)]
    struct Careless;
    impl Condition for Careless {
        fn name(&self) -> &'static str {
            "careless"
        }
        fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
            let reason = Reason::Custom { text: String::new() };
            (before.tokens > 0).then_some(Hit { at: before.end(token), from: 0, to: 0, reason })
        }
        fn hold(&self, _: bool) -> usize {
            0
        }
        fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("careless")
        }
    }
    let mut stops = stops(|rules| rules.also.push(boxed(Careless)));
    let mut out = Vec::new();
    assert_eq!(stops.step(&Token::new(1, b"ab"), &mut out), None);
    assert!(stops.step(&Token::new(1, b"cd"), &mut out).is_some());
    stops.finish(&mut out);
    assert_eq!(out, b"ab");
}

#[test]
fn conditions_say_what_they_see() {
    let mut options = Options { texts: vec!["END".into()], max_tokens: Some(9), ..Options::default() };
    options.context = Some(50);
    options.prompt_tokens = 4;
    let rules = &mut options.rules;
    (rules.min_tokens, rules.sentences, rules.lines, rules.paragraphs) = (1, Some(2), Some(3), Some(1));
    (rules.json, rules.bytes, rules.repeats) = (true, Some(100), Some(4));
    (rules.below, rules.below_mean, rules.entropy) = (Some(0.01), Some((0.1, 4)), Some(8.0));
    let mut stops = Stops::new(options).unwrap();
    let token = Token { logprob: Some(0.5f32.ln()), entropy: Some(1.5), ..Token::new(7, b"One. Two\n{\"a") };
    assert_eq!(stops.step(&token, &mut Vec::new()), None);
    assert_eq!(stops.step(&Token { piece: b"EN", ..token }, &mut Vec::new()), None);
    let shown: Vec<String> = stops.describe().iter().map(|s| format!("{}: {}", s.name, s.text)).collect();
    let expected = [
        "stop_text: 2 of 3 bytes of \"END\"",
        "json: 1 open, in a string",
        "sentences: 1 of 2",
        "paragraphs: 0 of 1",
        "lines: 1 of 3",
        "bytes: 14 of 100",
        "confidence: 0.5000, no less than 0.01",
        "confidence: 2 of 4 tokens of the window",
        "entropy: 1.5000, no more than 8",
        "loop: 2 tokens of period 1",
        "min_tokens: 2 of 1",
        "max_tokens: 2 of 9",
        "context: 6 of 50",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn reasons_read_well() {
    let all = [
        (Reason::Eos { token: 2 }, "eos", "2", "end-of-generation token 2"),
        (Reason::MaxTokens { n: 64 }, "max_tokens", "64", "maximum of 64 tokens reached"),
        (Reason::StopText { text: "\nU:".into() }, "stop_text", "\nU:", "stop text \"\\nU:\""),
        (Reason::Regex { pattern: "a+".into() }, "regex", "a+", "match of \"a+\""),
        (Reason::Sentences { n: 2 }, "sentences", "2", "end of sentence 2"),
        (Reason::Lines { n: 2 }, "lines", "2", "end of line 2"),
        (Reason::Paragraphs { n: 2 }, "paragraphs", "2", "end of paragraph 2"),
        (Reason::Json, "json", "", "end of the JSON value"),
        (
            Reason::Confidence { probability: 0.25, limit: 0.5, window: 1 },
            "confidence",
            "0.25",
            "token of probability 0.2500, below 0.5",
        ),
        (
            Reason::Confidence { probability: 0.25, limit: 0.5, window: 8 },
            "confidence",
            "0.25",
            "mean probability 0.2500 of the last 8 tokens, below 0.5",
        ),
        (Reason::Entropy { entropy: 2.5, limit: 2.0 }, "entropy", "2.5", "entropy of 2.5000 nats, above 2"),
        (Reason::Loop { length: 1, repeats: 24 }, "loop", "1", "the same token 24 times"),
        (Reason::Loop { length: 8, repeats: 4 }, "loop", "8", "the same 8 tokens 4 times"),
        (Reason::Time { limit: Duration::from_millis(1500) }, "time", "1.5", "time limit of 1.5s"),
        (Reason::Bytes { n: 9 }, "bytes", "9", "maximum of 9 bytes reached"),
        (Reason::Context { n: 2048 }, "context", "2048", "context of 2048 tokens full"),
        (Reason::Cancelled, "cancelled", "", "cancelled"),
        (Reason::Custom { text: "enough".into() }, "custom", "enough", "enough"),
    ];
    for (reason, name, detail, shown) in all {
        assert_eq!(
            (reason.name(), reason.detail().as_str(), reason.to_string().as_str()),
            (name, detail, shown)
        );
    }
}

/// What a condition says below the minimum of tokens does not count for `all` either, whether or not it looked at that itself.
#[test]
fn all_counts_nothing_below_the_minimum_of_tokens() {
    #[derive(Debug, Clone)]
    struct AtToken(u32);
    impl Condition for AtToken {
        fn name(&self) -> &'static str {
            "at_token"
        }
        fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
            let reason = Reason::Custom { text: self.0.to_string() };
            (token.id == self.0).then(|| Hit::after(token, before, reason))
        }
        fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "{}", self.0)
        }
    }
    let mut stops = stops(|rules| {
        rules.min_tokens = 2;
        rules.also.push(Box::new(all([boxed(AtToken(1)), boxed(AtToken(2))])));
    });
    assert_eq!(stops.describe()[0].text, "0 of 2 held; at_token 1; at_token 2");
    let mut step = |id| stops.step(&Token::new(id, b"x"), &mut Vec::new()).is_some();
    assert_eq!([1, 2, 2].map(&mut step), [false; 3]);
    assert!(step(1));
}
