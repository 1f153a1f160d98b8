//! What searches, which follow several continuations, want of a session.

use super::{Error, Pieces, Sample, Session, Track};
use crate::tokenizer::{TokenId, Tokenizer};
use std::time::Instant;

impl<'m> Session<'m> {
    /// Tokens that there is room for: of each branch, or behind those that were run.
    pub fn room(&self) -> usize {
        match self.plan.branches.count {
            0 => self.decoder.free(),
            _ => self.plan.branches.positions,
        }
    }

    pub(crate) fn tokenizer(&self) -> &'m Tokenizer {
        self.tokenizer
    }

    /// Refuses to go on where no prompt was run.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrefilled`].
    pub(crate) fn require_logits(&self) -> Result<(), Error> {
        if self.has_logits { Ok(()) } else { Err(Error::NotPrefilled) }
    }

    /// Refuses to step where no prompt was run, or there is only room for searches.
    ///
    /// # Errors
    ///
    /// [`Error::NotPrefilled`], [`Error::OnlySearches`].
    pub(super) fn require_step(&self) -> Result<(), Error> {
        match self.plan.branches.count {
            0 => self.require_logits(),
            branches => Err(Error::OnlySearches { branches }),
        }
    }

    /// A continuation before its first token.
    pub(crate) fn first_track(&self) -> Track {
        self.first.clone()
    }

    /// Sample `index` of several, of which this is the track: the one that the options' seed + `index` gives.
    pub(crate) fn first_sample(&self, index: usize, track: Track) -> Sample {
        Sample::new(track, self.sampler.sequence(index), self.tokens(), self.room())
    }

    /// Lets a sample choose a token by `logits` for `position`.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or the grammar allows nothing.
    pub(crate) fn choose_for(
        &mut self,
        sample: &mut Sample,
        pieces: &mut Pieces<'_>,
        logits: &[f32],
        position: usize,
    ) -> Result<(), Error> {
        sample.choose(&mut self.sampler, pieces, logits, position)
    }

    /// Lets so many branches begin behind the prompt.
    pub(crate) fn begin_branches(&mut self, count: usize) {
        self.decoder.limit_threads(self.decode_threads);
        self.decoder.branch(count);
    }

    /// Forgets the branches.
    pub(crate) fn end_branches(&mut self) {
        self.decoder.truncate(self.seen.end());
    }

    /// Branch `i` becomes what branch `parents[i]` was, with `tokens[i]` behind it; `logits` is `branches x vocabulary`.
    pub(crate) fn advance_branches(&mut self, parents: &[usize], tokens: &[TokenId], logits: &mut [f32]) {
        let start = Instant::now();
        self.decoder.rearrange(parents);
        self.decoder.forward_runs(tokens.iter().map(std::slice::from_ref).enumerate());
        self.decoder.logits_of(0..tokens.len(), logits);
        self.timing.decode += start.elapsed();
        self.timing.decode_tokens += tokens.len();
    }
}
