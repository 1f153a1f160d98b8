//! SentencePiece with scores (`tokenizer.ggml.model = llama`): Llama 1 and 2, Mistral, Gemma up to 3, Phi-3.
//!
//! Blanks become `▁`. The symbols are characters; any two neighbours whose text is a token may be joined, the
//! one with the highest score first. Characters without a token become bytes, `<0xXX>`, or else the unknown
//! token.

use std::ops::Range;

use super::TokenId;
use super::blanks::Cuts;
use super::encode::{Algorithm, character_symbols};
use super::merge::{Joins, Symbol};
use super::table::{Join, NO_ID};
use super::vocab::Vocab;

/// What SentencePiece needs to know besides the vocabulary.
pub(super) struct Spm {
    /// Rank of each token: 0 for the highest score, equal for equal scores, [`NO_ID`] for tokens that do not
    /// occur in text.
    ranks: Vec<u32>,
    byte_tokens: [Option<TokenId>; 256],
    cuts: Cuts,
    unknown: Option<TokenId>,
    has_all_bytes: bool,
}

impl Spm {
    /// Bytes allocated, without the value itself.
    pub(super) fn bytes(&self) -> usize {
        self.ranks.capacity() * size_of::<u32>()
    }

    pub(super) fn new(vocab: &Vocab, unknown: Option<TokenId>) -> Spm {
        let byte_tokens: [_; 256] = std::array::from_fn(|byte| byte_token(vocab, byte as u8));
        let ranks = ranks(vocab);
        let has_all_bytes = byte_tokens.iter().all(Option::is_some);
        let in_text = vocab.ids().filter(|&id| ranks[id as usize] != NO_ID);
        let cuts = Cuts::new(in_text.map(|id| vocab.text(id)));
        Spm { ranks, byte_tokens, cuts, unknown, has_all_bytes }
    }

    /// Makes one unknown token of each run of them in `out[from..]`, as SentencePiece does. With tokens for
    /// all bytes there is nothing unknown. Returns whether `out` has changed.
    pub(super) fn fuse_unknown(&self, from: usize, out: &mut Vec<TokenId>) -> bool {
        let Some(unknown) = self.unknown.filter(|_| !self.has_all_bytes) else { return false };
        let mut kept = from;
        for at in from..out.len() {
            if at == from || out[at] != unknown || out[at - 1] != unknown {
                out[kept] = out[at];
                kept += 1;
            }
        }
        let changed = kept < out.len();
        out.truncate(kept);
        changed
    }
}

/// The token of a byte: `<0xXX>`, or the byte itself.
fn byte_token(vocab: &Vocab, byte: u8) -> Option<TokenId> {
    vocab.find_byte_token(byte).or_else(|| vocab.find_token(&[byte]))
}

fn ranks(vocab: &Vocab) -> Vec<u32> {
    // Adding zero turns -0 into 0, which is the same score.
    let score = |id: TokenId| vocab.score(id) + 0.0;
    let mut by_score: Vec<TokenId> = vocab.ids().filter(|&id| vocab.kind(id).occurs_in_text()).collect();
    by_score.sort_by(|&a, &b| score(b).total_cmp(&score(a)));
    let mut ranks = vec![NO_ID; vocab.len()];
    for equal in by_score.chunk_by(|&a, &b| score(a).total_cmp(&score(b)).is_eq()).zip(0u32..) {
        for &id in equal.0 {
            ranks[id as usize] = equal.1;
        }
    }
    ranks
}

/// [`Spm`] with its vocabulary.
pub(super) struct SpmEncoder<'a> {
    pub spm: &'a Spm,
    pub vocab: &'a Vocab,
}

impl SpmEncoder<'_> {
    /// The token of a text and its rank.
    #[inline]
    fn find(&self, text: &[u8]) -> Option<Join> {
        let id = self.vocab.find_token(text)?;
        let rank = self.spm.ranks[id as usize];
        (rank != NO_ID).then_some(Join { rank, id })
    }
}

impl Joins for SpmEncoder<'_> {
    #[inline]
    fn join(&self, _left: u32, _right: u32, text: &[u8]) -> Option<Join> {
        self.find(text)
    }
}

impl Algorithm for SpmEncoder<'_> {
    fn words(&self, text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
        self.spm.cuts.words(text, range, emit);
    }

    fn whole(&self, _word: &str, _scratch: &mut String) -> Option<TokenId> {
        None
    }

    fn symbols(&self, word: &str, out: &mut Vec<Symbol>) {
        character_symbols(word, |c| self.find(c.as_bytes()).map_or(NO_ID, |join| join.id), out);
    }

    #[inline]
    fn finish(&self, symbol: Symbol, bytes: &[u8], out: &mut Vec<TokenId>) {
        if symbol.id != NO_ID {
            return out.push(symbol.id);
        }
        let tokens = || bytes.iter().map(|&byte| self.spm.byte_tokens[usize::from(byte)]);
        if tokens().all(|token| token.is_some()) {
            out.extend(tokens().flatten());
        } else {
            out.extend(self.spm.unknown);
        }
    }
}
