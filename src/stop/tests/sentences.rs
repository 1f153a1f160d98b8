//! What a sentence is: examples of the rule, and the rule applied to a whole text.

use super::{Ending, compare, cut};
use crate::stop::{Options, Reason, Stops, Token};
use proptest::prelude::*;

/// The sentences of a text, by stopping after one and going on behind it. The last has no end.
fn split(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    for n in 1.. {
        let mut options = Options::default();
        options.rules.sentences = Some(n);
        let (mut stops, mut out) = (Stops::new(options).unwrap(), Vec::new());
        let start = sentences.iter().map(|sentence: &&str| sentence.len()).sum();
        match stops.step(&Token::new(1, text.as_bytes()), &mut out) {
            Some(reason) => assert_eq!(reason, Reason::Sentences { n }),
            None => {
                sentences.push(&text[start..]);
                break;
            }
        }
        sentences.push(&text[start..out.len()]);
    }
    sentences.into_iter().map(str::trim).collect()
}

/// Texts with ` | ` where a sentence ends and another begins.
#[test]
fn examples_of_the_rule() {
    let marked = [
        "The cat sat. | It purred! | Did it? | Yes",
        // Abbreviations, titles, initials.
        "Mr. Smith met Dr. Jones, e.g. Anna, i.e. Ann. | Then",
        "J. R. R. Tolkien wrote. | So did G.K. Chesterton",
        "In the U.S. Army he slept. | And in the U.S. | ".trim_end_matches(" | "),
        "At 5 p.m. she left. | It was 6 a.m. | He woke",
        "Apples, pears, etc. are fruit. | Nuts, etc. | They fall",
        "He said No. | She said yes. | See No. 5 and Fig. 3. | Done",
        "On Jan. 5 it snowed. | It was Jan. | Cold",
        // Numbers and names with dots.
        "Pi is 3.14 or so. | See example.com for more. | It costs 5. | Good",
        "1. Wash the rice.\n | 2. Cook it. | Eat",
        "2.3. Results are fine. | So",
        // Ellipses and several marks.
        "Well... maybe. | Well... | He left… | She… stayed?! | Ah",
        "... | ".trim_end_matches(" | "),
        // Quotes, brackets, Markdown.
        "\"Stop!\" he said. | \"Why?\" | He ran",
        "(It rained.) | “Yes.” | ‘No.’ | **Done.** | Next",
        "She asked “why?”, and left. | He did – too! – see. | Oh",
        // Wide stops.
        "今日は晴れ。明日は雨！「本当？」そうです。",
        "私は3.5キロ走った。それから寝た",
        // Other scripts.
        "यह एक वाक्य है। | दूसरा",
        "كيف حالك؟ | جيد",
        "Élan. | Ça va. | Étoile",
        // Blank lines.
        "A title\n\n | A text. | More",
        "He met Mr.\n\n | Smith",
        "One line\nand another. | End",
        // White space around a single line end is none.
        "One. \ntwo.  \n three. | End",
        // Words that only begin like abbreviations, or are followed by more dots.
        "They met the Dr... | Then",
        "It reads a.JSON. | Then",
    ];
    for text in marked {
        let expected: Vec<&str> = if text.contains('。') {
            let ends = ["。", "！", "？」"];
            let mut parts = vec![];
            let mut rest = text;
            while let Some(end) = ends.iter().filter_map(|end| rest.find(end).map(|at| at + end.len())).min()
            {
                if end == rest.len() {
                    break;
                }
                let (part, tail) = rest.split_at(end);
                parts.push(part);
                rest = tail;
            }
            parts.push(rest);
            parts
        } else {
            text.split(" | ").map(str::trim).collect()
        };
        let plain = text.replace("\n | ", "\n").replace(" | ", " ");
        assert_eq!(split(&plain), expected, "{plain:?}");
    }
}

#[test]
fn a_stop_prints_at_once_and_white_space_waits() {
    let mut options = Options::default();
    options.rules.sentences = Some(1);
    let (mut stops, mut out) = (Stops::new(options).unwrap(), Vec::new());
    let mut printed = |piece: &str| {
        let reason = stops.step(&Token::new(1, piece.as_bytes()), &mut out);
        (String::from_utf8(out.clone()).unwrap(), reason.is_some())
    };
    assert_eq!(printed("Mr. "), ("Mr. ".into(), false));
    assert_eq!(printed("Fox sat."), ("Mr. Fox sat.".into(), false));
    assert_eq!(printed("\""), ("Mr. Fox sat.\"".into(), false));
    assert_eq!(printed(" "), ("Mr. Fox sat.\"".into(), false));
    assert_eq!(printed("and slept."), ("Mr. Fox sat.\" and slept.".into(), false));
    assert_eq!(printed(" Then"), ("Mr. Fox sat.\" and slept.".into(), true));
}

