//! WordPiece and Unigram against llama.cpp, with the small vocabularies of `tests/data/tokenizers`; made by
//! `tools/unicode/record_vocabularies.py`.

mod util;

use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, Kind, TokenId, Tokenizer};

macro_rules! vocabulary {
    ($name:literal) => {
        ($name, include_bytes!(concat!("data/tokenizers/", $name, ".gguf")))
    };
}

/// Every vocabulary and its file.
const FILES: &[(&str, &[u8])] = &[
    vocabulary!("wordpiece"),
    vocabulary!("wordpiece-cased"),
    vocabulary!("wordpiece-accents"),
    vocabulary!("unigram"),
    vocabulary!("unigram-spaces"),
    vocabulary!("unigram-merge"),
    vocabulary!("unigram-plain"),
];

fn load(name: &str) -> Tokenizer {
    let (_, bytes) = FILES.iter().find(|file| file.0 == name).expect(name);
    Tokenizer::from_metadata(Gguf::from_vec(bytes.to_vec()).unwrap().metadata()).unwrap()
}

fn from_hex(digits: &str) -> String {
    String::from_utf8(util::from_hex(digits)).expect("UTF-8")
}

const PLAIN: Encode = Encode { add_special: false, parse_special: false };
const SPECIAL: Encode = Encode { add_special: true, parse_special: true };

#[test]
fn ids_are_those_of_llama_cpp() {
    let (mut texts, mut wrong, mut checked) = (Vec::new(), Vec::new(), 0);
    let mut current: Option<(&str, Tokenizer, [usize; 2])> = None;
    for line in include_str!("data/tokenizers/ids.txt").lines().skip(1) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "text" => texts.push(from_hex(rest)),
            "vocabulary" => current = Some((rest, load(rest), [0, 0])),
            _ => {
                let (name, tokenizer, next) = current.as_mut().unwrap();
                let special = usize::from(word == "special");
                let expected: Vec<TokenId> = rest.split_whitespace().map(|id| id.parse().unwrap()).collect();
                let text = &texts[next[special]];
                let found = tokenizer.encode(text, [PLAIN, SPECIAL][special]);
                if found != expected {
                    wrong.push(format!(
                        "{name} {word}: {text:?}\n found    {found:?}\n expected {expected:?}"
                    ));
                }
                next[special] += 1;
                checked += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(checked, texts.len() * FILES.len() * 2);
}

#[test]
fn special_tokens_are_those_of_the_file() {
    let wordpiece = load("wordpiece");
    assert_eq!((wordpiece.kind(), wordpiece.kind().name()), (Kind::Wpm, "WPM"));
    assert_eq!((wordpiece.bos(), wordpiece.eos(), wordpiece.unknown()), (Some(2), None, Some(1)));
    assert_eq!((wordpiece.adds_bos(), wordpiece.adds_eos(), wordpiece.pre()), (true, true, None));
    let unigram = load("unigram");
    assert_eq!((unigram.kind(), unigram.kind().name()), (Kind::Ugm, "UGM"));
    assert_eq!((unigram.bos(), unigram.eos(), unigram.unknown()), (None, Some(1), Some(2)));
    assert_eq!((unigram.adds_bos(), unigram.adds_eos(), unigram.is_eog(1)), (false, true, true));
}

#[test]
fn text_comes_back_normalized() {
    let decoded = |name: &str, text: &str| {
        let tokenizer = load(name);
        String::from_utf8(tokenizer.decode(&tokenizer.encode(text, SPECIAL))).unwrap()
    };
    assert_eq!(decoded("wordpiece", "The Wheel,  D\u{c9}PEND"), "the wheel , depend");
    assert_eq!(decoded("unigram", " The\twheel  \u{ff21}\u{fb01}n "), "The wheel Afin");
    assert_eq!(decoded("unigram-plain", " The  wheel "), " The  wheel ");
}
