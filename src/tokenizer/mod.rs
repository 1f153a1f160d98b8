//! Text to token ids and back, as the vocabulary in a model file says.
//!
//! ```text
//! text -> partition at special tokens -> words -> merges -> ids -> bytes -> text
//!         partition.rs                   split/   merge.rs        decode.rs stream.rs
//!                                        wpm/     trie.rs
//!                                        ugm/     trie.rs
//! ```
//!
//! | file | what |
//! |---|---|
//! | `metadata.rs`, `build.rs` | a tokenizer from the metadata of a file, or from plain parts |
//! | `vocab.rs`, `table.rs` | texts, kinds, scores; text -> id |
//! | `special.rs`, `partition.rs` | special tokens: which there are; finding them in text |
//! | `text.rs` | the ids of a text, whatever the algorithm |
//! | `encode.rs`, `merge.rs` | what SentencePiece and byte-pair encoding share: words, merging |
//! | `bpe.rs`, `merges.rs`, `bytes.rs`, `split/` | byte-pair encoding and its pre-tokenizers |
//! | `spm.rs`, `blanks.rs` | SentencePiece |
//! | `wpm/` | WordPiece: cleaning, longest match |
//! | `ugm/` | Unigram: normalization, best segmentation |
//! | `trie.rs` | which tokens a text begins with, for both |
//! | `decode.rs`, `stream.rs` | ids -> bytes; bytes -> whole characters |
//! | `size.rs` | what memory it takes |
//!
//! Results equal llama.cpp's, with these exceptions: text never yields a control, unknown or byte token by
//! itself unless `parse_special` asks for it (byte-pair encoding has its merges); a SentencePiece vocabulary
//! without byte tokens works, with the unknown token, where llama.cpp aborts; Unigram normalizes a text that
//! begins like a user-defined token and is none, as SentencePiece does. A byte that a byte-level vocabulary
//! has no token for is dropped, as there, unless it has an unknown token.
//!
//! The room knows [`crate::gguf`] and nothing else; `model`, `session` and `cli` may call it.

mod blanks;
mod bpe;
mod build;
mod bytes;
mod decode;
mod encode;
mod error;
mod merge;
mod merges;
mod metadata;
mod partition;
mod size;
mod special;
mod split;
mod spm;
mod stream;
mod table;
mod text;
mod trie;
mod ugm;
mod vocab;
mod wpm;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use size::Size;
pub(crate) use special::MOST_ENDS;
pub use stream::TextStream;

use bpe::Bpe;
use partition::Partition;
use special::Special;
use spm::Spm;
use std::fmt;
use ugm::Ugm;
use vocab::Vocab;
use wpm::Wpm;

/// The number of a token in the vocabulary.
pub type TokenId = u32;

/// What a token is for: the values of `tokenizer.ggml.token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Text.
    Normal,
    /// Stands for text that the vocabulary cannot express.
    Unknown,
    /// Gives structure to a conversation and is not shown: BOS, end of turn, ...
    Control,
    /// Text that is always this token, whatever surrounds it.
    UserDefined,
    /// Never trained.
    Unused,
    /// One byte, spelled `<0xXX>`.
    Byte,
}

/// A token as it stands in the vocabulary.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token<'a> {
    /// The text in the file's spelling (`Ġthe`, `▁the`, `<0x0A>`). Usually UTF-8; [`Tokenizer::piece`] gives
    /// what it means.
    pub bytes: &'a [u8],
    /// What it is for.
    pub kind: TokenKind,
    /// SentencePiece and Unigram: log-probability or negative rank. 0 where the file has no scores.
    pub score: f32,
}

/// The algorithm of a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// SentencePiece: any two neighbours whose text is a token are joined, by score.
    Spm,
    /// Byte-pair encoding: neighbours are joined by a list of merges.
    Bpe,
    /// WordPiece: the longest token from the start of a word, and again from its end.
    Wpm,
    /// Unigram: the segmentation with the highest sum of scores.
    Ugm,
}

impl Kind {
    /// A short name for messages and tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Spm => "SPM",
            Kind::Bpe => "BPE",
            Kind::Wpm => "WPM",
            Kind::Ugm => "UGM",
        }
    }
}

