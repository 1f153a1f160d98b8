//! The sampler: owns the settings, the memory, and mirostat's state. Each choice is a run of the chain (`run.rs`).

use super::candidates::Candidates;
use super::edits::{Edits, Touched};
use super::run::Run;
use super::source::Source;
use super::{
    Candidate, Chain, Choice, Choose, Context, Distribution, Error, Mirostat, Observer, Options, Step, scan,
};

/// Chooses tokens, one position at a time.
///
/// ```
/// use siskin::sample::{Context, Options, Sampler};
///
/// let mut options = Options::default();
/// options.temperature = 0.8;
/// options.top_k = 2;
/// options.seed = 42;
/// let mut sampler = Sampler::new(options, 4)?;
///
/// let logits = [0.5, 3.0, -1.0, 2.5];
/// let context = Context { position: 7, ..Context::default() };
/// let choice = sampler.sample(&logits, &context)?;
/// assert!(choice.token == 1 || choice.token == 3); // the two that top-k leaves
/// assert_eq!(choice, sampler.sample(&logits, &context)?); // same position, same choice
/// # Ok::<(), siskin::sample::Error>(())
/// ```
#[derive(Debug)]
pub struct Sampler {
    options: Options,
    /// Number of tokens, and so of logits.
    vocab: usize,
    /// The steps of the chain that are on.
    steps: Chain,
    /// The biases, one for each token.
    bias: Touched,
    /// Room for every candidate there can be; holds nothing from one position to the next.
    candidates: Candidates,
    /// Likewise for changed logits and for the tokens that a penalty touches.
    edits: Edits,
    touched: Touched,
    /// What an observer is shown.
    shown: Vec<Candidate>,
    /// Mirostat's limit on surprise, in bits.
    mu: f64,
}

/// What choices depend on beside options, logits and context: what sequences that share a sampler have each for themselves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    seed: u64,
    mu: f64,
}

impl Sampler {
    /// A sampler for logits of `vocab` tokens. Takes [`Options::scratch_bytes`] of memory.
    ///
    /// # Errors
    /// When an option is out of its range, or `vocab` is 0 or more than token ids can count.
    pub fn new(mut options: Options, vocab: usize) -> Result<Sampler, Error> {
        if vocab == 0 || u32::try_from(vocab).is_err() {
            return Err(Error::Vocabulary { found: vocab });
        }
        options.check(vocab)?;
        options.dry.breakers.sort_unstable();
        let mut bias = Touched { list: options.logit_bias.clone(), ..Touched::default() };
        bias.settle(|kept, later| *kept = (*kept + later).min(f32::MAX));
        let mut sampler = Sampler {
            vocab,
            steps: Chain::of(options.active(vocab)),
            bias,
            candidates: Candidates::with_capacity(options.capacity(vocab)),
            edits: Edits::new(&options, vocab),
            touched: Touched::new(&options, vocab),
            shown: Vec::new(),
            mu: 0.0,
            options,
        };
        sampler.reset();
        Ok(sampler)
    }

    /// The options this sampler was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The steps of the chain that run with these options, in order.
    pub fn steps(&self) -> &[Step] {
        self.steps.steps()
    }

    /// Begins a new sequence: mirostat's limit is at its start again. Nothing else is kept from one choice to the next.
    pub fn reset(&mut self) {
        self.mu = self.options.mirostat.map_or(0.0, Mirostat::start);
    }

    /// The beginning of sequence `index`, whose seed is the options' and so much more.
    pub(crate) fn sequence(&self, index: usize) -> Sequence {
        let mu = self.options.mirostat.map_or(0.0, Mirostat::start);
        Sequence { seed: self.options.seed.wrapping_add(index as u64), mu }
    }

    /// Chooses as [`Sampler::sample`] does, for one of several sequences.
    ///
    /// # Errors
    /// As [`Sampler::sample`].
    pub(crate) fn sample_for(
        &mut self,
        sequence: &mut Sequence,
        logits: &[f32],
        context: &Context<'_>,
    ) -> Result<Choice, Error> {
        let own = Sequence { seed: self.options.seed, mu: self.mu };
        (self.options.seed, self.mu) = (sequence.seed, sequence.mu);
        let choice = self.sample(logits, context);
        sequence.mu = self.mu;
        (self.options.seed, self.mu) = (own.seed, own.mu);
        choice
    }

    /// Chooses a token by `logits`, one per token of the vocabulary.
    ///
    /// # Errors
    /// When there is not one logit per token, one is NaN or +inf, the history has a token that does not exist, or no token is left: all logits
    /// are -inf, or nothing is allowed. Mirostat's state has not changed then.
    pub fn sample(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, Error> {
        self.run(logits, context, None)
    }

    /// The same choice, and tells the observer what each step leaves. Takes memory and time for it, in the size of the vocabulary.
    ///
    /// ```
    /// use siskin::sample::{Candidate, Context, Observer, Options, Sampler};
    ///
    /// struct Print;
    /// impl Observer for Print {
    ///     fn after(&mut self, step: &'static str, candidates: &[Candidate]) {
    ///         println!("{step} leaves {}, first {}", candidates.len(), candidates[0].token);
    ///     }
    /// }
    ///
    /// let mut options = Options::default();
    /// (options.temperature, options.top_k, options.min_p) = (0.8, 3, 0.5);
    /// let mut sampler = Sampler::new(options, 4)?;
    /// sampler.sample_observed(&[0.5, 3.0, -1.0, 2.5], &Context::default(), &mut Print)?;
    /// # Ok::<(), siskin::sample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Sampler::sample`].
    pub fn sample_observed(
        &mut self,
        logits: &[f32],
        context: &Context<'_>,
        observer: &mut dyn Observer,
    ) -> Result<Choice, Error> {
        self.run(logits, context, Some(observer))
    }

    /// Where the memory is, and how many bytes it has.
    #[cfg(test)]
    pub(super) fn footprint(&self) -> ([usize; 3], usize) {
        let (candidates, edits, touched) = (&self.candidates.list, self.edits.entries(), &self.touched);
        let places = [candidates.as_ptr().addr(), edits.as_ptr().addr(), touched.list.as_ptr().addr()];
        (places, candidates.capacity() * 8 + self.edits.capacity_bytes() + touched.capacity_bytes())
    }

    fn run(
        &mut self,
        logits: &[f32],
        context: &Context<'_>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Choice, Error> {
        let position = context.position;
        if logits.len() != self.vocab {
            return Err(Error::LogitCount { position, found: logits.len(), expected: self.vocab });
        }
        let peak = scan::peak(logits, position)?;
        let mut run = Run {
            options: &self.options,
            context,
            source: Source::new(logits, context.allowed, &mut self.edits),
            candidates: &mut self.candidates,
            touched: &mut self.touched,
            shown: &mut self.shown,
            observer,
            stale: false,
        };
        run.start(peak)?;
        run.bias(&self.bias)?;
        let steps = self.steps.steps();
        for (index, &step) in steps.iter().enumerate() {
            run.step(step, steps.get(index + 1).copied())?;
        }
        run.look_again()?;
        let (token, probability) = match self.options.is_greedy() {
            true => (run.best()?, 1.0),
            false => run.draw(&mut self.mu)?,
        };
        let distribution = self.options.logprobs.then(|| Distribution::with_peak(logits, peak));
        let logprob = distribution.and_then(|distribution| distribution.log_probability(token));
        Ok(Choice { token, probability: probability as f32, logprob })
    }
}

impl Choose for Sampler {
    fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, Error> {
        self.sample(logits, context)
    }

    fn reset(&mut self) {
        Sampler::reset(self);
    }
}
