//! Limits, end of generation, the order of reasons, the minimum of tokens.

use crate::stop::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn empty_text_is_an_error() {
    let error = StopTexts::new(["a", ""]).unwrap_err();
    assert_eq!(error, Error::EmptyText { index: 1 });
    assert!(error.to_string().starts_with("stop text 2: found an empty text"), "{error}");
    assert!(Stops::new(Options { texts: vec![String::new()], ..Options::default() }).is_err());
}

fn token(id: u32, is_eog: bool, piece: &str) -> Token<'_> {
    Token { is_eog, ..Token::new(id, piece.as_bytes()) }
}

/// Runs tokens `(is_eog, piece)`, with ids from 0, until a reason; then finishes.
fn run(options: Options, tokens: &[(bool, &str)]) -> (Option<Reason>, String) {
    let mut stops = Stops::new(options).unwrap();
    let mut out = Vec::new();
    let mut reason = stops.check();
    for (id, (is_eog, piece)) in (0..).zip(tokens) {
        if reason.is_none() {
            reason = stops.step(&token(id, *is_eog, piece), &mut out);
        }
    }
    stops.finish(&mut out);
    (reason, String::from_utf8(out).unwrap())
}

const TOKENS: [(bool, &str); 4] = [(false, "one "), (false, "two "), (true, "</s>"), (false, "three")];

#[test]
fn eos_ends_without_its_text() {
    let (reason, text) = run(Options::default(), &TOKENS);
    assert_eq!((reason, text.as_str()), (Some(Reason::Eos { token: 2 }), "one two "));
    let (reason, text) = run(Options { ignore_eos: true, ..Options::default() }, &TOKENS);
    assert_eq!((reason, text.as_str()), (None, "one two </s>three"));
}

#[test]
fn the_token_that_reaches_a_limit_is_printed() {
    for (n, expected) in [(0, ""), (1, "one "), (2, "one two ")] {
        let (reason, text) = run(Options { max_tokens: Some(n), ..Options::default() }, &TOKENS);
        assert_eq!((reason, text.as_str()), (Some(Reason::MaxTokens { n }), expected));
        let options = Options { context: Some(5 + n), prompt_tokens: 5, ..Options::default() };
        let (reason, text) = run(options, &TOKENS);
        assert_eq!((reason, text.as_str()), (Some(Reason::Context { n: 5 + n }), expected));
    }
}

#[test]
fn held_text_is_printed_when_something_else_ends_it() {
    let texts = vec!["two three".to_string()];
    let options = Options { max_tokens: Some(2), texts: texts.clone(), ..Options::default() };
    assert_eq!(run(options, &TOKENS).1, "one two ");
    let options = Options { texts, ..Options::default() };
    assert_eq!(run(options, &TOKENS).1, "one two ");
}

#[test]
fn cancelling_ends_after_the_token() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut stops = Stops::new(Options { cancelled: Some(flag.clone()), ..Options::default() }).unwrap();
    let mut out = Vec::new();
    assert_eq!(stops.step(&Token::new(1, b"a"), &mut out), None);
    flag.store(true, Ordering::Relaxed);
    assert_eq!(stops.step(&Token::new(2, b"b"), &mut out), Some(Reason::Cancelled));
    assert_eq!(stops.check(), Some(Reason::Cancelled));
    assert_eq!((out.as_slice(), stops.generated()), (b"ab".as_slice(), 2));
}

/// All five conditions hold after the first token; then the winner is taken away, one after the other.
#[test]
fn ties_go_in_the_stated_order() {
    let flag = Arc::new(AtomicBool::new(false));
    let mut options = Options {
        ignore_eos: false,
        max_tokens: Some(1),
        texts: vec!["x".to_string()],
        context: Some(9),
        prompt_tokens: 8,
        cancelled: Some(flag.clone()),
        rules: Rules::default(),
    };
    let winner = |options: &Options| {
        let mut stops = Stops::new(options.clone()).unwrap();
        flag.store(true, Ordering::Relaxed);
        stops.step(&token(5, true, "x"), &mut Vec::new()).map(|reason| (reason.name(), reason.detail()))
    };
    let is = |name, detail: &str| Some((name, detail.to_string()));
    assert_eq!(winner(&options), is("eos", "5"));
    options.ignore_eos = true;
    assert_eq!(winner(&options), is("stop_text", "x"));
    options.texts.clear();
    assert_eq!(winner(&options), is("max_tokens", "1"));
    options.max_tokens = None;
    assert_eq!(winner(&options), is("context", "9"));
    options.context = None;
    assert_eq!(winner(&options), is("cancelled", ""));
    options.cancelled = None;
    assert_eq!(winner(&options), None);
}

