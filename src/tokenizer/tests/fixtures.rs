//! Tokenizers written down by hand.

use crate::tokenizer::build::Definition;
use crate::tokenizer::special::{Names, Special};
use crate::tokenizer::vocab::Vocab;
use crate::tokenizer::{Encode, Error, Kind, TokenId, TokenKind, Tokenizer, bytes};

/// Text only: nothing added, nothing parsed.
pub(super) const PLAIN: Encode = Encode { add_special: false, parse_special: false };

/// A token to be: its text, kind and score.
pub(super) type Entry = (Vec<u8>, TokenKind, f32);

pub(super) fn entry(text: &str, kind: TokenKind, score: f32) -> Entry {
    (text.as_bytes().to_vec(), kind, score)
}

/// What the tests vary.
pub(super) struct Recipe {
    pub kind: Kind,
    pub entries: Vec<Entry>,
    pub merges: Vec<String>,
    pub pre: &'static str,
    pub special: Special,
    pub add_bos: Option<bool>,
    pub space_prefix: Option<bool>,
    pub merge_spaces: Option<bool>,
    pub lowercase: Option<bool>,
    pub charsmap: Vec<u8>,
    pub model_name: &'static str,
}

impl Recipe {
    pub(super) fn spm(entries: Vec<Entry>) -> Recipe {
        let special = Special { unknown: Some(0), ..Special::default() };
        Recipe {
            kind: Kind::Spm,
            entries,
            merges: Vec::new(),
            pre: "",
            special,
            add_bos: None,
            space_prefix: None,
            merge_spaces: None,
            lowercase: None,
            charsmap: Vec::new(),
            model_name: "",
        }
    }

    pub(super) fn bpe(entries: Vec<Entry>, merges: Vec<String>, pre: &'static str) -> Recipe {
        Recipe { kind: Kind::Bpe, merges, pre, special: Special::default(), ..Recipe::spm(entries) }
    }

    pub(super) fn build(self) -> Result<Tokenizer, Error> {
        let texts = self.entries.iter().map(|entry| Ok(entry.0.as_slice()));
        let kinds = self.entries.iter().map(|entry| entry.1).collect();
        let scores = self.entries.iter().map(|entry| entry.2).collect();
        let definition = Definition {
            kind: self.kind,
            vocab: Vocab::new(texts, self.entries.len(), kinds, scores)?,
            special: self.special,
            add_bos: self.add_bos,
            add_eos: None,
            space_prefix: self.space_prefix,
            merge_spaces: self.merge_spaces,
            lowercase: self.lowercase,
            strip_accents: None,
            charsmap: self.charsmap,
            names: Names { model: self.model_name.into(), architecture: String::new(), pre: self.pre.into() },
        };
        Tokenizer::build(definition, self.merges.iter().map(|merge| Ok(merge.as_bytes())), self.merges.len())
    }
}

/// `<unk>`, `<s>`, `</s>`, all 256 byte tokens, then `words` with falling scores.
pub(super) fn spm_entries(words: &[&str]) -> Vec<Entry> {
    let mut entries = vec![
        entry("<unk>", TokenKind::Unknown, 0.0),
        entry("<s>", TokenKind::Control, 0.0),
        entry("</s>", TokenKind::Control, 0.0),
    ];
    entries.extend((0..256).map(|byte| entry(&format!("<0x{byte:02X}>"), TokenKind::Byte, 0.0)));
    entries.extend(words.iter().zip(1..).map(|(word, rank)| entry(word, TokenKind::Normal, -(rank as f32))));
    entries
}

/// All 256 bytes in the spelling of GPT-2 (so the id of a byte is the byte), then the result of each merge.
pub(super) fn bpe_entries(merges: &[String]) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        (0..=255).map(|byte| entry(&bytes::spell(byte).to_string(), TokenKind::Normal, 0.0)).collect();
    for merge in merges {
        let text = merge.replace(' ', "");
        if entries.iter().all(|entry| entry.0 != text.as_bytes()) {
            entries.push(entry(&text, TokenKind::Normal, 0.0));
        }
    }
    entries
}

/// The spellings of the tokens, for readable comparisons.
pub(super) fn shown(tokenizer: &Tokenizer, ids: &[TokenId]) -> Vec<String> {
    let show = |&id: &TokenId| String::from_utf8_lossy(tokenizer.token(id).unwrap().bytes).into_owned();
    ids.iter().map(show).collect()
}
