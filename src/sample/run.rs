//! One run of the chain at one position: which step calls what. Called by the sampler only.

use super::candidates::Candidates;
use super::edits::Touched;
use super::rank::{Entry, rank};
use super::rng::{self, Stream};
use super::source::Source;
use super::{Candidate, Context, Error, Observer, Options, Step, filters, penalties};

/// A choice under way. Steps change the candidates; what they have in common is here.
pub(super) struct Run<'a, 'o> {
    pub(super) options: &'a Options,
    pub(super) context: &'a Context<'a>,
    pub(super) source: Source<'a>,
    pub(super) candidates: &'a mut Candidates,
    pub(super) touched: &'a mut Touched,
    pub(super) shown: &'a mut Vec<Candidate>,
    pub(super) observer: Option<&'o mut dyn Observer>,
    /// Whether logits of the whole vocabulary were changed since somebody looked for the largest.
    pub(super) stale: bool,
}

impl Run<'_, '_> {
    /// Begins with every token that is allowed; `peak` is the largest logit of all.
    pub(super) fn start(&mut self, peak: f32) -> Result<(), Error> {
        self.candidates.start(peak);
        if self.context.allowed.is_none() {
            return Ok(());
        }
        if self.candidates.look_again(&self.source) == f32::NEG_INFINITY {
            return Err(Error::NothingAllowed { position: self.context.position });
        }
        self.observe("allowed")
    }

    /// Adds the biases.
    pub(super) fn bias(&mut self, bias: &Touched) -> Result<(), Error> {
        if bias.list.is_empty() {
            return Ok(());
        }
        self.source.edit(bias, |logit, amount| (f64::from(logit) + f64::from(amount)) as f32);
        self.stale = true;
        self.observe("logit_bias")
    }

    /// A step of the chain; `next` is the one after it.
    pub(super) fn step(&mut self, step: Step, next: Option<Step>) -> Result<(), Error> {
        match step {
            Step::Penalties => self.penalize()?,
            Step::Dry => self.dry()?,
            Step::Xtc => self.exclude()?,
            _ => {
                self.look_again()?;
                self.filter(step, next);
            }
        }
        self.observe(step.name())
    }

    /// A step that changes or removes candidates by what they weigh.
    fn filter(&mut self, step: Step, next: Option<Step>) {
        let (options, candidates, source) = (self.options, &mut *self.candidates, &mut self.source);
        match step {
            // These have been done by the caller.
            Step::Penalties | Step::Dry | Step::Xtc => {}
            Step::TopNSigma => filters::top_n_sigma(candidates, source, f64::from(options.top_n_sigma)),
            Step::TopK => candidates.keep_best(source, options.top_k as usize),
            Step::Typical => filters::typical(candidates, source, f64::from(options.typical)),
            Step::TopP => {
                let useless = match next {
                    // An observer wants to see them.
                    Some(Step::MinP) if self.observer.is_none() => {
                        candidates.weights.below_peak(-log_ratio(options))
                    }
                    _ => f32::NEG_INFINITY,
                };
                filters::top_p(candidates, source, f64::from(options.top_p), useless);
            }
            Step::MinP => filters::min_p(candidates, source, log_ratio(options)),
            Step::Temperature if options.dynamic.range > 0.0 => {
                filters::dynamic_temperature(candidates, source, options.temperature, options.dynamic);
            }
            Step::Temperature => filters::temperature(candidates, options.temperature),
        }
    }

    fn penalize(&mut self) -> Result<(), Error> {
        let penalties = self.options.penalties;
        penalties::count(self.touched, window(self.context, penalties.last_n, self.source.vocab())?);
        let temperature = self.candidates.weights.temperature();
        self.change(|logit, count| penalties.apply(logit, count, temperature));
        Ok(())
    }

    fn dry(&mut self) -> Result<(), Error> {
        let dry = &self.options.dry;
        dry.repetitions(self.touched, window(self.context, dry.last_n, self.source.vocab())?);
        let temperature = self.candidates.weights.temperature();
        self.change(|logit, length| dry.apply(logit, length, temperature));
        Ok(())
    }

