//! Byte-pair encoding with a list of merges: GPT-2 and its many heirs (`tokenizer.ggml.model = gpt2`), and
//! Gemma 4.
//!
//! Text is cut into words by a pre-tokenizer (`split/`). The symbols of a word are its bytes, spelled as
//! characters (`bytes.rs`), or for Gemma 4 its characters; then neighbours are joined by the order of the
//! merges in the file.

use std::ops::Range;

use super::blanks::Cuts;
use super::encode::{Algorithm, character_symbols};
use super::error::Error;
use super::merge::{Joins, Symbol};
use super::merges::{self, Merges};
use super::split::{self, Rule};
use super::table::{Join, NO_ID, PairTable};
use super::vocab::Vocab;
use super::{TokenId, TokenKind, bytes};

/// The merges of a vocabulary and its pre-tokenizer.
pub(super) struct Bpe {
    rule: &'static Rule,
    pairs: PairTable,
    /// Byte-level rules: the symbol of each byte.
    byte_ids: [u32; 256],
    /// Other rules: the token `<0xXX>` of each byte.
    byte_tokens: [Option<TokenId>; 256],
    /// Where words can be cut at `▁`; byte-level texts have none.
    cuts: Cuts,
    /// The token for a byte without one.
    unknown: Option<TokenId>,
}

impl Bpe {
    /// Reads merges, each of which is two texts with a blank between them, the most important first. A merge
    /// without a blank is passed over, and of two merges of one pair the first counts. What a merge yields
    /// need not be a token.
    pub(super) fn new<'a>(
        vocab: &mut Vocab,
        rule: &'static Rule,
        merges: impl Merges<'a>,
        count: usize,
        unknown: Option<TokenId>,
    ) -> Result<Bpe, Error> {
        let parts = merges::resolve(vocab, merges, count)?;
        let pairs = PairTable::new(&parts);
        let yields = parts.iter().flatten().filter(|_| !rule.byte_level).map(|pair| vocab.text(pair.join.id));
        let cuts = Cuts::new(yields);
        let byte_ids = std::array::from_fn(|byte| {
            let spelled = bytes::spell(byte as u8);
            vocab.find(spelled.encode_utf8(&mut [0; 4]).as_bytes()).unwrap_or(NO_ID)
        });
        let byte_tokens = std::array::from_fn(|byte| vocab.find_byte_token(byte as u8));
        // Some files name the end of text as the unknown token (StarCoder). That must not get into a text.
        let unknown = unknown.filter(|&id| vocab.kind(id) == TokenKind::Unknown);
        Ok(Bpe { rule, pairs, byte_ids, byte_tokens, cuts, unknown })
    }

    /// Bytes allocated, without the value itself.
    pub(super) fn bytes(&self) -> usize {
        self.pairs.bytes()
    }

    pub(super) fn rule(&self) -> &'static Rule {
        self.rule
    }
}

/// [`Bpe`] with its vocabulary.
pub(super) struct BpeEncoder<'a> {
    pub bpe: &'a Bpe,
    pub vocab: &'a Vocab,
}

impl Joins for BpeEncoder<'_> {
    #[inline]
    fn join(&self, left: u32, right: u32, _text: &[u8]) -> Option<Join> {
        self.bpe.pairs.get(left, right)
    }
}

impl Algorithm for BpeEncoder<'_> {
    fn words(&self, text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
        let (rule, base) = (self.bpe.rule, range.start);
        split::split(rule, &text[range], &mut |word| {
            let word = base + word.start..base + word.end;
            if rule.byte_level { emit(word) } else { self.bpe.cuts.words(text, word, emit) }
        });
    }

    #[inline]
    fn whole(&self, word: &str, scratch: &mut String) -> Option<TokenId> {
        let rule = self.bpe.rule;
        if rule.whole_newlines && word.bytes().all(|byte| byte == b'\n') {
            return self.vocab.find_token(word.as_bytes());
        }
        if !rule.ignore_merges {
            return None;
        }
        if rule.byte_level {
            bytes::spell_all(word.as_bytes(), scratch);
            return self.vocab.find_token(scratch.as_bytes());
        }
        self.vocab.find_token(word.as_bytes())
    }

    #[inline]
    fn symbols(&self, word: &str, out: &mut Vec<Symbol>) {
        if self.bpe.rule.byte_level {
            let symbol = |(byte, start)| Symbol { id: self.bpe.byte_ids[usize::from(byte)], start, len: 1 };
            out.extend(word.bytes().zip(0..).map(symbol));
        } else {
            character_symbols(word, |c| self.vocab.find(c.as_bytes()).unwrap_or(NO_ID), out);
        }
    }

    #[inline]
    fn finish(&self, symbol: Symbol, bytes: &[u8], out: &mut Vec<TokenId>) {
        if self.vocab.is_token(symbol.id) {
            return out.push(symbol.id);
        }
        // A merge that yields no token, or a byte without one.
        for &byte in bytes {
            let token = if self.bpe.rule.byte_level {
                Some(self.bpe.byte_ids[usize::from(byte)]).filter(|&id| self.vocab.is_token(id))
            } else {
                self.bpe.byte_tokens[usize::from(byte)]
            };
            out.extend(token.or(self.bpe.unknown));
        }
    }
}