fn is_wide(c: char) -> bool {
    "。！？｡".contains(c)
}

fn is_stop(c: char) -> bool {
    is_wide(c) || ".!?…".contains(c)
}

fn is_closer(c: char) -> bool {
    "\"”)*".contains(c)
}

/// Whether the dot at `i` is part of an abbreviation or a list's number, by the text before it.
fn is_abbreviation(chars: &[char], i: usize) -> (bool, bool) {
    let start =
        (0..i).rev().take_while(|k| chars[*k].is_alphanumeric() || chars[*k] == '.').last().unwrap_or(i);
    let all: String = chars[start..i].iter().collect();
    // Several dots are no part of a word, nor is one before it.
    let word = all.rsplit("..").next().unwrap_or_default().trim_start_matches('.');
    let start = i - word.chars().count();
    let single = word.split('.').all(|part| part.chars().count() == 1);
    let upper = word.chars().next_back().is_some_and(char::is_uppercase);
    let line: String = chars[..start].iter().rev().take_while(|c| **c != '\n').collect();
    let number =
        !word.is_empty() && word.chars().all(|c| c.is_numeric() || c == '.') && line.trim().is_empty();
    ((single && upper) || word == "Mr" || number, word == "No")
}

/// The rule, applied to a whole text: where sentences end, and behind which character that is known.
fn ends(text: &str) -> Vec<(usize, usize)> {
    let chars: Vec<char> = text.chars().collect();
    let offset = |i: usize| chars[..i].iter().map(|c| c.len_utf8()).sum::<usize>();
    let skip = |mut i: usize, fits: &dyn Fn(char) -> bool| {
        while i < chars.len() && fits(chars[i]) {
            i += 1;
        }
        i
    };
    let (mut ends, mut begin, mut i) = (Vec::new(), 0, 0);
    while i < chars.len() {
        let has_word = chars[begin..i].iter().any(|c| c.is_alphanumeric());
        if !has_word || !(is_stop(chars[i]) || chars[i] == '\n') {
            i += 1;
            continue;
        }
        let run = skip(i, &|c| is_stop(c) || is_closer(c));
        let run = if chars[i] == '\n' { i } else { run };
        let next = skip(run, &char::is_whitespace);
        let feeds: Vec<usize> = (run..next).filter(|k| chars[*k] == '\n').collect();
        let stops = chars[i..run].iter().filter(|c| is_stop(**c)).count();
        let (abbreviation, before_number) =
            if stops == 1 && chars[i] == '.' { is_abbreviation(&chars, i) } else { (false, false) };
        let wide = chars[i..run].iter().any(|c| is_wide(*c));
        let known = if wide {
            Some(run)
        } else if run < next && abbreviation {
            i = run;
            continue;
        } else if feeds.len() > 1 {
            Some(feeds[1])
        } else if run == next || run == i {
            None
        } else {
            let goes_on = |c: char| c.is_lowercase() || c == ',' || (before_number && c.is_numeric());
            Some(next).filter(|next| chars.get(*next).is_some_and(|c| !goes_on(*c)))
        };
        match known {
            Some(known) if known < chars.len() => {
                ends.push((offset(run), offset(known + 1)));
                (begin, i) = (known, known);
                // A line feed that ended one is before the next.
                i += usize::from(chars[known] == '\n');
            }
            _ => i = next.max(i + 1),
        }
    }
    ends
}

fn oracle(text: &[u8], n: usize) -> Option<Ending> {
    let whole = str::from_utf8(text).map_or_else(|error| error.valid_up_to(), str::len);
    let text = str::from_utf8(&text[..whole]).unwrap();
    ends(text).get(n - 1).map(|(from, at)| (*at, *from, *from))
}

const FRAGMENTS: &[&str] = &[
    "Mr", "U", "S", ".", ".", ".", "?", " ", " ", " ", "\n", "a", "He", "No", "1", "”", ")", "。", "…", ",",
    "é", "鳥", "(",
];
const ENDINGS: &[&str] = &["A", " A", "\n", "\n\n", "a", ". A", "。A", "9"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8 * ProptestConfig::default().cases))]
    #[test]
    fn any_text_in_any_pieces(
        parts in prop::collection::vec(prop::sample::select(FRAGMENTS), 0..16),
        n in 1usize..4,
        cuts: u128,
    ) {
        let text = parts.concat();
        let bytes = text.as_bytes();
        let mut options = Options::default();
        options.rules.sentences = Some(n);
        for pieces in [cut(bytes, cuts), vec![bytes], bytes.chunks(1).collect()] {
            compare(&options, &pieces, ENDINGS, &|text| oracle(text, n));
        }
    }
}
