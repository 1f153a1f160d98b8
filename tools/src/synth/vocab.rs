//! The tokenizer's tables: a synthetic SentencePiece vocabulary, or one copied from another file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ggus::{GGufMetaDataValueType as Type, GGufReadError, GGufReader};

use super::SynthError;
use super::meta::{Entry, string_bytes};

/// Metadata of a tokenizer.
#[derive(Clone, Debug)]
pub struct Vocab {
    pub(super) entries: Vec<Entry>,
    size: usize,
}

/// GGUF's token types.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const BYTE: i32 = 6;

/// How much of a file is read for its metadata; the largest vocabularies take 16 MB.
const HEAD: u64 = 64 << 20;

impl Vocab {
    /// A SentencePiece vocabulary of `len` entries, 320 or more: `<unk>`, `<s>`, `</s>`, the 256 bytes, the space and words of
    /// lower-case letters in dictionary order by length (`a` ... `z`, `aa`, `ab` ...), each less likely than the one before.
    ///
    /// # Panics
    ///
    /// If `len` is below 320.
    pub fn synthetic(len: usize) -> Vocab {
        assert!(len >= 320, "a synthetic vocabulary has room for bytes and letters");
        let mut pieces =
            vec![("<unk>".to_owned(), UNKNOWN), ("<s>".into(), CONTROL), ("</s>".into(), CONTROL)];
        pieces.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), BYTE)));
        pieces.push(("\u{2581}".into(), NORMAL));
        let words = len - pieces.len();
        pieces.extend((1..=words).map(|number| (word(number), NORMAL)));
        let score = |i: usize| if i < 259 { 0.0 } else { -((i - 259) as f32) };
        let scores: Vec<f32> = (0..len).map(score).collect();
        let entries = vec![
            Entry::string("tokenizer.ggml.model", "llama"),
            Entry::string("tokenizer.ggml.pre", "default"),
            Entry::array("tokenizer.ggml.tokens", Type::String, &pieces, |piece| string_bytes(&piece.0)),
            Entry::array("tokenizer.ggml.scores", Type::F32, &scores, |score| score.to_le_bytes()),
            Entry::array("tokenizer.ggml.token_type", Type::I32, &pieces, |piece| piece.1.to_le_bytes()),
            Entry::u32("tokenizer.ggml.unknown_token_id", 0),
            Entry::u32("tokenizer.ggml.bos_token_id", 1),
            Entry::u32("tokenizer.ggml.eos_token_id", 2),
            Entry::bool("tokenizer.ggml.add_bos_token", true),
            Entry::bool("tokenizer.ggml.add_eos_token", false),
        ];
        Vocab { entries, size: len }
    }

    /// The vocabulary of a GGUF file: every key that starts with `tokenizer.`. Only its head is read. The file must be one that you
    /// trust: this goes through `ggus`, which checks little.
    ///
    /// # Errors
    ///
    /// [`SynthError::VocabFile`] or [`SynthError::VocabFormat`].
    pub fn from_file(path: &Path) -> Result<Vocab, SynthError> {
        let name = || path.display().to_string();
        let head = read_head(path).map_err(|source| SynthError::VocabFile { path: name(), source })?;
        let format = |reason: String| SynthError::VocabFormat { path: name(), reason };
        let entries = tokenizer_entries(&head).map_err(format)?;
        let tokens =
            entries.iter().find(|entry| entry.key == "tokenizer.ggml.tokens" && entry.ty == Type::Array);
        let len = tokens.and_then(|entry| entry.value.get(4..12)?.try_into().ok()).map(u64::from_le_bytes);
        match len {
            Some(len) => Ok(Vocab { entries, size: len as usize }),
            None => Err(format("there is no array `tokenizer.ggml.tokens`".into())),
        }
    }

    /// Entries of the vocabulary.
    pub fn size(&self) -> usize {
        self.size
    }
}

/// The word of a number from 1 on: 26 letters as digits, with no zero.
fn word(mut number: usize) -> String {
    let mut letters = Vec::new();
    while number > 0 {
        number -= 1;
        letters.push(char::from(b'a' + (number % 26) as u8));
        number /= 26;
    }
    letters.iter().rev().collect()
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

fn tokenizer_entries(head: &[u8]) -> Result<Vec<Entry>, String> {
    let ended = |error: GGufReadError| format!("the metadata is damaged ({error:?})");
    let mut reader = GGufReader::new(head);
    let magic = reader.read::<[u8; 4]>().map_err(ended)?;
    let version = reader.read::<u32>().map_err(ended)?;
    if (magic, version) != (*b"GGUF", 3) {
        return Err(format!("found {magic:?} with version {version}, expected `GGUF` with version 3"));
    }
    let _tensors = reader.read::<u64>().map_err(ended)?;
    let keys = reader.read::<u64>().map_err(ended)?;
    let mut entries = Vec::new();
    for _ in 0..keys {
        let pair = reader.read_meta_kv().map_err(ended)?;
        if pair.key().starts_with("tokenizer.") {
            entries.push(Entry { key: pair.key().into(), ty: pair.ty(), value: pair.value_bytes().to_vec() });
        }
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Mix, Model, Shape};

    #[test]
    fn words_are_in_order() {
        let words: Vec<_> = [1, 26, 27, 702, 703].into_iter().map(word).collect();
        assert_eq!(words, ["a", "z", "aa", "zz", "aaa"]);
    }

    #[test]
    fn a_vocabulary_can_be_copied() {
        let model = Model::new(Shape::named("tiny").unwrap(), Mix::named("Q4_0").unwrap(), 1);
        let file = tempfile::NamedTempFile::new().unwrap();
        model.save(file.path()).unwrap();
        let copy = Vocab::from_file(file.path()).unwrap();
        assert_eq!(copy.size(), 320);
        assert_eq!(copy.entries.len(), model.vocab.entries.len());
        for (a, b) in copy.entries.iter().zip(&model.vocab.entries) {
            assert_eq!((&a.key, a.ty, &a.value), (&b.key, b.ty, &b.value));
        }
        let larger = Model::new(Shape::named("narrow").unwrap(), model.mix.clone(), 1).with_vocab(copy);
        assert_eq!(larger.shape.vocab, 320);
    }

    #[test]
    fn other_files_are_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"GGML and more bytes than a header").unwrap();
        assert!(matches!(Vocab::from_file(file.path()), Err(SynthError::VocabFormat { .. })));
        assert!(matches!(
            Vocab::from_file(&file.path().with_extension("missing")),
            Err(SynthError::VocabFile { .. })
        ));
    }
}
