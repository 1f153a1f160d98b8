//! Independent samples side by side: each chooses with a seed of its own and ends by itself. Used by searches and batches.

use super::{Error, Pieces, Track};
use crate::sample::{Context, Sampler, Sequence};
use crate::stop::Reason;
use crate::tokenizer::TokenId;

/// One sample on its way.
pub(crate) struct Sample {
    sequence: Sequence,
    track: Track,
    /// The prompt, and what was chosen.
    history: Vec<TokenId>,
    prompt: usize,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// Why it has ended.
    pub ended: Option<Reason>,
}

impl Sample {
    /// A sample that goes on from a prompt, with room for so many tokens more: what a session with the seed of this sequence would generate.
    pub fn new(track: Track, sequence: Sequence, prompt: &[TokenId], room: usize) -> Sample {
        let mut history = Vec::with_capacity(prompt.len() + room);
        history.extend_from_slice(prompt);
        Sample { sequence, track, history, prompt: prompt.len(), logprob: 0.0, ended: None }
    }

    /// Bytes of a sample in a list, of so many positions with the prompt's, where its conditions own so many; without what a grammar keeps. `None` if
    /// that does not fit in `usize`.
    pub fn bytes(positions: usize, owned: usize) -> Option<usize> {
        positions.checked_mul(size_of::<TokenId>())?.checked_add(size_of::<Sample>())?.checked_add(owned)
    }

    /// The tokens so far.
    pub fn tokens(&self) -> &[TokenId] {
        &self.history[self.prompt..]
    }

    /// The prompt, and the tokens so far.
    pub fn history(&self) -> &[TokenId] {
        &self.history
    }

    /// Whether there may be no token at all; asked before the first.
    pub fn is_over(&mut self) -> bool {
        self.ended = self.track.ended();
        self.ended.is_some()
    }

    /// Appends a token chosen by `logits` for `position`.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or the grammar allows nothing.
    pub fn choose(
        &mut self,
        sampler: &mut Sampler,
        pieces: &mut Pieces<'_>,
        logits: &[f32],
        position: usize,
    ) -> Result<(), Error> {
        self.track.look(logits)?;
        let allowed = self.track.allowed();
        let context = Context { position: position as u64, history: &self.history, allowed };
        let choice = sampler.sample_for(&mut self.sequence, logits, &context)?;
        let logprob = f64::from(choice.logprob.unwrap_or(f32::NEG_INFINITY));
        self.history.push(choice.token);
        self.logprob += logprob;
        self.ended = self.track.step(pieces, choice.token, logprob)?;
        Ok(())
    }

    /// Its text, if nothing follows.
    pub fn text(&self, pieces: &mut Pieces<'_>) -> String {
        self.track.text(pieces, self.tokens(), self.track.text_bytes())
    }
}
