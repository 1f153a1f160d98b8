//! A tokenizer from the metadata of a model file: the keys `tokenizer.ggml.*` and their defaults.

use super::build::Definition;
use super::error::Error;
use super::special::{Names, Special};
use super::vocab::Vocab;
use super::{Kind, TokenId, TokenKind, Tokenizer};
use crate::gguf::{Metadata, ValueType};

const MODEL: &str = "tokenizer.ggml.model";
pub(super) const TOKENS: &str = "tokenizer.ggml.tokens";
pub(super) const SCORES: &str = "tokenizer.ggml.scores";
pub(super) const TYPES: &str = "tokenizer.ggml.token_type";
pub(super) const MERGES: &str = "tokenizer.ggml.merges";
const CHARSMAP: &str = "tokenizer.ggml.precompiled_charsmap";

impl Tokenizer {
    /// The tokenizer of a model file.
    ///
    /// A pre-tokenizer that is not named or not known is replaced by the default one. That is logged as a
    /// warning, and [`Tokenizer::pre_warning`] tells.
    ///
    /// # Errors
    ///
    /// [`Error`] names the key: a tokenizer that is not supported, keys that are missing or of the wrong
    /// type, lists that do not match in length, token ids outside of the vocabulary, a text that occurs
    /// twice.
    pub fn from_metadata(metadata: &Metadata) -> Result<Tokenizer, Error> {
        let kind = kind(metadata)?;
        let model = metadata.str(MODEL)?.unwrap_or_default();
        let vocab = vocab(metadata)?;
        let definition = Definition {
            kind,
            special: special(metadata, model, &vocab)?,
            vocab,
            add_bos: metadata.bool("tokenizer.ggml.add_bos_token")?,
            add_eos: metadata.bool("tokenizer.ggml.add_eos_token")?,
            space_prefix: metadata.bool("tokenizer.ggml.add_space_prefix")?,
            merge_spaces: metadata.bool("tokenizer.ggml.remove_extra_whitespaces")?,
            lowercase: metadata.bool("tokenizer.ggml.normalizer.lowercase")?,
            strip_accents: metadata.bool("tokenizer.ggml.normalizer.strip_accents")?,
            charsmap: charsmap(metadata)?,
            names: names(metadata, model)?,
        };
        if kind != Kind::Bpe {
            return Tokenizer::build(definition, std::iter::empty(), 0);
        }
        let merges = metadata.array(MERGES)?.ok_or(Error::Missing { key: MERGES })?;
        Tokenizer::build(definition, merges.strs()?.map(|merge| Ok(merge?)), merges.len())
    }
}

/// The algorithm.
pub(super) fn kind(metadata: &Metadata) -> Result<Kind, Error> {
    match metadata.str(MODEL)?.ok_or(Error::Missing { key: MODEL })? {
        "llama" => Ok(Kind::Spm),
        "gpt2" | "gemma4" => Ok(Kind::Bpe),
        "bert" => Ok(Kind::Wpm),
        "t5" => Ok(Kind::Ugm),
        other => Err(Error::UnknownModel { found: other.to_string() }),
    }
}

/// The character map; no bytes if the file has none.
fn charsmap(metadata: &Metadata) -> Result<Vec<u8>, Error> {
    let Some(bytes) = metadata.array(CHARSMAP)? else { return Ok(Vec::new()) };
    if !matches!(bytes.element_type(), ValueType::I8 | ValueType::U8) {
        return Err(Error::CharsmapType { found: bytes.element_type().name() });
    }
    // Signed bytes are the same bytes.
    bytes.iter().map(|byte| Ok(byte?.integer().unwrap_or_default() as u8)).collect()
}

fn vocab(metadata: &Metadata) -> Result<Vocab, Error> {
    let tokens = metadata.array(TOKENS)?.ok_or(Error::Missing { key: TOKENS })?;
    let kinds = match metadata.array(TYPES)? {
        Some(types) => types.i32s()?.into_iter().map(token_kind).collect(),
        None => vec![TokenKind::Normal; tokens.len()],
    };
    let scores = match metadata.array(SCORES)? {
        Some(scores) if scores.element_type() == ValueType::F32 => scores.f32s()?,
        Some(scores) => scores.i32s()?.into_iter().map(|score| score as f32).collect(),
        None => Vec::new(),
    };
    Vocab::new(tokens.strs()?.map(|text| Ok(text?)), tokens.len(), kinds, scores)
}

/// The values of `tokenizer.ggml.token_type`; 0 is undefined, and so is what is not listed.
pub(super) fn token_kind(code: i32) -> TokenKind {
    match code {
        1 => TokenKind::Normal,
        2 => TokenKind::Unknown,
        3 => TokenKind::Control,
        4 => TokenKind::UserDefined,
        6 => TokenKind::Byte,
        _ => TokenKind::Unused,
    }
}

fn special(metadata: &Metadata, model: &str, vocab: &Vocab) -> Result<Special, Error> {
    let id = |key| id(metadata, key, vocab.len());
    let default = Special::default_of(model, vocab);
    Ok(Special {
        bos: id("tokenizer.ggml.bos_token_id")?.or(default.bos),
        eos: id("tokenizer.ggml.eos_token_id")?.or(default.eos),
        eot: id("tokenizer.ggml.eot_token_id")?,
        eom: id("tokenizer.ggml.eom_token_id")?,
        unknown: id("tokenizer.ggml.unknown_token_id")?.or(default.unknown),
        // The name is misspelt in the format.
        separator: id("tokenizer.ggml.seperator_token_id")?.or(default.separator),
        fim_pad: id("tokenizer.ggml.fim_pad_token_id")?,
        fim_repo: id("tokenizer.ggml.fim_rep_token_id")?,
        fim_separator: id("tokenizer.ggml.fim_sep_token_id")?,
    })
}

/// A token id; a negative one means that there is none.
fn id(metadata: &Metadata, key: &'static str, tokens: usize) -> Result<Option<TokenId>, Error> {
    let Some(id) = metadata.i64(key)? else { return Ok(None) };
    match u64::try_from(id) {
        Ok(id) if id < tokens as u64 => Ok(Some(id as TokenId)),
        Ok(id) => Err(Error::IdOutOfRange { key, id, tokens }),
        Err(_) => Ok(None),
    }
}

fn names(metadata: &Metadata, model: &str) -> Result<Names, Error> {
    let text = |key| Ok::<_, Error>(metadata.str(key)?.unwrap_or_default().to_string());
    // Files of Gemma 4 say it in the model, not in the pre-tokenizer.
    let pre = if model == "gemma4" { "gemma4".to_string() } else { text("tokenizer.ggml.pre")? };
    Ok(Names {
        model: text("general.name")?.to_lowercase(),
        architecture: text("general.architecture")?,
        pre,
    })
}
