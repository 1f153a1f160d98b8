//! Stop texts against a search in the whole text, over every way to cut it.

use super::cut;
use crate::stop::StopTexts;
use proptest::prelude::*;
use siskin_tools::emulated;

/// What a search in the whole text says: which stop text is complete first, and where it starts.
pub(super) fn search(stream: &[u8], texts: &[Vec<u8>]) -> Option<(usize, usize)> {
    (1..=stream.len()).find_map(|end| {
        let ending_here = (0..texts.len()).filter(|i| stream[..end].ends_with(&texts[*i]));
        // `rev`, because of equal keys `max_by_key` takes the last.
        let longest = ending_here.rev().max_by_key(|i| texts[*i].len())?;
        Some((longest, end - texts[longest].len()))
    })
}

/// The longest end of `stream` that is the beginning of a stop text, and that the rest of the text would remove, if it came next.
fn must_hold(stream: &[u8], texts: &[Vec<u8>]) -> usize {
    let is_removed = |text: &Vec<u8>, from: usize| {
        let rest = text.strip_prefix(&stream[from..]).filter(|rest| !rest.is_empty());
        rest.and_then(|rest| search(&[stream, rest].concat(), texts)).is_some_and(|(_, start)| start == from)
    };
    let from = (0..stream.len()).find(|from| texts.iter().any(|text| is_removed(text, *from)));
    stream.len() - from.unwrap_or(stream.len())
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

fn bytes(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Every text of `a` and `b` up to eight long, six on an emulated core, cut in every way, for stop texts that overlap themselves and others.
#[test]
fn every_split_of_every_short_text() {
    let sets: [&[&str]; 8] = [
        &["aab"],
        &["aaab"],
        &["aab", "aaab"],
        &["abab", "bb"],
        &["abba", "bb"],
        &["abaab", "aba"],
        &["a"],
        &["bab", "ab", "bab"],
    ];
    let longest: u32 = if emulated() { 6 } else { 8 };
    for texts in sets.map(bytes) {
        for length in 0..=longest {
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
