//! What the conditions that look at text print and when, against oracles that see all of it.

use super::{Ending, compare, cut};
use crate::stop::{Options, Rules};
use proptest::prelude::*;

/// A stream of fragments.
fn text(fragments: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(fragments), 0..most).prop_map(|parts| parts.concat())
}

fn rules(set: impl Fn(&mut Rules)) -> Options {
    let mut options = Options::default();
    set(&mut options.rules);
    options
}

/// In pieces by `cuts`, whole, and byte by byte.
fn in_pieces(
    options: &Options,
    text: &str,
    cuts: u128,
    endings: &[&str],
    oracle: &dyn Fn(&[u8]) -> Option<Ending>,
) {
    let bytes = text.as_bytes();
    for pieces in [cut(bytes, cuts), vec![bytes], bytes.chunks(1).collect()] {
        compare(options, &pieces, endings, oracle);
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.iter().all(|byte| b" \t\r\n".contains(byte))
}

/// `(start, end)` of each line that a line feed ends: `end` is before it, and before a carriage return there.
fn lines(text: &[u8]) -> Vec<(usize, usize, usize)> {
    let mut start = 0;
    let feeds = (0..text.len()).filter(|i| text[*i] == b'\n');
    let spans = feeds.map(|feed| (std::mem::replace(&mut start, feed + 1), feed));
    let cut = |(start, feed): (usize, usize)| {
        let carriage = feed > start && text[feed - 1] == b'\r';
        (start, feed - usize::from(carriage), feed + 1)
    };
    spans.map(cut).collect()
}

fn line_oracle(text: &[u8], n: usize) -> Option<Ending> {
    let mut counted = lines(text).into_iter().filter(|(start, end, _)| !is_blank(&text[*start..*end]));
    counted.nth(n - 1).map(|(_, end, next)| (next, end, next))
}

fn paragraph_oracle(text: &[u8], n: usize) -> Option<Ending> {
    let lines = lines(text);
    let blank = |i: usize| is_blank(&text[lines[i].0..lines[i].1]);
    let ends = (1..lines.len()).filter(|i| blank(*i) && !blank(i - 1));
    ends.map(|i| (lines[i].2, lines[i - 1].1, lines[i].2)).nth(n - 1)
}

/// `Ok`: behind the value that begins at `i`. `Err`: where to go on, if it is none; `None` where the text ends first.
fn json_value(text: &[u8], i: usize) -> Option<Result<usize, usize>> {
    let closing = if text[i] == b'{' { b'}' } else { b']' };
    let mut i = i + 1;
    loop {
        match *text.get(i)? {
            b'"' => i = json_string(text, i + 1)?,
            b'{' | b'[' => match json_value(text, i)? {
                Ok(end) => i = end,
                wrong => return Some(wrong),
            },
            byte if byte == closing => return Some(Ok(i + 1)),
            b'}' | b']' => return Some(Err(i + 1)),
            _ => i += 1,
        }
    }
}

fn json_string(text: &[u8], mut i: usize) -> Option<usize> {
    while *text.get(i)? != b'"' {
        i += if text[i] == b'\\' { 2 } else { 1 };
    }
    Some(i + 1)
}

fn json_oracle(text: &[u8]) -> Option<Ending> {
    let mut i = 0;
    loop {
        i += text.get(i..)?.iter().position(|byte| b"{[".contains(byte))?;
        match json_value(text, i)? {
            Ok(end) => return Some((end, end, end)),
            Err(next) => i = next,
        }
    }
}

fn byte_oracle(text: &[u8], n: usize) -> Option<Ending> {
    let whole =
        (0..=n).rev().find(|end| text.get(..*end).is_some_and(|text| str::from_utf8(text).is_ok()))?;
    (text.len() >= n).then_some((n, whole, whole))
}

proptest! {
    #[test]
    fn lines_in_any_pieces(text in text(&["a", "é", "\n", "\n", "\r", " ", "\r\n"], 14), n in 1usize..4, cuts: u128) {
        let endings = ["\n", "a\n", "\r\n", "a\na\n"];
        in_pieces(&rules(|rules| rules.lines = Some(n)), &text, cuts, &endings, &|text| line_oracle(text, n));
    }

    #[test]
    fn paragraphs_in_any_pieces(text in text(&["a", "é", "\n", "\n", "\r", " ", "\r\n"], 14), n in 1usize..4, cuts: u128) {
        let endings = ["\n", "\n\n", "a\n\n", " \n", " \n ", "\r\n"];
        let options = rules(|rules| rules.paragraphs = Some(n));
        in_pieces(&options, &text, cuts, &endings, &|text| paragraph_oracle(text, n));
    }

    #[test]
    fn json_in_any_pieces(text in text(&["{", "}", "[", "]", "\"", "\\", "a", "é", ":1,"], 20), cuts: u128) {
        in_pieces(&rules(|rules| rules.json = true), &text, cuts, &["}", "]", "{}"], &json_oracle);
    }

    #[test]
    fn bytes_in_any_pieces(text in text(&["a", "é", "鳥", "🐍"], 10), n in 1usize..20, cuts: u128) {
        let options = rules(|rules| rules.bytes = Some(n));
        in_pieces(&options, &text, cuts, &["a", "🐍"], &|text| byte_oracle(text, n));
    }

    #[test]
    fn texts_in_any_pieces(text in text(&["a", "b", "é", "鳥", "鳦"], 14), cuts: u128) {
        let texts = ["aab", "abé鳥", "鳦é"];
        let options = Options { texts: texts.map(String::from).to_vec(), ..Options::default() };
        let bytes = texts.map(|text| text.as_bytes().to_vec());
        let endings = ["b", "ab", "é鳥", "鳥", "é"];
        in_pieces(&options, &text, cuts, &endings, &|text| {
            super::texts::search(text, &bytes).map(|(found, from)| (from + bytes[found].len(), from, from + bytes[found].len()))
        });
    }

    /// Of several conditions the one that is complete first, and of those the one that removes most.
    #[test]
    fn several_in_any_pieces(text in text(&["a", "b", "{", "}", "\n", "é", "\r"], 16), cuts: u128) {
        let mut options = rules(|rules| {
            rules.lines = Some(2);
            rules.paragraphs = Some(1);
            rules.json = true;
            rules.bytes = Some(12);
        });
        options.texts = vec!["ab".into(), "}\n".into()];
        let texts = [b"ab".to_vec(), b"}\n".to_vec()];
        let stop_text = |text: &[u8]| super::texts::search(text, &texts).map(|(_, from)| (from + 2, from, from + 2));
        let oracle = |text: &[u8]| {
            let all = [stop_text(text), json_oracle(text), paragraph_oracle(text, 1), line_oracle(text, 2), byte_oracle(text, 12)];
            all.into_iter().flatten().min_by_key(|(at, from, _)| (*at, *from))
        };
        in_pieces(&options, &text, cuts, &["b", "\n", "\n\n", "}"], &oracle);
    }

    /// Of all conditions together the one that is complete last.
    #[test]
    fn all_in_any_pieces(text in text(&["a", "b", "{", "}", "\n", "é"], 16), cuts: u128) {
        let options = rules(|rules| {
            rules.all = true;
            rules.lines = Some(2);
            rules.json = true;
            rules.bytes = Some(6);
        });
        let oracle = |text: &[u8]| {
            let all = [json_oracle(text)?, line_oracle(text, 2)?, byte_oracle(text, 6)?];
            all.into_iter().max_by_key(|(at, from, _)| (*at, std::cmp::Reverse(*from)))
        };
        let bytes = text.as_bytes();
        for pieces in [cut(bytes, cuts), vec![bytes], bytes.chunks(1).collect()] {
            compare(&options, &pieces, &["a\n{}aaaaaa\n"], &oracle);
        }
    }

    /// Bytes that are no text: every condition sees them all, and what is printed does not depend on the cuts.
    #[test]
    fn any_bytes_do_not_depend_on_the_cuts(bytes in prop::collection::vec(any::<u8>(), 0..40), cuts: u128) {
        let mut options = rules(|rules| {
            rules.lines = Some(3);
            rules.json = true;
            rules.bytes = Some(30);
            rules.sentences = Some(1);
        });
        #[cfg(feature = "regex")]
        options.rules.regexes.push(r"\b[a-z]+\b".into());
        options.texts = vec!["\u{fffd}".into()];
        let run = |pieces: &[&[u8]]| {
            let mut stops = crate::stop::Stops::new(options.clone()).unwrap();
            let mut out = Vec::new();
            let reason = pieces.iter().find_map(|piece| stops.step(&crate::stop::Token::new(1, piece), &mut out));
            stops.finish(&mut out);
            (reason, out)
        };
        let whole = run(&[&bytes]);
        prop_assert_eq!(&run(&cut(&bytes, cuts)), &whole);
        prop_assert_eq!(&run(&bytes.chunks(1).collect::<Vec<_>>()), &whole);
    }
}

#[test]
fn a_blank_beginning_is_no_line() {
    let mut out = Vec::new();
    let mut stops = crate::stop::Stops::new(rules(|rules| rules.lines = Some(1))).unwrap();
    let reason = stops.step(&crate::stop::Token::new(1, b"\n \nHi.\r\nBye"), &mut out);
    assert_eq!((reason, out.as_slice()), (Some(crate::stop::Reason::Lines { n: 1 }), b"\n \nHi.".as_slice()));
}