/// How to encode a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encode {
    /// Add BOS and EOS where the file wants them.
    pub add_special: bool,
    /// Turn the texts of control tokens (`<|im_end|>`) into these tokens. To be used for templates, never for
    /// what a user typed. The texts of user-defined tokens become tokens in any case.
    pub parse_special: bool,
}

impl Default for Encode {
    /// A prompt: BOS is added, special tokens are not parsed.
    fn default() -> Encode {
        Encode { add_special: true, parse_special: false }
    }
}

/// The tokenizer of a model.
///
/// Immutable and shared freely between threads. Encoding takes time linear in the text, whatever the text is.
pub struct Tokenizer {
    vocab: Vocab,
    algorithm: Rules,
    special: Special,
    /// Tokens that end generation, ascending.
    ends: Vec<TokenId>,
    partition: Partition,
    add_bos: bool,
    /// Added after a text: EOS, or the separator of WordPiece.
    last: Option<TokenId>,
    /// A blank is put before the text, and before text that follows a special token.
    space_prefix: bool,
    pre: Option<String>,
    pre_warning: Option<String>,
}

impl fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tokens, kind) = (self.len(), self.kind());
        f.debug_struct("Tokenizer").field("kind", &kind).field("tokens", &tokens).finish_non_exhaustive()
    }
}

/// The data of an algorithm.
enum Rules {
    Spm(Box<Spm>),
    Bpe(Box<Bpe>),
    Wpm(Box<Wpm>),
    Ugm(Box<Ugm>),
}

impl Tokenizer {
    /// Number of tokens.
    #[allow(clippy::len_without_is_empty)] // a vocabulary is never empty
    pub fn len(&self) -> usize {
        self.vocab.len()
    }

    /// The token with that id; `None` if there is none.
    pub fn token(&self, id: TokenId) -> Option<Token<'_>> {
        self.vocab.token(id)
    }

    /// The id of the token with exactly this spelling, special or not.
    pub fn find(&self, spelling: &str) -> Option<TokenId> {
        self.vocab.find_token(spelling.as_bytes())
    }

    /// Beginning of a sequence.
    pub fn bos(&self) -> Option<TokenId> {
        self.special.bos
    }

    /// End of a sequence.
    pub fn eos(&self) -> Option<TokenId> {
        self.special.eos
    }

    /// End of a turn in a conversation.
    pub fn eot(&self) -> Option<TokenId> {
        self.special.eot
    }

    /// The token for text that the vocabulary cannot express.
    pub fn unknown(&self) -> Option<TokenId> {
        self.special.unknown
    }

    /// Whether generation ends at this token: EOS, end of turn, end of message, and tokens whose text is
    /// known to end an answer in some model.
    pub fn is_eog(&self, id: TokenId) -> bool {
        self.ends.binary_search(&id).is_ok()
    }

    /// All tokens at which generation ends, ascending. No vocabulary has more than 28 of them.
    pub fn eog(&self) -> &[TokenId] {
        &self.ends
    }

    /// Whether BOS is added to a prompt.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether EOS, or the separator that ends a WordPiece text, is added to a prompt.
    pub fn adds_eos(&self) -> bool {
        self.last.is_some()
    }

    /// Bytes of the longest token, in the file's spelling.
    pub fn longest(&self) -> usize {
        self.vocab.longest()
    }

    /// The algorithm.
    pub fn kind(&self) -> Kind {
        match self.algorithm {
            Rules::Spm(_) => Kind::Spm,
            Rules::Bpe(_) => Kind::Bpe,
            Rules::Wpm(_) => Kind::Wpm,
            Rules::Ugm(_) => Kind::Ugm,
        }
    }

    /// The name of the pre-tokenizer in the file, if the algorithm uses one.
    pub fn pre(&self) -> Option<&str> {
        self.pre.as_deref()
    }

    /// What is wrong with the pre-tokenizer: it is not named or not known, so that words may be cut in other
    /// places than in training. The message was also logged.
    pub fn pre_warning(&self) -> Option<&str> {
        self.pre_warning.as_deref()
    }
}
