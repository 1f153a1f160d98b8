//! Independent samples side by side: each chooses with a seed of its own and ends by itself. Used by `branches.rs`, and by batches.

use super::track::Track;
use super::{Continuation, score};
use crate::sample::{self, Sampler};
use crate::session::Error;
use crate::stop::Reason;
use crate::tokenizer::{TokenId, Tokenizer};

/// One sample on its way.
pub(crate) struct Sample {
    sampler: Sampler,
    track: Track,
    /// The prompt, and what was chosen.
    history: Vec<TokenId>,
    prompt: usize,
    logprob: f64,
    /// Why it has ended.
    pub ended: Option<Reason>,
}

impl Sample {
    /// A sample of a prompt, with room for so many tokens more: the one that a session with these options would generate.
    ///
    /// # Errors
    ///
    /// If an option makes no sense.
    pub fn new(
        mut options: sample::Options,
        (prompt, room, vocabulary): (&[TokenId], usize, usize),
        track: Track,
    ) -> Result<Sample, sample::Error> {
        options.logprobs |= track.needs_logprob();
        let sampler = Sampler::new(options, vocabulary)?;
        let mut history = Vec::with_capacity(prompt.len() + room);
        history.extend_from_slice(prompt);
        Ok(Sample { sampler, track, history, prompt: prompt.len(), logprob: 0.0, ended: None })
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
    pub fn choose(&mut self, tokenizer: &Tokenizer, logits: &[f32], position: usize) -> Result<(), Error> {
        self.track.look(logits)?;
        let allowed = self.track.allowed();
        let context = sample::Context { position: position as u64, history: &self.history, allowed };
        let choice = self.sampler.sample(logits, &context)?;
        let logprob = f64::from(choice.logprob.unwrap_or(f32::NEG_INFINITY));
        self.history.push(choice.token);
        self.logprob += logprob;
        self.ended = self.track.step(tokenizer, choice.token, logprob)?;
        Ok(())
    }

    /// What it has become; without a reason it was cancelled.
    pub fn continuation(self) -> Continuation {
        let tokens = self.tokens().to_vec();
        Continuation {
            text: self.track.text(),
            logprob: self.logprob,
            score: score(self.logprob, tokens.len(), 1.0),
            reason: self.ended.unwrap_or(Reason::Cancelled),
            tokens,
        }
    }
}
