//! What can be wrong with the tokenizer part of a model file.

use super::TokenId;
use crate::gguf;

/// Why a tokenizer cannot be made from a file's metadata.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The metadata itself cannot be read, or a value has another type than expected.
    #[error(transparent)]
    Metadata(#[from] gguf::Error),

    /// A key that every tokenizer needs is not in the file.
    #[error(
        "tokenizer: the file has no {key}. Try a complete model file: this one may be an adapter or a projector"
    )]
    Missing {
        /// The metadata key.
        key: &'static str,
    },

    /// `tokenizer.ggml.model` names an algorithm that is not supported.
    #[error("tokenizer.ggml.model: '{found}' is not supported, expected one of {}. Try `--tokens` with ids \
         from another tokenizer",
        Error::MODELS.join(", ")
    )]
    UnknownModel {
        /// The name in the file.
        found: String,
    },

    /// `tokenizer.ggml.pre` names a pre-tokenizer that is known and not supported.
    #[error(
        "tokenizer.ggml.pre: '{found}' is not supported: it belongs to an embedding model. Try `--tokens` \
         with ids from another tokenizer"
    )]
    RefusedPre {
        /// The name in the file.
        found: String,
    },

    /// The character map of a Unigram tokenizer is not made of bytes.
    #[error(
        "tokenizer.ggml.precompiled_charsmap: found {found} elements, expected 8-bit integers. The file was \
         converted wrongly"
    )]
    CharsmapType {
        /// The type of the elements.
        found: &'static str,
    },

    /// The character map of a Unigram tokenizer is damaged.
    #[error(
        "tokenizer.ggml.precompiled_charsmap: found {found} bytes, expected at least {expected}. The file is \
         damaged or was converted wrongly"
    )]
    Charsmap {
        /// Bytes found.
        found: u64,
        /// Bytes that its head asks for.
        expected: u64,
    },

    /// The list of tokens is empty.
    #[error("tokenizer.ggml.tokens: found no token, expected at least one")]
    NoTokens,

    /// Scores or types do not match the tokens in number.
    #[error(
        "{key}: found {found} entries, expected {expected}, one for each token. The file is damaged or \
         was converted wrongly"
    )]
    Length {
        /// The metadata key.
        key: &'static str,
        /// Entries found.
        found: usize,
        /// Number of tokens.
        expected: usize,
    },

    /// Two tokens have the same text.
    #[error(
        "tokenizer.ggml.tokens: '{text}' is both token {first} and token {second}, expected every text \
         once. Try a newer conversion of the model"
    )]
    Duplicate {
        /// The text, with invalid UTF-8 replaced.
        text: String,
        /// The lower id.
        first: TokenId,
        /// The higher id.
        second: TokenId,
    },

    /// The token texts take more bytes than 32-bit offsets reach, or there are too many of them.
    #[error("{key}: {found} is too many, expected at most {most}")]
    TooLarge {
        /// The metadata key.
        key: &'static str,
        /// Bytes or entries found.
        found: u64,
        /// The limit.
        most: u64,
    },

    /// A special token id is not in the vocabulary.
    #[error(
        "{key}: token {id} does not exist, expected an id below {tokens}. Try to set it right \
         with gguf-set-metadata"
    )]
    IdOutOfRange {
        /// The metadata key.
        key: &'static str,
        /// The id found.
        id: u64,
        /// Number of tokens.
        tokens: usize,
    },

    /// The file asks for a BOS or EOS token to be added, but has none.
    #[error("{flag} is true, but {id_key} is not set: there is no token to add")]
    NothingToAdd {
        /// The flag.
        flag: &'static str,
        /// The key that should hold the id.
        id_key: &'static str,
    },
}

impl Error {
    /// The values of `tokenizer.ggml.model` that are supported.
    pub const MODELS: [&str; 5] = ["llama", "gpt2", "gemma4", "bert", "t5"];
}
