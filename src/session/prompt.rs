//! What a session does with a prompt: keeps what it has of it, and runs the rest. Called by whoever has the session.

use super::{Error, LogitSink, Session, Timing, check_prompt, judge};
use crate::ops::STEADY_BATCH;
use crate::stop::Reason;
use crate::tokenizer::TokenId;
use std::time::Instant;

impl Session<'_> {
    /// Makes the session ready for another prompt, usually the last one with its answer and more behind them. Keeps the tokens that
    /// both begin with, forgets the others, and returns how many were kept: [`Session::prefill`] runs the rest. Times, stop
    /// conditions and held back text begin anew.
    ///
    /// At least the last token of the prompt is always run again, for its logits.
    ///
    /// # Errors
    ///
    /// If the prompt is empty, too long or has a token that is out of range; then nothing has changed.
    pub fn resume(&mut self, prompt: &[TokenId]) -> Result<usize, Error> {
        let context = self.plan.capacity;
        check_prompt(prompt, self.decoder.last_logits().len(), context, &self.options)?;
        let judge = judge(&self.options, context, prompt.len())?;
        let common = self.seen.in_common(prompt);
        // A cache that cannot go back that far forgets more.
        let kept = self.decoder.truncate(common.min(prompt.len() - 1));
        self.seen.truncate(kept);
        self.batched = self.batched.min(kept);
        self.has_logits = false;
        self.prompt_tokens = prompt.len();
        self.first.judge = judge.clone();
        self.allowed = self.first.allowed.clone();
        self.answer.restart(judge);
        self.sampler.reset();
        if let Some(chooser) = &mut self.chooser {
            chooser.reset();
        }
        self.ended = None;
        let kept = self.seen.end();
        self.timing = Timing { kept_tokens: kept, ..Timing::default() };
        Ok(kept)
    }

    /// Runs the prompt in batches, without the tokens that [`Session::resume`] kept. Only its last token's logits are computed, unless
    /// a sink asks for all. `progress` is told how many tokens were run after each batch.
    ///
    /// # Errors
    ///
    /// The sink's; [`Error::OtherPrompt`] if this is not the prompt that the session was made for or resumed with. Then nothing has changed.
    pub fn prefill(
        &mut self,
        prompt: &[TokenId],
        mut progress: impl FnMut(usize),
        mut sink: Option<&mut LogitSink<'_>>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let (tokens, expected, run) = (prompt.len(), self.prompt_tokens, self.seen.end());
        check_prompt(prompt, self.logits().len(), self.plan.capacity, &self.options)?;
        if tokens != expected || self.seen.in_common(prompt) != run {
            return Err(Error::OtherPrompt { tokens, expected, run });
        }
        self.decoder.limit_threads(self.prefill_threads);
        let new = &prompt[run..];
        for batch in even_batches(new, self.decoder.max_batch()) {
            if self.is_cancelled() {
                self.ended = Some(Reason::Cancelled);
                break;
            }
            self.run(batch);
            self.last_row = batch.len() - 1;
            if let Some(sink) = sink.as_deref_mut() {
                (0..batch.len()).try_for_each(|row| sink(self.decoder.logits(row)))?;
            }
            self.timing.prefill_tokens += batch.len();
            progress(self.timing.prefill_tokens);
        }
        if self.ended.is_none() {
            if !self.has_logits {
                self.decoder.logits(self.last_row);
                self.has_logits = true;
            }
            self.ended = self.answer.check();
        }
        self.timing.prefill += start.elapsed();
        Ok(())
    }

    /// Runs tokens, and notes how many at the beginning ran in batches.
    pub(super) fn run(&mut self, tokens: &[TokenId]) {
        self.decoder.forward(tokens);
        let steady = tokens.len() >= STEADY_BATCH && self.batched == self.seen.end();
        self.seen.extend(tokens);
        if steady {
            self.batched = self.seen.end();
        }
        self.has_logits = false;
    }
}

/// Tokens in as few batches as possible, about as long as each other: short ones cost as much as longer ones, and round differently.
fn even_batches(tokens: &[TokenId], max: usize) -> impl Iterator<Item = &[TokenId]> {
    let count = tokens.len().div_ceil(max);
    (0..count).map(move |i| &tokens[i * tokens.len() / count..(i + 1) * tokens.len() / count])
}
