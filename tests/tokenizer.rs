//! The tokenizer against the ids that llama.cpp gives: with a small vocabulary of `tests/data/tokenizers`, and with real ones.
//!
//! The real ones are not part of the repository: they are looked for in `SISKIN_VOCAB`, or else in `../shared/vocab`
//! beside the workspace. Tests say that they are skipped if they are missing, and fail if `SISKIN_REQUIRE` lists
//! `shared`.

mod util;

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, Error, Kind, TextStream, TokenId, Tokenizer};
use siskin_tools::synth::fnv1a;
use siskin_tools::{emulated, some};

/// The folder with the vocabularies.
fn vocab_folder() -> Option<PathBuf> {
    util::shared("SISKIN_VOCAB", "vocab")
}

fn load(path: &Path) -> Tokenizer {
    Tokenizer::from_metadata(Gguf::open(path).unwrap().metadata()).unwrap()
}

/// Every vocabulary, with its name.
fn vocabularies() -> Vec<(String, PathBuf)> {
    let Some(folder) = vocab_folder() else { return Vec::new() };
    let mut found: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .map(|path| (path.file_stem().unwrap().to_string_lossy().replace("ggml-vocab-", ""), path))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "the folder of vocabularies is empty");
    found
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The texts of a vocabulary and the ids expected for them, without BOS and without parsing special tokens.
fn cases(vocabulary: &Path) -> Vec<(String, Vec<TokenId>)> {
    let texts = std::fs::read_to_string(with_suffix(vocabulary, ".inp")).unwrap();
    let ids = std::fs::read_to_string(with_suffix(vocabulary, ".out")).unwrap();
    // Each text is followed by the line, the last one too.
    let texts: Vec<&str> = texts.split_terminator("\n__ggml_vocab_test__\n").collect();
    let ids: Vec<Vec<TokenId>> =
        ids.lines().map(|line| line.split_whitespace().map(|id| id.parse().unwrap()).collect()).collect();
    assert_eq!(texts.len(), ids.len(), "{}", vocabulary.display());
    texts.into_iter().map(str::to_string).zip(ids).collect()
}

const PLAIN: Encode = Encode { add_special: false, parse_special: false };

