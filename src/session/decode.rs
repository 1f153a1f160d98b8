//! One token after another: what a session chooses, runs and prints. Called by whoever has the session.

use super::{Error, LogitSink, Session, Step};
use crate::sample::{self, Distribution, Observer};
use crate::tokenizer::TokenId;
use std::time::Instant;

impl Session<'_> {
    /// Chooses the next token, runs it, and says what became of the text.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, the sink fails, no prompt was run ([`Error::NotPrefilled`]), or the session was made for searches
    /// ([`Error::OnlySearches`]).
    pub fn step(&mut self, sink: Option<&mut LogitSink<'_>>) -> Result<Step<'_>, Error> {
        self.step_with(sink, None)
    }

    /// The same, and tells the observer what each step of the sampler's chain leaves. A caller's own sampler tells nothing.
    ///
    /// ```
    /// use siskin::sample::{Candidate, Observer};
    ///
    /// struct Left(Vec<(&'static str, usize)>);
    ///
    /// impl Observer for Left {
    ///     fn after(&mut self, step: &'static str, candidates: &[Candidate]) {
    ///         self.0.push((step, candidates.len()));
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let mut options = siskin::session::Options::default();
    /// (options.sampling.temperature, options.sampling.top_k) = (0.8, 5);
    /// let (mut session, mut left) = (model.session("The cat sat on the", &options)?, Left(Vec::new()));
    /// session.step_observed(&mut left)?;
    /// assert_eq!(left.0, [("top_k", 5), ("temperature", 5)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or no prompt was run ([`Error::NotPrefilled`]).
    pub fn step_observed(&mut self, observer: &mut dyn Observer) -> Result<Step<'_>, Error> {
        self.step_with(None, Some(observer))
    }

    fn step_with(
        &mut self,
        sink: Option<&mut LogitSink<'_>>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Step<'_>, Error> {
        let start = Instant::now();
        self.answer.begin_step();
        self.ended = self.ended.take().or_else(|| self.answer.check()).or_else(|| self.allowed.ended());
        let choice = if self.ended.is_some() { None } else { Some(self.choose(observer)?) };
        if let (Some(choice), true) = (choice, self.ended.is_none() || sink.is_some()) {
            self.advance(choice.token, sink)?;
        }
        if self.ended.is_some() {
            self.answer.finish();
        }
        self.timing.decode += start.elapsed();
        Ok(Step { choice, text: self.answer.text(), stop: self.ended.as_ref() })
    }

    /// Samples from the current logits and lets the stop conditions see the token.
    fn choose(&mut self, observer: Option<&mut dyn Observer>) -> Result<sample::Choice, Error> {
        let choice = self.sample(observer)?;
        self.timing.decode_tokens += 1;
        let wants_entropy = self.answer.stops().needs().entropy;
        let entropy = wants_entropy.then(|| sample::entropy(self.decoder.last_logits()));
        let ended = self.answer.push(self.tokenizer, &choice, entropy);
        self.ended = self.allowed.accept(choice.token, ended)?;
        Ok(choice)
    }

    /// Lets the caller's sampler choose by the current logits, or else the chain.
    fn sample(&mut self, observer: Option<&mut dyn Observer>) -> Result<sample::Choice, Error> {
        self.require_step()?;
        let position = self.decoder.position() as u64;
        self.allowed.look(self.answer.stops().forbids_eog())?;
        let logits = self.decoder.last_logits();
        let context = sample::Context { position, history: self.seen.last(), allowed: self.allowed.words() };
        let mut choice = match (&mut self.chooser, observer) {
            (Some(chooser), _) => chooser.choose(logits, &context)?,
            (None, Some(observer)) => self.sampler.sample_observed(logits, &context, observer)?,
            (None, None) => self.sampler.sample(logits, &context)?,
        };
        if choice.token as usize >= logits.len() {
            return Err(Error::TokenRange { token: choice.token, vocabulary: logits.len() });
        }
        if choice.logprob.is_none() && self.options.sampling.logprobs {
            choice.logprob = Distribution::new(logits, position)?.log_probability(choice.token);
        }
        Ok(choice)
    }

    /// Runs the token that was chosen, and computes what follows it.
    fn advance(&mut self, token: TokenId, sink: Option<&mut LogitSink<'_>>) -> Result<(), Error> {
        self.decoder.limit_threads(self.decode_threads);
        self.run(&[token]);
        (self.last_row, self.has_logits) = (0, true);
        let logits = self.decoder.logits(0);
        match sink {
            Some(sink) => Ok(sink(logits)?),
            None => Ok(()),
        }
    }
}
