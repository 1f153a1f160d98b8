//! Text to token ids and back, as the vocabulary in a model file says.
//!
//! ```text
//! text -> partition at special tokens -> words -> merges -> ids -> bytes -> text
//!         partition.rs                   split/   merge.rs        decode.rs stream.rs
//! ```
//!
//! | file | what |
//! |---|---|
//! | `metadata.rs`, `build.rs` | a tokenizer from the metadata of a file, or from plain parts |
//! | `vocab.rs`, `table.rs` | texts, kinds, scores; text -> id |
//! | `special.rs`, `partition.rs` | special tokens: which there are; finding them in text |
//! | `encode.rs`, `merge.rs` | what the algorithms share: words, merging |
//! | `bpe.rs`, `merges.rs`, `bytes.rs`, `split/` | byte-pair encoding and its pre-tokenizers |
//! | `spm.rs`, `blanks.rs` | SentencePiece |
//! | `decode.rs`, `stream.rs` | ids -> bytes; bytes -> whole characters |
//!
//! Results equal llama.cpp's, with these exceptions: a SentencePiece text never yields a control, unknown or
//! byte token unless `parse_special` asks for it; a SentencePiece vocabulary without byte tokens works, with
//! the unknown token, where llama.cpp aborts. A byte that a byte-level vocabulary has no token for is
//! dropped, as there, unless it has an unknown token.
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
mod special;
mod split;
mod spm;
mod stream;
mod table;
mod vocab;

#[cfg(test)]
mod tests;

pub use error::Error;
pub use stream::TextStream;

use std::borrow::Cow;

use bpe::{Bpe, BpeEncoder};
use encode::{Algorithm, Encoder};
use partition::{Fragment, Partition};
use special::Special;
use spm::{Spm, SpmEncoder};
use vocab::Vocab;

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
    /// SentencePiece: log-probability or negative rank. 0 where the file has no scores.
    pub score: f32,
}

/// The algorithm of a tokenizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// SentencePiece: any two neighbours whose text is a token are joined, by score.
    Spm,
    /// Byte-pair encoding: neighbours are joined by a list of merges.
    Bpe,
}

impl Kind {
    /// A short name for messages and tables.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Spm => "SPM",
            Kind::Bpe => "BPE",
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
    add_eos: bool,
    /// SentencePiece: a blank is put before the text, and before text that follows a special token.
    space_prefix: bool,
    pre: Option<String>,
    pre_warning: Option<String>,
}

/// The data of an algorithm.
enum Rules {
    Spm(Box<Spm>),
    Bpe(Box<Bpe>),
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

    /// All tokens at which generation ends, ascending.
    pub fn eog(&self) -> &[TokenId] {
        &self.ends
    }

    /// Whether BOS is added to a prompt.
    pub fn adds_bos(&self) -> bool {
        self.add_bos
    }

    /// Whether EOS is added to a prompt.
    pub fn adds_eos(&self) -> bool {
        self.add_eos
    }

    /// The algorithm.
    pub fn kind(&self) -> Kind {
        match self.algorithm {
            Rules::Spm(_) => Kind::Spm,
            Rules::Bpe(_) => Kind::Bpe,
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

    /// The ids of a text.
    pub fn encode(&self, text: &str, options: Encode) -> Vec<TokenId> {
        let mut out = Vec::with_capacity(text.len() / 3 + 2);
        if options.add_special && self.add_bos {
            out.extend(self.special.bos);
        }
        let fragments = self.partition.cut(text, options.parse_special);
        match &self.algorithm {
            Rules::Spm(spm) => {
                let (text, fragments) = self.escape(text, fragments);
                self.encode_spm(&SpmEncoder { spm, vocab: &self.vocab }, &text, &fragments, &mut out);
            }
            Rules::Bpe(bpe) => {
                let (text, fragments) = match bpe.rule().byte_level {
                    true => (Cow::Borrowed(text), fragments),
                    false => self.escape(text, fragments),
                };
                encode_all(&BpeEncoder { bpe, vocab: &self.vocab }, &text, &fragments, &mut out, |_, _| {
                    false
                });
            }
        }
        self.warn_double_bos(options, &out);
        if options.add_special && self.add_eos {
            out.extend(self.special.eos);
        }
        out
    }

    fn encode_spm(
        &self,
        encoder: &SpmEncoder<'_>,
        text: &str,
        fragments: &[Fragment],
        out: &mut Vec<TokenId>,
    ) {
        encode_all(encoder, text, fragments, out, |from, out| encoder.spm.fuse_unknown(from, out));
    }

    /// The fragments with `▁` for each blank, and with a prefix where one is due.
    fn escape(&self, text: &str, fragments: Vec<Fragment>) -> (Cow<'static, str>, Vec<Fragment>) {
        let mut escaped = String::with_capacity(text.len() + text.len() / 2 + 3);
        let mut prefix = self.space_prefix;
        let escape = |fragment| match fragment {
            Fragment::Text(range) => {
                let start = escaped.len();
                if std::mem::take(&mut prefix) {
                    escaped.push(blanks::BLANK);
                }
                blanks::escape(&text[range], &mut escaped);
                Fragment::Text(start..escaped.len())
            }
            token => {
                prefix = self.space_prefix;
                token
            }
        };
        let fragments = fragments.into_iter().map(escape).collect();
        (Cow::Owned(escaped), fragments)
    }

    fn warn_double_bos(&self, options: Encode, out: &[TokenId]) {
        if options.add_special && self.add_bos && out.len() >= 2 && out[0] == out[1] {
            log::warn!(
                "the prompt begins with two BOS tokens: one in the text, one that was added. Try without the first"
            );
        }
    }
}

/// Encodes `fragments` of `text`. `tidy` may take tokens out of what a fragment appended; it says whether it
/// did.
fn encode_all(
    algorithm: &impl Algorithm,
    text: &str,
    fragments: &[Fragment],
    out: &mut Vec<TokenId>,
    tidy: impl Fn(usize, &mut Vec<TokenId>) -> bool,
) {
    let mut encoder = Encoder::new(algorithm, text);
    for fragment in fragments {
        match fragment {
            Fragment::Token(id) => out.push(*id),
            Fragment::Text(range) => {
                let from = out.len();
                encoder.encode(range.clone(), out);
                if tidy(from, out) {
                    encoder.forget();
                }
            }
        }
    }
}