    /// XTC: excludes the top choices, if the random number for it says so.
    fn exclude(&mut self) -> Result<(), Error> {
        let xtc = self.options.xtc;
        if rng::uniform(self.options.seed, self.context.position, Stream::Xtc) < f64::from(xtc.probability) {
            self.look_again()?;
            filters::top_choices(self.candidates, &self.source, xtc.threshold, self.touched);
            self.change(|logit, _| logit);
        }
        Ok(())
    }

    /// Passes the logits of touched tokens through `change`, wherever they are.
    fn change(&mut self, change: impl Fn(f32, f32) -> f32) {
        if self.touched.list.is_empty() {
            return;
        }
        if self.candidates.is_whole() && !self.source.is_narrow() {
            self.source.edit(self.touched, change);
            self.stale = true;
        } else {
            self.candidates.collect_above(&self.source, f32::NEG_INFINITY);
            self.candidates.edit(self.touched, change);
        }
    }

    /// Finds the largest logit again if it may be another one.
    pub(super) fn look_again(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.stale) && self.candidates.look_again(&self.source) == f32::NEG_INFINITY {
            return Err(Error::NothingLeft { position: self.context.position });
        }
        Ok(())
    }

    /// The greedy choice. No filter has run.
    pub(super) fn best(&self) -> Result<u32, Error> {
        let best = self.source.best().ok_or(Error::NothingLeft { position: self.context.position })?;
        Ok(best.token)
    }

    /// Draws one of what is left, with its probability. With mirostat under its limit `mu`, which follows.
    pub(super) fn draw(&mut self, mu: &mut f64) -> Result<(u32, f64), Error> {
        if let Some(mirostat) = self.options.mirostat {
            mirostat.limit(self.candidates, &self.source, *mu);
            self.observe("mirostat")?;
        }
        let u = rng::uniform(self.options.seed, self.context.position, Stream::Draw);
        let (entry, probability) = filters::draw(self.candidates, &self.source, u);
        if let Some(mirostat) = self.options.mirostat {
            *mu = mirostat.follow(*mu, probability);
        }
        Ok((entry.token, probability))
    }

    /// Tells the observer, if there is one, what is left.
    fn observe(&mut self, step: &'static str) -> Result<(), Error> {
        if self.observer.is_none() {
            return Ok(());
        }
        self.look_again()?;
        self.show();
        if let Some(observer) = self.observer.as_deref_mut() {
            observer.after(step, self.shown);
        }
        Ok(())
    }

    /// Writes out what is left, in rank order, with probabilities.
    fn show(&mut self) {
        let weights = self.candidates.weights;
        let total = self.candidates.total(&self.source);
        let shown = &mut *self.shown;
        shown.clear();
        let mut show = |Entry { token, logit }| shown.push(Candidate { token, logit, probability: 0.0 });
        if self.candidates.is_whole() {
            self.source.for_each_above(f32::NEG_INFINITY, |entry| {
                show(entry);
                f32::NEG_INFINITY
            });
        } else {
            self.candidates.list.iter().copied().for_each(show);
        }
        // Sorted before they are divided, which may make different logits equal.
        shown.sort_unstable_by_key(|shown| rank(&Entry { token: shown.token, logit: shown.logit }));
        for Candidate { logit, probability, .. } in shown {
            *probability = (weights.of(*logit) / total) as f32;
            *logit = (f64::from(*logit) / weights.temperature()) as f32;
        }
    }
}

/// The last `last_n` tokens of the history, which all exist.
fn window<'a>(context: &Context<'a>, last_n: u32, tokens: usize) -> Result<&'a [u32], Error> {
    let window = penalties::window(context.history, last_n);
    match window.iter().find(|token| **token as usize >= tokens) {
        Some(&token) => Err(Error::History { position: context.position, token, tokens }),
        None => Ok(window),
    }
}

/// `ln(min_p)`.
fn log_ratio(options: &Options) -> f64 {
    super::elementary::ln(f64::from(options.min_p))
}
