//! Tokenizers from small files written here: defaults, and a clear error for everything that can be wrong.

use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, Error, Kind, Tokenizer};

/// A value of metadata in the little-endian bytes of a GGUF file, with the code of its type.
#[derive(Clone)]
struct Value(u32, Vec<u8>);

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn text(text: &str) -> Value {
    Value(8, string(text))
}

fn u32_value(number: u32) -> Value {
    Value(4, number.to_le_bytes().to_vec())
}

fn i32_value(number: i32) -> Value {
    Value(5, number.to_le_bytes().to_vec())
}

fn bool_value(truth: bool) -> Value {
    Value(7, vec![truth.into()])
}

fn array(element: u32, elements: Vec<Vec<u8>>) -> Value {
    let count = elements.len() as u64;
    Value(9, [element.to_le_bytes().to_vec(), count.to_le_bytes().to_vec(), elements.concat()].concat())
}

fn texts(texts: &[&str]) -> Value {
    array(8, texts.iter().map(|text| string(text)).collect())
}

fn f32s(numbers: &[f32]) -> Value {
    array(6, numbers.iter().map(|number| number.to_le_bytes().to_vec()).collect())
}

fn i32s(numbers: &[i32]) -> Value {
    array(5, numbers.iter().map(|number| number.to_le_bytes().to_vec()).collect())
}

type Entries = Vec<(&'static str, Value)>;

/// A SentencePiece model that works.
fn spm() -> Entries {
    vec![
        ("general.architecture", text("llama")),
        ("tokenizer.ggml.model", text("llama")),
        ("tokenizer.ggml.tokens", texts(&["<unk>", "<s>", "</s>", "▁", "a", "▁a"])),
        ("tokenizer.ggml.scores", f32s(&[0.0, 0.0, 0.0, -1.0, -2.0, -3.0])),
        ("tokenizer.ggml.token_type", i32s(&[2, 3, 3, 1, 1, 1])),
    ]
}

/// A byte-pair model that works.
fn bpe() -> Entries {
    vec![
        ("general.architecture", text("llama")),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("gpt-2")),
        ("tokenizer.ggml.tokens", texts(&["a", "b", "ab", "<|im_end|>"])),
        ("tokenizer.ggml.merges", texts(&["a b"])),
    ]
}

/// A Unigram model that works, with the defaults of T5.
fn unigram() -> Entries {
    let entries = with(spm(), "tokenizer.ggml.model", text("t5"));
    let entries = with(entries, "tokenizer.ggml.tokens", texts(&["<pad>", "</s>", "<unk>", "▁", "a", "▁a"]));
    with(entries, "tokenizer.ggml.token_type", i32s(&[3, 3, 2, 1, 1, 1]))
}

/// A WordPiece model that works.
fn wordpiece() -> Entries {
    let entries = with(spm(), "tokenizer.ggml.model", text("bert"));
    let entries =
        with(entries, "tokenizer.ggml.tokens", texts(&["[UNK]", "[CLS]", "[SEP]", "▁b", "a", "▁a"]));
    let entries = with(entries, "tokenizer.ggml.bos_token_id", u32_value(1));
    let entries = with(entries, "tokenizer.ggml.unknown_token_id", u32_value(0));
    with(entries, "tokenizer.ggml.seperator_token_id", u32_value(2))
}

fn tokenizer(entries: &Entries) -> Result<Tokenizer, Error> {
    let mut bytes = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes()].concat();
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (key, value) in entries {
        bytes.extend([string(key), value.0.to_le_bytes().to_vec(), value.1.clone()].concat());
    }
    Tokenizer::from_metadata(Gguf::from_vec(bytes).unwrap().metadata())
}

/// The entries with one value exchanged or added.
fn with(mut entries: Entries, key: &'static str, value: Value) -> Entries {
    entries.retain(|entry| entry.0 != key);
    entries.push((key, value));
    entries
}

fn without(mut entries: Entries, key: &str) -> Entries {
    entries.retain(|entry| entry.0 != key);
    entries
}

#[test]
fn small_files_work() {
    let spm = tokenizer(&spm()).unwrap();
    assert_eq!((spm.kind(), spm.len(), spm.pre()), (Kind::Spm, 6, None));
    assert_eq!((spm.bos(), spm.eos(), spm.unknown()), (Some(1), Some(2), Some(0)));
    assert_eq!(spm.encode("a a", Encode::default()), [1, 5, 5]);
    let bpe = tokenizer(&bpe()).unwrap();
    assert_eq!((bpe.kind(), bpe.pre(), bpe.bos(), bpe.adds_bos()), (Kind::Bpe, Some("gpt-2"), None, false));
    assert_eq!(bpe.encode("abb", Encode::default()), [2, 1]);
    assert!(bpe.is_eog(3) && !bpe.is_eog(0) && !bpe.is_eog(99));
}

