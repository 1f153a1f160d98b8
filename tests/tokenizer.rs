//! The tokenizer against real vocabularies and the ids that llama.cpp gives for them.
//!
//! The data is not part of the repository: it is looked for in `SISKIN_VOCAB`, or else in `../shared/vocab`
//! beside the workspace. Tests say that they are skipped if it is missing, and fail if `SISKIN_REQUIRE` lists
//! `shared`.

use std::path::{Path, PathBuf};

use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, Kind, TextStream, TokenId, Tokenizer};

/// The folder with the vocabularies.
fn vocab_folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("SISKIN_VOCAB") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vocab"),
    };
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("SISKIN_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|item| item == "shared"), "no vocabularies at {}", folder.display());
    eprintln!("skipped: no vocabularies at {}", folder.display());
    None
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

/// The tokenizer of the file `bytes` with another pre-tokenizer: the value of the key is exchanged. Works for
/// files without tensors.
fn with_pre_tokenizer(bytes: &[u8], name: &str) -> Tokenizer {
    const KEY: &[u8] = b"tokenizer.ggml.pre";
    let after_key = bytes.windows(KEY.len()).position(|window| window == KEY).unwrap() + KEY.len();
    // The type of the value (4 bytes), then a string: its length (8 bytes) and its text.
    let length_at = after_key + 4;
    let length = u64::from_le_bytes(bytes[length_at..length_at + 8].try_into().unwrap()) as usize;
    let text_at = length_at + 8;
    let length_now = (name.len() as u64).to_le_bytes();
    let changed = [&bytes[..length_at], &length_now, name.as_bytes(), &bytes[text_at + length..]].concat();
    let tokenizer = Tokenizer::from_metadata(Gguf::from_vec(changed).unwrap().metadata()).unwrap();
    assert_eq!((tokenizer.pre(), tokenizer.pre_warning()), (Some(name), None));
    tokenizer
}

fn from_hex(hex: &str) -> String {
    let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    String::from_utf8(digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()).unwrap()
}

/// `tokenizer_rules.txt` was made by llama.cpp; see `tools/unicode/record_rules.py`.
#[test]
fn every_pre_tokenizer_cuts_where_llama_cpp_does() {
    let Some(folder) = vocab_folder() else { return };
    let file = std::fs::read(folder.join("ggml-vocab-llama-bpe.gguf")).unwrap();
    let (mut texts, mut wrong, mut checked) = (Vec::new(), Vec::new(), 0);
    let mut alike: Vec<(&str, Tokenizer)> = Vec::new();
    let mut next = 0;
    for line in include_str!("tokenizer_rules.txt").lines() {
        match line.split_once(' ').unwrap() {
            ("text", hex) => texts.push(from_hex(hex)),
            // Names of pre-tokenizers with the same ids.
            ("rules", names) => {
                alike = names.split(' ').map(|name| (name, with_pre_tokenizer(&file, name))).collect();
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
    assert_eq!((texts.len(), checked), (12, 12 * 90));
}
