//! The best segmentation of a text, by dynamic programming (Viterbi, 1967).
//!
//! From left to right, the best way to reach each place is extended by every token that begins there. Where no
//! token reaches beyond a place, all ways lead through it: what came before is settled and is given out, so
//! that memory is needed for one such stretch only, usually a word, and not for the text.

use super::Ugm;
use crate::tokenizer::TokenId;

/// The best way to reach a place.
#[derive(Clone, Copy)]
struct Step {
    /// Sum of all scores from the start of the text.
    score: f64,
    /// The last token.
    id: TokenId,
    /// Length of the last token in bytes.
    len: u32,
}

impl Ugm {
    /// Calls `emit` with the tokens of the best segmentation of `text`; of equally good ones, that which was
    /// found first. The text need not be UTF-8.
    pub(super) fn segment(&self, text: &[u8], emit: &mut impl FnMut(TokenId)) {
        let mut stretch = Stretch::new(0.0);
        let mut ids = Vec::new();
        let (mut start, mut at) = (0, 0);
        while at < text.len() {
            let here = stretch.score(at - start);
            let c_len = char_len(text[at]).min(text.len() - at);
            let mut is_known = false;
            self.tokens.prefixes(&text[at..], |len, id| {
                is_known |= len == c_len;
                let score = here + f64::from(self.scores[id as usize]);
                stretch.offer(at - start + len, Step { score, id, len: len as u32 });
            });
            if !is_known {
                let score = here + self.unknown_score;
                stretch.offer(at - start + c_len, Step { score, id: self.unknown, len: c_len as u32 });
            }
            at += c_len;
            if stretch.end() <= at - start {
                stretch.settle(at - start, &mut ids, emit);
                start = at;
            }
        }
    }
}

/// Places from one that all ways lead through to the last that is reached.
struct Stretch {
    /// By distance from the start, in bytes. The first has no token.
    steps: Vec<Step>,
}

/// A place that no way has reached yet. Any score beats this one.
const UNREACHED: Step = Step { score: -f64::MAX, id: 0, len: 0 };

impl Stretch {
    fn new(score: f64) -> Stretch {
        Stretch { steps: vec![Step { score, ..UNREACHED }] }
    }

    /// Distance of the last place that is reached.
    #[inline]
    fn end(&self) -> usize {
        self.steps.len() - 1
    }

    #[inline]
    fn score(&self, at: usize) -> f64 {
        self.steps.get(at).map_or(UNREACHED.score, |step| step.score)
    }

    /// Keeps the step as the way to reach `to`, if it is better than that known.
    #[inline]
    fn offer(&mut self, to: usize, step: Step) {
        if to >= self.steps.len() {
            self.steps.resize(to + 1, UNREACHED);
        }
        if step.score > self.steps[to].score {
            self.steps[to] = step;
        }
    }

    /// Gives out the tokens on the best way to `end`, and begins anew there.
    fn settle(&mut self, end: usize, ids: &mut Vec<TokenId>, emit: &mut impl FnMut(TokenId)) {
        let mut at = end;
        // Scores that are no numbers leave places unreached; the way ends there.
        while let Some(step) = self.steps.get(at).filter(|step| step.len > 0) {
            ids.push(step.id);
            at -= step.len as usize;
        }
        ids.drain(..).rev().for_each(emit);
        let score = self.score(end);
        self.steps.clear();
        self.steps.push(Step { score, ..UNREACHED });
    }
}

/// Bytes of the character that begins with `first`; 1 for a byte that begins none.
#[inline]
fn char_len(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0.. => 4,
        _ => 1,
    }
}
