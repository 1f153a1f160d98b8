//! Unigram (`tokenizer.ggml.model = t5`): T5, and the multilingual models made with SentencePiece's Unigram.
//!
//! The text is normalized (`normalize.rs`, `charsmap.rs`); then, of all ways to make it up of tokens, that with
//! the highest sum of scores is taken (`viterbi.rs`).

mod charsmap;
mod normalize;
mod viterbi;

pub(super) use charsmap::Charsmap;
pub(super) use normalize::Normalizer;

use super::table::NO_ID;
use super::trie::Trie;
use super::vocab::Vocab;
use super::{TokenId, TokenKind};

/// What Unigram needs to know besides the vocabulary.
pub(super) struct Ugm {
    normalizer: Normalizer,
    tokens: Trie,
    /// The score of each token; 0 for user-defined ones, which nothing beats.
    scores: Vec<f32>,
    /// [`NO_ID`] if there is none.
    unknown: TokenId,
    unknown_score: f64,
}

/// How much worse than the worst token an unknown character is: natural logarithm of a probability.
const UNKNOWN_PENALTY: f32 = 10.0;

impl Ugm {
    /// Bytes allocated, without the value itself.
    pub(super) fn bytes(&self) -> usize {
        self.tokens.bytes() + self.scores.capacity() * size_of::<f32>() + self.normalizer.charsmap.bytes()
    }

    pub(super) fn new(vocab: &Vocab, normalizer: Normalizer, unknown: Option<TokenId>) -> Ugm {
        let in_text = vocab.ids().filter(|&id| vocab.kind(id).occurs_in_text());
        let tokens = Trie::new(in_text.map(|id| (vocab.text(id), id)));
        let score = |id| if vocab.kind(id) == TokenKind::UserDefined { 0.0 } else { vocab.score(id) };
        let normal = vocab.ids().filter(|&id| vocab.kind(id) == TokenKind::Normal);
        let worst = normal.map(|id| vocab.score(id)).fold(f32::MAX, f32::min);
        Ugm {
            normalizer,
            tokens,
            scores: vocab.ids().map(score).collect(),
            unknown: unknown.unwrap_or(NO_ID),
            unknown_score: f64::from(worst - UNKNOWN_PENALTY),
        }
    }

    /// Appends the tokens of `text`. A run of unknown characters is one unknown token.
    pub(super) fn encode(&self, text: &str, out: &mut Vec<TokenId>) {
        let normalized = self.normalizer.normalize(text);
        let from = out.len();
        self.segment(&normalized, &mut |id| {
            let repeats = id == self.unknown && out[from..].last() == Some(&id);
            if id != NO_ID && !repeats {
                out.push(id);
            }
        });
    }
}