#[test]
fn small_wordpiece_and_unigram_files_work() {
    let unigram = tokenizer(&unigram()).unwrap();
    assert_eq!((unigram.kind(), unigram.eos(), unigram.unknown()), (Kind::Ugm, Some(1), Some(2)));
    assert_eq!(unigram.encode("a ab", Encode::default()), [4, 5, 2, 1]);
    let refused = with(self::unigram(), "tokenizer.ggml.add_eos_token", bool_value(false));
    assert_eq!(tokenizer(&refused).unwrap().encode("a", Encode::default()), [4]);
    // BOS and the separator are added whatever the flags say, as llama.cpp does.
    let wordpiece = with(wordpiece(), "tokenizer.ggml.add_bos_token", bool_value(false));
    let wordpiece = tokenizer(&wordpiece).unwrap();
    assert_eq!((wordpiece.kind(), wordpiece.bos(), wordpiece.adds_bos()), (Kind::Wpm, Some(1), true));
    assert_eq!(wordpiece.encode("AÁ, b", Encode::default()), [1, 5, 4, 0, 3, 2]);
    let cased = with(self::wordpiece(), "tokenizer.ggml.normalizer.lowercase", bool_value(false));
    assert_eq!(tokenizer(&cased).unwrap().encode("a Aa", Encode::default()), [1, 5, 0, 2]);
}

/// RWKV and PLaMo have algorithms of their own; the others that llama.cpp knows belong to models of other kinds.
#[test]
fn models_that_are_not_supported_are_named() {
    for model in ["rwkv", "plamo2", "hybriddna", "whitespace", "none", "no_vocab", "test"] {
        let message = tokenizer(&with(bpe(), "tokenizer.ggml.model", text(model))).err().unwrap().to_string();
        assert!(
            message.starts_with(&format!("tokenizer.ggml.model: '{model}' is not supported")),
            "{message}"
        );
    }
}

#[test]
fn flags_of_the_file_win() {
    let changed = with(spm(), "tokenizer.ggml.add_bos_token", bool_value(false));
    let changed = with(changed, "tokenizer.ggml.add_eos_token", bool_value(true));
    let changed = with(changed, "tokenizer.ggml.add_space_prefix", bool_value(false));
    assert_eq!(tokenizer(&changed).unwrap().encode("a", Encode::default()), [4, 2]);
}

#[test]
fn integer_scores_and_absent_lists_are_fine() {
    let changed = with(spm(), "tokenizer.ggml.scores", i32s(&[0, 0, 0, -1, -2, -3]));
    assert_eq!(tokenizer(&changed).unwrap().encode("a", Encode::default()), [1, 5]);
    let changed = without(without(spm(), "tokenizer.ggml.scores"), "tokenizer.ggml.token_type");
    assert_eq!(tokenizer(&changed).unwrap().bos(), Some(1));
}

#[test]
fn a_negative_id_means_none() {
    let changed = with(bpe(), "tokenizer.ggml.bos_token_id", i32_value(-1));
    assert_eq!(tokenizer(&changed).unwrap().bos(), None);
}

/// What is done to a file, and how the message begins.
#[test]
fn every_damage_has_its_error() {
    let cases: Vec<(Entries, &str)> = vec![
        (without(spm(), "tokenizer.ggml.model"), "tokenizer: the file has no tokenizer.ggml.model"),
        (without(spm(), "tokenizer.ggml.tokens"), "tokenizer: the file has no tokenizer.ggml.tokens"),
        (without(bpe(), "tokenizer.ggml.merges"), "tokenizer: the file has no tokenizer.ggml.merges"),
        (
            with(spm(), "tokenizer.ggml.model", text("abacus")),
            "tokenizer.ggml.model: 'abacus' is not supported, expected one of llama, gpt2, gemma4, bert, t5",
        ),
        (
            with(bpe(), "tokenizer.ggml.pre", text("whitespace")),
            "tokenizer.ggml.pre: 'whitespace' is not supported",
        ),
        (
            with(unigram(), "tokenizer.ggml.precompiled_charsmap", array(0, vec![vec![9]; 8])),
            "tokenizer.ggml.precompiled_charsmap: found 8 bytes, expected at least",
        ),
        (
            with(unigram(), "tokenizer.ggml.precompiled_charsmap", i32s(&[1])),
            "tokenizer.ggml.precompiled_charsmap: found i32 elements, expected 8-bit integers",
        ),
        (
            with(spm(), "tokenizer.ggml.scores", f32s(&[0.0])),
            "tokenizer.ggml.scores: found 1 entries, expected 6",
        ),
        (
            with(spm(), "tokenizer.ggml.token_type", i32s(&[1; 7])),
            "tokenizer.ggml.token_type: found 7 entries, expected 6",
        ),
        (with(bpe(), "tokenizer.ggml.tokens", texts(&[])), "tokenizer.ggml.tokens: found no token"),
        (
            with(bpe(), "tokenizer.ggml.tokens", texts(&["a", "a"])),
            "tokenizer.ggml.tokens: 'a' is both token 0 and token 1",
        ),
        (
            with(bpe(), "tokenizer.ggml.eos_token_id", u32_value(4)),
            "tokenizer.ggml.eos_token_id: token 4 does not exist, expected an id below 4",
        ),
        (
            with(bpe(), "tokenizer.ggml.add_bos_token", bool_value(true)),
            "tokenizer.ggml.add_bos_token is true, but tokenizer.ggml.bos_token_id is not set",
        ),
    ];
    for (entries, expected) in cases {
        let message = tokenizer(&entries).expect_err(expected).to_string();
        assert!(message.starts_with(expected), "found    {message}\nexpected {expected}");
    }
}

/// The reader's own errors name the key as well.
#[test]
fn values_of_the_wrong_type_are_named() {
    for key in [
        "tokenizer.ggml.tokens",
        "tokenizer.ggml.merges",
        "tokenizer.ggml.model",
        "tokenizer.ggml.bos_token_id",
    ] {
        let message = tokenizer(&with(bpe(), key, f32s(&[1.0]))).expect_err(key).to_string();
        assert!(message.contains(key), "{message}");
    }
}
