//! Stop texts against a search in the whole text, over every way to cut it; the conditions and their order.

use super::*;
use proptest::prelude::*;

/// What a search in the whole text says: which stop text is complete first, and where it starts.
fn search(stream: &[u8], texts: &[Vec<u8>]) -> Option<(usize, usize)> {
    (1..=stream.len()).find_map(|end| {
        let ending_here = (0..texts.len()).filter(|i| stream[..end].ends_with(&texts[*i]));
        // `rev`, because of equal keys `max_by_key` takes the last.
        let longest = ending_here.rev().max_by_key(|i| texts[*i].len())?;
        Some((longest, end - texts[longest].len()))
    })
}

/// The longest end of `stream` that begins a stop text without being all of it.
fn must_hold(stream: &[u8], texts: &[Vec<u8>]) -> usize {
    let begins = |end: &[u8]| texts.iter().any(|text| text.len() > end.len() && text.starts_with(end));
    (0..=stream.len()).rev().find(|n| begins(&stream[stream.len() - n..])).unwrap_or(0)
}

/// Pushes `stream` in `pieces` and compares with the search after each of them.
fn compare(pieces: &[&[u8]], texts: &[Vec<u8>]) {
    let mut matcher = StopTexts::new(texts).unwrap();
    let (mut seen, mut out) = (Vec::new(), Vec::new());
    for piece in pieces {
        let found = matcher.push(piece, &mut out);
        seen.extend_from_slice(piece);
        let expected = search(&seen, texts);
        assert_eq!(found, expected.map(|(index, _)| index), "{pieces:?} {texts:?}");
        let printable = expected.map_or(seen.len() - must_hold(&seen, texts), |(_, start)| start);
        assert_eq!(out, seen[..printable], "{pieces:?} {texts:?}");
        assert_eq!(matcher.held_len(), if found.is_some() { 0 } else { seen.len() - printable });
    }
    let all = search(&seen, texts).map_or(seen.len(), |(_, start)| start);
    matcher.finish(&mut out);
    matcher.finish(&mut out);
    assert_eq!(out, seen[..all], "{pieces:?} {texts:?}");
}

/// Cuts `stream` after byte `i` wherever bit `i` of `cuts` is set.
fn cut(stream: &[u8], cuts: u128) -> Vec<&[u8]> {
    let mut pieces = vec![];
    let mut start = 0;
    for end in 1..=stream.len() {
        if end == stream.len() || cuts >> (end - 1) & 1 == 1 {
            pieces.push(&stream[start..end]);
            start = end;
        }
    }
    pieces
}

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Every text of `a` and `b` up to eight long, cut in every way, for stop texts that overlap themselves and others.
#[test]
fn every_split_of_every_short_text() {
    let sets: [&[&str]; 7] = [
        &["aab"],
        &["aaab"],
        &["aab", "aaab"],
        &["abab", "bb"],
        &["abba", "bb"],
        &["a"],
        &["bab", "ab", "bab"],
    ];
    for texts in sets.map(bytes) {
        for length in 0..=8u32 {
            for letters in 0..1u32 << length {
                let stream: Vec<u8> = (0..length).map(|i| b'a' + (letters >> i & 1) as u8).collect();
                for cuts in 0..1u128 << length.saturating_sub(1) {
                    compare(&cut(&stream, cuts), &texts);
                }
            }
        }
    }
}

/// Texts over a few characters, one of them of two bytes and two of them of three, that share first bytes.
fn any_text(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let letter = prop::sample::select(vec!["a", "b", "é", "è", "鳥", "鳦"]);
    prop::collection::vec(letter, length).prop_map(|letters| letters.concat().into_bytes())
}

proptest! {
    #[test]
    fn utf8_in_any_pieces(stream in any_text(0..25), texts in prop::collection::vec(any_text(1..5), 0..5), cuts: u128) {
        compare(&cut(&stream, cuts), &texts);
        compare(&[&stream], &texts);
        compare(&stream.chunks(1).collect::<Vec<_>>(), &texts);
    }

    #[test]
    fn any_bytes_in_any_pieces(
        pieces in prop::collection::vec(prop::collection::vec(0u8..3, 0..6), 0..12),
        texts in prop::collection::vec(prop::collection::vec(0u8..3, 1..9), 0..5),
    ) {
        compare(&pieces.iter().map(Vec::as_slice).collect::<Vec<_>>(), &texts);
    }
}

#[test]
fn after_a_match_nothing_comes_until_reset() {
    let mut matcher = StopTexts::new(["stop"]).unwrap();
    let mut out = Vec::new();
    assert_eq!(matcher.push(b"a stop b", &mut out), Some(0));
    assert_eq!(matcher.push(b"c", &mut out), Some(0));
    matcher.finish(&mut out);
    assert_eq!(matcher.push(b"d", &mut out), Some(0));
    assert_eq!(out, b"a ");
    matcher.reset();
    assert_eq!(matcher.push(b"d sto", &mut out), None);
    assert_eq!(out, b"a d ");
}

/// A run of the first letter that is longer than the text's own: the hold-back moves along with it.
#[test]
fn a_long_run_of_the_beginning() {
    let text = [vec![b'a'; 64], vec![b'b']].concat();
    let mut matcher = StopTexts::new([&text]).unwrap();
    let mut out = Vec::new();
    assert_eq!(matcher.push(&[b'a'; 100_000], &mut out), None);
    assert_eq!(out.len(), 100_000 - 64);
    assert_eq!(matcher.push(b"b", &mut out), Some(0));
    assert_eq!(out.len(), 100_000 - 64);
}

#[test]
fn empty_text_is_an_error() {
    let error = StopTexts::new(["a", ""]).unwrap_err();
    assert_eq!(error, Error::EmptyText { index: 1 });
    assert!(error.to_string().starts_with("stop text 2: found an empty text"), "{error}");
    assert!(Stops::new(Options { texts: vec![String::new()], ..Options::default() }).is_err());
}

/// Runs tokens `(is_eog, piece)`, with ids from 0, until a reason; then finishes.
fn run(options: Options, tokens: &[(bool, &str)]) -> (Option<Reason>, String) {
    let mut stops = Stops::new(options).unwrap();
    let mut out = Vec::new();
    let mut reason = stops.check();
    for (id, (is_eog, piece)) in (0..).zip(tokens) {
        if reason.is_none() {
            reason = stops.step(id, *is_eog, piece.as_bytes(), &mut out);
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
    assert_eq!(stops.step(1, false, b"a", &mut out), None);
    flag.store(true, Ordering::Relaxed);
    assert_eq!(stops.step(2, false, b"b", &mut out), Some(Reason::Cancelled));
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
    };
    let winner = |options: &Options| {
        let mut stops = Stops::new(options.clone()).unwrap();
        flag.store(true, Ordering::Relaxed);
        stops.step(5, true, b"x", &mut Vec::new()).map(|reason| (reason.name(), reason.detail()))
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

#[test]
fn reasons_read_well() {
    let shown = |reason: Reason| reason.to_string();
    assert_eq!(shown(Reason::Eos { token: 2 }), "end-of-generation token 2");
    assert_eq!(shown(Reason::MaxTokens { n: 64 }), "maximum of 64 tokens reached");
    assert_eq!(shown(Reason::StopText { text: "\nUser:".into() }), "stop text \"\\nUser:\"");
    assert_eq!(shown(Reason::Context { n: 2048 }), "context of 2048 tokens full");
    assert_eq!(shown(Reason::Cancelled), "cancelled");
}