#[test]
fn all_reference_ids_match() {
    let mut wrong = Vec::new();
    let mut checked = 0;
    for (name, path) in vocabularies() {
        let tokenizer = load(&path);
        assert_eq!(tokenizer.pre_warning(), None, "{name}");
        for (text, expected) in cases(&path) {
            checked += 1;
            let found = tokenizer.encode(&text, PLAIN);
            if found != expected {
                wrong.push(format!("{name}: {text:?}\n  found    {found:?}\n  expected {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn reference_texts_come_back() {
    for (name, path) in vocabularies() {
        let tokenizer = load(&path);
        for (text, _) in cases(&path) {
            let ids = tokenizer.encode(&text, PLAIN);
            assert_eq!(String::from_utf8(tokenizer.decode(&ids)).unwrap(), text, "{name}");
            assert_eq!(
                streamed(&tokenizer, &ids).trim_start_matches(' '),
                text.trim_start_matches(' '),
                "{name}"
            );
        }
    }
}

/// The text as it is shown token by token.
fn streamed(tokenizer: &Tokenizer, ids: &[TokenId]) -> String {
    let (mut stream, mut text, mut bytes) = (TextStream::new(), String::new(), Vec::new());
    for &id in ids {
        bytes.clear();
        tokenizer.piece(id, &mut bytes);
        stream.push(&bytes, &mut text);
    }
    stream.finish(&mut text);
    text
}

/// Names, kinds and special tokens as llama.cpp (llama-cpp-python 0.3.36) reports them: bos, eos, eot,
/// whether BOS is added, all that end generation.
type Expected =
    (&'static str, Kind, Option<TokenId>, Option<TokenId>, Option<TokenId>, bool, &'static [TokenId]);

const SPECIAL: &[Expected] = &[
    ("deepseek-llm", Kind::Bpe, Some(100000), Some(100001), Some(100001), true, &[100001]),
    ("falcon", Kind::Bpe, Some(11), Some(11), Some(11), false, &[11]),
    ("gemma-4", Kind::Bpe, Some(2), Some(1), None, true, &[1, 50, 106]),
    ("gpt-2", Kind::Bpe, Some(50256), Some(50256), Some(50256), false, &[50256]),
    ("llama-bpe", Kind::Bpe, Some(128000), Some(128001), Some(128009), true, &[128001, 128009]),
    ("llama-spm", Kind::Spm, Some(1), Some(2), None, true, &[2]),
    ("phi-3", Kind::Spm, Some(1), Some(32000), Some(32007), true, &[2, 32000, 32007]),
    ("qwen2", Kind::Bpe, Some(151643), Some(151643), Some(151645), false, &[128247, 151643, 151645]),
    ("starcoder", Kind::Bpe, Some(0), Some(0), Some(0), false, &[0, 4]),
];

#[test]
fn special_tokens_are_those_of_llama_cpp() {
    for (name, path) in vocabularies() {
        let Some(&(_, kind, bos, eos, eot, adds_bos, eog)) = SPECIAL.iter().find(|row| row.0 == name) else {
            continue;
        };
        let tokenizer = load(&path);
        assert_eq!(tokenizer.kind(), kind, "{name}");
        assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.eot()), (bos, eos, eot), "{name}");
        assert_eq!((tokenizer.adds_bos(), tokenizer.adds_eos()), (adds_bos, false), "{name}");
        assert_eq!(tokenizer.eog(), eog, "{name}");
        assert!(eog.iter().all(|&id| tokenizer.is_eog(id)), "{name}");
    }
}

/// Of a file without tensors: its tokenizer, where the entry `tokenizer.ggml.pre` has the key and the value given.
fn with_entry(bytes: &[u8], key: &[u8; 18], name: &str) -> Result<Tokenizer, Error> {
    const KEY: &[u8; 18] = b"tokenizer.ggml.pre";
    let key_at = bytes.windows(KEY.len()).position(|window| window == KEY).unwrap();
    // The type of the value (4 bytes), then a string: its length (8 bytes) and its text.
    let type_at = key_at + KEY.len();
    let length_at = type_at + 4;
    let length = u64::from_le_bytes(bytes[length_at..length_at + 8].try_into().unwrap()) as usize;
    let rest = &bytes[length_at + 8 + length..];
    let length_now = (name.len() as u64).to_le_bytes();
    let value = [&bytes[type_at..length_at], &length_now, name.as_bytes()].concat();
    let changed = [&bytes[..key_at], key, &value, rest].concat();
    Tokenizer::from_metadata(Gguf::from_vec(changed).unwrap().metadata())
}

/// The tokenizer of the file `bytes` with another pre-tokenizer; `-` stands for none.
fn renamed(bytes: &[u8], name: &str) -> Result<Tokenizer, Error> {
    if name == "-" {
        with_entry(bytes, b"tokenizer.ggml.not", "")
    } else {
        with_entry(bytes, b"tokenizer.ggml.pre", name)
    }
}

/// One of a name that is known.
fn with_pre_tokenizer(bytes: &[u8], name: &str) -> Tokenizer {
    let tokenizer = renamed(bytes, name).unwrap();
    assert_eq!((tokenizer.pre(), tokenizer.pre_warning()), (Some(name), None));
    tokenizer
}

fn from_hex(digits: &str) -> String {
    String::from_utf8(util::from_hex(digits)).expect("UTF-8")
}

/// `tokenizer_rules.txt` was made by llama.cpp; see `tools/unicode/record_rules.py`.
#[test]
fn every_pre_tokenizer_cuts_where_llama_cpp_does() {
    let Some(folder) = vocab_folder() else { return };
    let file = std::fs::read(folder.join("ggml-vocab-llama-bpe.gguf")).unwrap();
    let (mut texts, mut wrong, mut tried, mut checked) = (Vec::new(), Vec::new(), 0, 0);
    let mut alike: Vec<(&str, Tokenizer)> = Vec::new();
    let mut next = 0;
    for line in include_str!("tokenizer_rules.txt").lines() {
        match line.split_once(' ').unwrap() {
            ("text", hex) => texts.push(from_hex(hex)),
            // Names of pre-tokenizers with the same ids.
            ("rules", names) => {
                // an emulated machine is slow: one of those that are alike
                let names = some(names.split(' '), usize::MAX);
                alike = names.map(|name| (name, with_pre_tokenizer(&file, name))).collect();
                tried += alike.len();
                next = 0;
            }
            ("ids", ids) => {
                let expected: Vec<TokenId> = ids.split(' ').map(|id| id.parse().unwrap()).collect();
                for (name, tokenizer) in &alike {
                    checked += 1;
                    if tokenizer.encode(&texts[next], PLAIN) != expected {
                        wrong.push(format!("{name}: {:?}", texts[next]));
                    }
                }
                next += 1;
            }
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!((texts.len(), checked), (12, 12 * tried));
    assert!(tried == 90 || emulated(), "{tried} names");
}

/// What `tools/goldens/pre_tokenizers.py` recorded of llama.cpp.
#[derive(Default)]
struct Cuts {
    texts: Vec<String>,
    /// Names that end the program, or that it does not take.
    refused: Vec<&'static str>,
    /// Names that it takes with a warning.
    warned: Vec<&'static str>,
    /// Names with the same ids, and for each text how many those are and their hash.
    alike: Vec<(Vec<&'static str>, Vec<String>)>,
}

impl Cuts {
    fn read() -> Cuts {
        let mut cuts = Cuts::default();
        for line in include_str!("data/tokenizers/cuts.txt").lines().skip(1) {
            cuts.take(line.split_once(' ').unwrap());
        }
        cuts
    }

    fn take(&mut self, (word, rest): (&'static str, &'static str)) {
        match word {
            "text" => self.texts.push(from_hex(rest)),
            "refused" => self.refused.push(rest),
            "warned" => self.warned.push(rest),
            "names" => self.alike.push((rest.split(' ').collect(), Vec::new())),
            "ids" => self.alike.last_mut().unwrap().1.push(rest.to_owned()),
            other => panic!("{other}"),
        }
    }

    /// The texts whose ids are others than recorded.
    fn wrong(&self, tokenizer: &Tokenizer, expected: &[String]) -> Vec<&str> {
        assert_eq!(expected.len(), self.texts.len());
        let pairs = self.texts.iter().zip(expected);
        pairs
            .filter(|(text, expected)| summary(tokenizer, text) != **expected)
            .map(|pair| &**pair.0)
            .collect()
    }
}

/// How many ids a text has, and their hash.
fn summary(tokenizer: &Tokenizer, text: &str) -> String {
    let ids = tokenizer.encode(text, PLAIN);
    let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    format!("{} {:016x}", ids.len(), fnv1a(&bytes))
}

const SMALL: &[u8] = include_bytes!("data/tokenizers/bytes.gguf");

/// The merges of the small vocabulary cross the places where words are cut, so that ids tell of each.
#[test]
fn cuts_are_llama_cpps_under_every_name() {
    let cuts = Cuts::read();
    let mut checked = 0;
    for (names, expected) in &cuts.alike {
        for name in names {
            let tokenizer = renamed(SMALL, name).unwrap();
            assert_eq!(tokenizer.pre_warning().is_some(), cuts.warned.contains(name), "{name}");
            let wrong = cuts.wrong(&tokenizer, expected);
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
            checked += 1;
        }
    }
    let different: HashSet<&[String]> = cuts.alike.iter().map(|(_, ids)| &ids[..]).collect();
    assert_eq!((checked, different.len(), cuts.texts.len()), (91, 28, 18));
}

/// llama.cpp ends the program at one name, and takes no file with a name that it does not know, which is cut by the default rule here.
#[test]
fn names_that_llama_cpp_refuses_are_refused_or_warned_about() {
    let cuts = Cuts::read();
    assert_eq!((&cuts.refused[..], &cuts.warned[..]), (&["whitespace", "no-such-name"][..], &["-"][..]));
    assert!(renamed(SMALL, "whitespace").err().unwrap().to_string().contains("whitespace"));
    let unknown = renamed(SMALL, "no-such-name").unwrap();
    assert!(unknown.pre_warning().is_some_and(|warning| warning.contains("no-such-name")));
    let (_, expected) = cuts.alike.iter().find(|(names, _)| names.contains(&"default")).unwrap();
    assert!(cuts.wrong(&unknown, expected).is_empty());
}
