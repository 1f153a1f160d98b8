//! From fragments of text to token ids: what byte-pair encoding and SentencePiece have in common.
//!
//! A fragment is cut into words, and each word is merged. Words repeat, so the ids of recent words are
//! remembered: a hit copies them from earlier in the output.

use std::ops::Range;

use super::TokenId;
use super::merge::{Joins, Merger, Symbol};
use super::table::Hash;

/// An algorithm, bound to its vocabulary.
pub(super) trait Algorithm: Joins {
    /// Calls `emit` with the words of `text[range]`: all of it, in order, on character boundaries.
    fn words(&self, text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>));

    /// The token of a whole word that is not to be merged. `scratch` is room to work in.
    fn whole(&self, word: &str, scratch: &mut String) -> Option<TokenId>;

    /// Appends the symbols that `word` begins with.
    fn symbols(&self, word: &str, out: &mut Vec<Symbol>);

    /// Appends the token of a symbol that was merged as far as possible, or tokens for its bytes.
    fn finish(&self, symbol: Symbol, bytes: &[u8], out: &mut Vec<TokenId>);
}

/// Longest piece merged at once, in bytes: positions in a word are 32 bits wide. Longer words are cut.
const MAX_WORD: usize = 1 << 30;
/// Words longer than this are not remembered.
const MAX_REMEMBERED: usize = 64;
/// Number of remembered words: 64 KiB, which stays in a small second-level cache.
const REMEMBERED: usize = 4096;

/// Where the ids of a word are in the output.
#[derive(Clone, Copy, Default)]
struct Remembered {
    /// The word in the text.
    start: u32,
    len: u16,
    /// Its ids in the output; none in an empty entry.
    ids: u16,
    ids_start: u32,
}

/// Encodes the fragments of one text.
pub(super) struct Encoder<'a, A> {
    algorithm: &'a A,
    text: &'a str,
    merger: Merger,
    scratch: String,
    hash: Hash,
    remembered: Vec<Remembered>,
}

impl<'a, A: Algorithm> Encoder<'a, A> {
    pub(super) fn new(algorithm: &'a A, text: &'a str) -> Self {
        // Offsets are remembered in 32 bits, and a short text has nothing to repeat.
        let slots = if (256..=u32::MAX as usize).contains(&text.len()) { REMEMBERED } else { 0 };
        let remembered = vec![Remembered::default(); slots];
        Encoder {
            algorithm,
            text,
            merger: Merger::new(),
            scratch: String::new(),
            hash: Hash::new(),
            remembered,
        }
    }

    /// Appends the tokens of `text[range]`.
    pub(super) fn encode(&mut self, range: Range<usize>, out: &mut Vec<TokenId>) {
        let (algorithm, text) = (self.algorithm, self.text);
        algorithm.words(text, range, &mut |word| self.word(word, out));
    }

    /// Forgets all words: to be called when tokens were taken out of the output.
    pub(super) fn forget(&mut self) {
        self.remembered.fill(Remembered::default());
    }

    fn word(&mut self, range: Range<usize>, out: &mut Vec<TokenId>) {
        let word = &self.text.as_bytes()[range.clone()];
        if self.remembered.is_empty() || word.len() > MAX_REMEMBERED {
            return self.merge(range, out);
        }
        let slot = (self.hash.bytes(word) >> 32) as usize % REMEMBERED;
        let known = self.remembered[slot];
        if known.ids > 0 && &self.text.as_bytes()[known.start as usize..][..known.len as usize] == word {
            let ids_start = known.ids_start as usize;
            return out.extend_from_within(ids_start..ids_start + known.ids as usize);
        }
        let (start, len, ids_start) = (range.start as u32, word.len() as u16, out.len());
        self.merge(range, out);
        // At most one id a byte, and fewer bytes than 2^32, so both fit.
        let ids = (out.len() - ids_start) as u16;
        self.remembered[slot] = Remembered { start, len, ids, ids_start: ids_start as u32 };
    }

    fn merge(&mut self, range: Range<usize>, out: &mut Vec<TokenId>) {
        let mut rest = &self.text[range];
        while rest.len() > MAX_WORD {
            let cut = (0..=MAX_WORD).rev().find(|&at| rest.is_char_boundary(at)).unwrap_or(rest.len());
            self.merge_one(&rest[..cut], out);
            rest = &rest[cut..];
        }
        self.merge_one(rest, out);
    }

    fn merge_one(&mut self, word: &str, out: &mut Vec<TokenId>) {
        if let Some(id) = self.algorithm.whole(word, &mut self.scratch) {
            return out.push(id);
        }
        self.merger.symbols.clear();
        self.algorithm.symbols(word, &mut self.merger.symbols);
        self.merger.merge(word.as_bytes(), self.algorithm);
        for &symbol in &self.merger.symbols {
            self.algorithm.finish(symbol, symbol.bytes(word.as_bytes()), out);
        }
    }
}

/// Appends one symbol a character, with the id that `id_of` gives it.
pub(super) fn character_symbols(word: &str, id_of: impl Fn(&str) -> u32, out: &mut Vec<Symbol>) {
    for (start, c) in word.char_indices() {
        let len = c.len_utf8();
        out.push(Symbol { id: id_of(&word[start..start + len]), start: start as u32, len: len as u32 });
    }
}
