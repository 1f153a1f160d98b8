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
        merges: impl Iterator<Item = Result<&'a [u8], Error>>,
        count: usize,
        unknown: Option<TokenId>,
    ) -> Result<Bpe, Error> {
        let pairs = PairTable::with_capacity(count);
        let mut table = MergeTable { pairs, yields: Vec::new(), previous: 0 };
        let mut batch = Vec::with_capacity(BATCH);
        for (merge, rank) in merges.zip(0u32..) {
            batch.extend(Merge::parse(merge?, rank));
            if batch.len() == BATCH {
                table.add(vocab, &batch)?;
                batch.clear();
            }
        }
        table.add(vocab, &batch)?;
        let MergeTable { pairs, yields, .. } = table;
        let yields: &[u32] = if rule.byte_level { &[] } else { &yields };
        let cuts = Cuts::new(yields.iter().map(|&id| vocab.text(id)));
        let byte_ids = std::array::from_fn(|byte| {
            let spelled = bytes::spell(byte as u8);
            vocab.find(spelled.encode_utf8(&mut [0; 4]).as_bytes()).unwrap_or(NO_ID)
        });
        let byte_tokens = std::array::from_fn(|byte| vocab.find_byte_token(byte as u8));
        // Some files name the end of text as the unknown token (StarCoder). That must not get into a text.
        let unknown = unknown.filter(|&id| vocab.kind(id) == TokenKind::Unknown);
        Ok(Bpe { rule, pairs, byte_ids, byte_tokens, cuts, unknown })
    }

    pub(super) fn rule(&self) -> &'static Rule {
        self.rule
    }
}

/// Merges that are looked up together.
const BATCH: usize = 32;

/// A line of `tokenizer.ggml.merges`.
#[derive(Clone, Copy, Default)]
struct Merge<'a> {
    left: &'a [u8],
    right: &'a [u8],
    rank: u32,
}

impl<'a> Merge<'a> {
    fn parse(line: &'a [u8], rank: u32) -> Option<Merge<'a>> {
        // A text may itself begin with a blank, so the first byte is never the one between them.
        let blank = 1 + line.iter().skip(1).position(|&byte| byte == b' ')?;
        Some(Merge { left: &line[..blank], right: &line[blank + 1..], rank })
    }
}

/// Merges on their way from texts to ids.
struct MergeTable {
    pairs: PairTable,
    /// What each merge yields.
    yields: Vec<u32>,
    /// What the merge before yielded.
    previous: u32,
}

impl MergeTable {
    /// Adds up to [`BATCH`] merges.
    fn add(&mut self, vocab: &mut Vocab, merges: &[Merge<'_>]) -> Result<(), Error> {
        let at = |index: usize| merges.get(index).copied().unwrap_or_default();
        let lefts = vocab.find_many::<BATCH>(&std::array::from_fn(|index| at(index).left));
        let rights = vocab.find_many::<BATCH>(&std::array::from_fn(|index| at(index).right));
        for ((merge, left), right) in merges.iter().zip(lefts).zip(rights) {
            let id = self.yielded(vocab, merge)?;
            let left = left.map_or_else(|| vocab.intern(merge.left), Ok)?;
            let right = right.map_or_else(|| vocab.intern(merge.right), Ok)?;
            self.pairs.insert(left, right, Join { rank: merge.rank, id });
            self.yields.push(id);
        }
        Ok(())
    }

    /// The id of both texts together. Files list merges in the order of the tokens that they yield, so the
    /// same id as before or the next one is tried first: that spares a third of all look-ups.
    fn yielded(&mut self, vocab: &mut Vocab, merge: &Merge<'_>) -> Result<u32, Error> {
        let guesses = [self.previous, self.previous.saturating_add(1)];
        let guess = guesses.into_iter().find(|&id| {
            let rest = vocab.is_token(id).then(|| vocab.text(id).strip_prefix(merge.left)).flatten();
            rest == Some(merge.right)
        });
        self.previous = match guess {
            Some(id) => id,
            None => vocab.intern(&[merge.left, merge.right].concat())?,
        };
        Ok(self.previous)
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
