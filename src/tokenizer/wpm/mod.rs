//! WordPiece (`tokenizer.ggml.model = bert`): BERT and the embedding models made from it.
//!
//! A text is cleaned and cut into words, each of which begins with `▁` (`clean.rs`). From the start of a word,
//! the longest token is taken, and again from where it ended. The vocabulary says `▁play` and `ing` where BERT
//! says `play` and `##ing`. A word that cannot be made up of tokens in this way is one unknown token.

mod base_table;
mod clean;

pub(super) use clean::Cleaner;

use super::TokenId;
use super::trie::Trie;
use super::vocab::Vocab;

/// What WordPiece needs to know besides the vocabulary.
pub(super) struct Wpm {
    cleaner: Cleaner,
    tokens: Trie,
    unknown: Option<TokenId>,
}

impl Wpm {
    /// Bytes allocated, without the value itself.
    pub(super) fn bytes(&self) -> usize {
        self.tokens.bytes()
    }

    pub(super) fn new(vocab: &Vocab, cleaner: Cleaner, unknown: Option<TokenId>) -> Wpm {
        let in_text = vocab.ids().filter(|&id| vocab.kind(id).occurs_in_text());
        let tokens = Trie::new(in_text.map(|id| (vocab.text(id), id)));
        Wpm { cleaner, tokens, unknown }
    }

    /// Appends the tokens of `text`.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<TokenId>) {
        self.cleaner.words(text, |word| self.encode_word(word, out));
    }

    fn encode_word(&self, word: &[u8], out: &mut Vec<TokenId>) {
        let before = out.len();
        let mut rest = word;
        while !rest.is_empty() {
            let Some((len, id)) = self.tokens.longest(rest) else {
                out.truncate(before);
                return out.extend(self.unknown);
            };
            out.push(id);
            rest = &rest[len..];
        }
    }
}
