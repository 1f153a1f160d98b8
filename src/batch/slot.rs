//! One sequence of a batch: its tokens, how many of them were run, and what chooses the next. Used by `mod.rs`.

use super::{Done, Finished, Job};
use crate::model::{Model, Plan};
use crate::sample::Sampler;
use crate::session::{Allowed, Error, Options, Pieces, Sample, Track, check_prompt, context, judge};
use crate::stop::Reason;
use crate::tokenizer::{TokenId, Tokenizer};
use std::ops::Range;

/// A job at work.
pub(super) struct Slot {
    index: usize,
    sampler: Sampler,
    sample: Sample,
    /// Tokens of the prompt, and in how many parts it is read.
    prompt: usize,
    parts: usize,
    /// Tokens that were run.
    done: usize,
}

impl Slot {
    /// A job before its first pass.
    ///
    /// # Errors
    ///
    /// If the prompt is empty, too long or has a token that is out of range, or an option makes no sense.
    pub fn new(
        model: &Model,
        tokenizer: &Tokenizer,
        plan: &Plan,
        index: usize,
        job: &Job,
    ) -> Result<Slot, Error> {
        let room = plan.branches.positions;
        let (prompt, positions) = (&job.prompt, job.positions(model).min(room));
        // a window's text goes on without an end
        let options = &Options { window: None, ..job.options.clone() };
        let (vocabulary, context) = (model.weights().vocabulary(), context(model, options).min(room));
        check_prompt(prompt, vocabulary, context, options)?;
        let judge = judge(options, context, prompt.len())?;
        let track = Track::new(judge, Allowed::new(tokenizer, vocabulary, options)?.0);
        let mut sampling = options.sampling.clone().within(positions);
        sampling.logprobs |= track.needs_logprob();
        let sampler = Sampler::new(sampling, vocabulary)?;
        let sample = Sample::new(track, sampler.sequence(0), prompt, positions - prompt.len());
        Ok(Slot {
            index,
            sampler,
            sample,
            prompt: prompt.len(),
            parts: prompt.len().div_ceil(plan.branches.run),
            done: 0,
        })
    }

    /// Tokens that were run.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Whether not all of the prompt was run.
    pub fn reads_prompt(&self) -> bool {
        self.done < self.prompt
    }

    /// The tokens that the next pass is to run.
    pub fn next(&self) -> Range<usize> {
        // parts are those of a session: part `i` begins at `i * prompt / parts`
        let end = |part: usize| (part + 1) * self.prompt / self.parts;
        let part = (self.done * self.parts).div_ceil(self.prompt);
        self.done..if self.reads_prompt() { end(part) } else { self.done + 1 }
    }

    /// Tokens of prompt and text.
    pub fn tokens(&self, range: Range<usize>) -> &[TokenId] {
        &self.sample.history()[range]
    }

    /// Notes that so many tokens more were run; whether the next can be chosen.
    pub fn has_run(&mut self, count: usize) -> bool {
        self.done += count;
        !self.reads_prompt()
    }

    /// Chooses a token by `logits`; whether it was the last.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or the grammar allows nothing.
    pub fn choose(&mut self, pieces: &mut Pieces<'_>, logits: &[f32]) -> Result<bool, Error> {
        if self.done == self.prompt && self.sample.is_over() {
            return Ok(true);
        }
        self.sample.choose(&mut self.sampler, pieces, logits, self.done)?;
        Ok(self.sample.ended.is_some())
    }

    /// What has become of it; without a reason it was cancelled.
    pub fn finish(mut self, pieces: &mut Pieces<'_>, error: Option<Error>) -> Finished {
        let reason = self.sample.ended.take().unwrap_or(Reason::Cancelled);
        let done = || Done { tokens: self.sample.tokens().to_vec(), text: self.sample.text(pieces), reason };
        Finished { index: self.index, result: error.map_or_else(|| Ok(done()), Err) }
    }
}