/// Each condition after the same token; the one that is complete first wins, then the one that removes most, then the order of the table.
#[test]
fn ties_between_conditions() {
    let winner = |rules: &dyn Fn(&mut Options), piece: &str| {
        let mut options = Options { max_tokens: Some(1), ..Options::default() };
        rules(&mut options);
        let mut stops = Stops::new(options).unwrap();
        let sure = Token { logprob: Some(-5.0), entropy: Some(3.0), ..Token::new(1, piece.as_bytes()) };
        let mut out = Vec::new();
        let reason = stops.step(&sure, &mut out).map(|reason| reason.name());
        (reason.unwrap(), String::from_utf8(out).unwrap())
    };
    let is = |name, text: &str| (name, text.to_string());
    let line_and_text = |options: &mut Options| {
        options.texts = vec!["b".into()];
        options.rules.lines = Some(1);
    };
    assert_eq!(winner(&line_and_text, "a\nb"), is("lines", "a"));
    assert_eq!(winner(&line_and_text, "ab\n"), is("stop_text", "a"));
    // At the same byte the one that removes more.
    let both = |options: &mut Options| {
        options.texts = vec!["}".into()];
        options.rules.json = true;
    };
    assert_eq!(winner(&both, "x {} y"), is("stop_text", "x {"));
    // Whole tokens are judged at their last byte.
    let unsure = |options: &mut Options| {
        options.rules.below = Some(0.1);
        options.rules.entropy = Some(2.0);
        options.rules.bytes = Some(3);
    };
    assert_eq!(winner(&unsure, "abcd"), is("bytes", "abc"));
    assert_eq!(winner(&unsure, "abc"), is("confidence", ""));
    assert_eq!(winner(&|options| options.rules.entropy = Some(2.0), "abc"), is("entropy", ""));
    assert_eq!(winner(&|options| options.rules.bytes = Some(3), "abc"), is("bytes", "abc"));
    assert_eq!(winner(&|options| options.rules.bytes = Some(4), "abc"), is("max_tokens", "abc"));
}

#[test]
fn below_the_minimum_nothing_ends_but_context_and_caller() {
    let run_with = |options: Options| {
        let tokens =
            [(false, "a"), (false, "E"), (false, "b. "), (true, "</s>"), (false, "c E"), (false, "d. E")];
        run(options, &tokens)
    };
    let mut options = Options { texts: vec!["E".into()], ..Options::default() };
    options.rules.min_tokens = 4;
    options.rules.keep_stop = true;
    let stop = Some(Reason::StopText { text: "E".into() });
    // The end-of-generation token counts, has no text, and does not end it.
    assert_eq!(run_with(options.clone()), (stop.clone(), "aEb. c E".into()));
    options.rules.keep_stop = false;
    assert_eq!(run_with(options.clone()), (stop, "aEb. c ".into()));
    options.rules.min_tokens = 3;
    assert_eq!(run_with(options.clone()), (Some(Reason::Eos { token: 3 }), "aEb. ".into()));
    options.context = Some(2);
    assert_eq!(run_with(options.clone()), (Some(Reason::Context { n: 2 }), "aE".into()));
    options.max_tokens = Some(2);
    let error = Stops::new(options).unwrap_err();
    assert_eq!(error, Error::Minimum { min: 3, max: 2 });
}

/// Counts go on below the minimum, and what is beyond them ends the generation at the next occasion: the fourth token shows that the
/// third sentence is complete.
#[test]
fn counts_below_the_minimum() {
    let tokens = ["One. ", "Two. ", "Three. ", "Four", ". ", "Five. ", "Six"].map(|piece| (false, piece));
    let mut options = Options::default();
    options.rules.min_tokens = 4;
    options.rules.sentences = Some(1);
    assert_eq!(run(options, &tokens).1, "One. Two. Three.");
    let mut options = Options::default();
    options.rules.min_tokens = 3;
    options.rules.bytes = Some(5);
    assert_eq!(run(options, &tokens), (Some(Reason::Bytes { n: 5 }), "One. Two. Three. ".into()));
    let mut options = Options::default();
    options.rules.min_tokens = 2;
    options.rules.time = Some(std::time::Duration::ZERO);
    assert_eq!(run(options, &tokens).1, "One. Two. ");
}

#[test]
fn end_of_generation_is_forbidden_below_the_minimum() {
    let mut options = Options::default();
    options.rules.min_tokens = 2;
    let mut stops = Stops::new(options.clone()).unwrap();
    let mut forbidden = Vec::new();
    for id in 0..4 {
        forbidden.push(stops.forbids_eog());
        stops.step(&Token::new(id, b"a"), &mut Vec::new());
    }
    assert_eq!(forbidden, [true, true, false, false]);
    options.ignore_eos = true;
    assert!(!Stops::new(options).unwrap().forbids_eog());
}

#[test]
fn options_that_make_no_sense() {
    let error = |set: &dyn Fn(&mut Rules)| {
        let mut options = Options::default();
        set(&mut options.rules);
        Stops::new(options).unwrap_err().to_string()
    };
    let zeros: [&dyn Fn(&mut Rules); 4] = [
        &|rules| rules.sentences = Some(0),
        &|rules| rules.lines = Some(0),
        &|rules| rules.paragraphs = Some(0),
        &|rules| rules.bytes = Some(0),
    ];
    for set in zeros {
        assert!(error(set).contains("found 0, expected at least 1"));
    }
    for p in [0.0, -1.0, 1.5, f32::NAN] {
        assert!(error(&|rules| rules.below = Some(p)).contains("at most 1"));
        assert!(error(&|rules| rules.below_mean = Some((p, 3))).contains("at most 1"));
    }
    assert!(error(&|rules| rules.below_mean = Some((0.5, 0))).contains("tokens of a window"));
    assert!(error(&|rules| rules.entropy = Some(f32::NAN)).contains("found NaN nats"));
    assert!(error(&|rules| rules.entropy = Some(-1.0)).contains("found -1 nats"));
    assert!(error(&|rules| rules.repeats = Some(1)).contains("at least 2"));
}

/// Where the minimum of tokens let the text go on up to the limit of bytes or beyond, it ends behind the next token.
#[test]
fn bytes_wait_for_a_minimum_of_tokens() {
    for (n, expected) in [(1, "one two "), (4, "one two "), (5, "one t")] {
        let rules = Rules { bytes: Some(n), min_tokens: 2, ..Rules::default() };
        let (reason, text) = run(Options { rules, ..Options::default() }, &TOKENS);
        assert_eq!((reason, text.as_str()), (Some(Reason::Bytes { n }), expected));
    }
}
