//! Choosing a token from the logits of one position. Called by the session; knows no model, text or file.
//!
//! At temperature 0 the choice is *greedy*: the token with the largest logit, the lowest id among equals.
//! Otherwise candidates pass a chain of filters, always in this order, and one of those left is drawn:
//!
//! | step | keeps | off at | source |
//! |---|---|---|---|
//! | top-k | the `k` largest logits | 0 | Fan et al. 2018, arXiv:1805.04833 |
//! | top-p | the fewest likeliest tokens with `sum p_i >= top_p` | 1 | Holtzman et al. 2019, arXiv:1904.09751 |
//! | min-p | tokens with `p_i >= min_p * max p` | 0 | Minh et al. 2024, arXiv:2407.01082 |
//! | temperature | all; `p_i ~ e^(logit_i / T)` from here on | 1 | Ackley et al. 1985 |
//! | draw | one, with probability `p_i` | | inverse distribution function at a uniform number |
//!
//! `p` is the softmax over what the steps before have left, at temperature 1 up to the temperature step. Where
//! equal logits compete for the last place, the lower token ids stay. A logit of -inf is never a candidate.
//!
//! # Guarantees
//! - A choice is a pure function of the options, the logits and the position (see `rng.rs`).
//! - Nothing allocates after [`Sampler::new`].
//! - Time is linear in the vocabulary: one pass for the maximum, one for the softmax sum, one to collect the few
//!   tokens that can matter. The vocabulary is never sorted, and no probability array is made. The prefixes
//!   that partial selection finds are those of a full sort, up to the rounding of f64 sums.
//! - Unusable logits are a named [`Error`], never a token.

mod candidates;
mod error;
mod filters;
mod rng;
mod scan;
mod softmax;
#[cfg(test)]
mod tests;

use candidates::{Candidate, Candidates};
pub use error::Error;
use softmax::Weights;

/// How to choose: the knobs of the chain. The default is greedy, with every filter off and seed 0.
///
/// Outside this crate start from [`Options::default`] and set fields: later versions add some.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Divides the logits before the draw: below 1 sharpens, above 1 flattens. 0 means greedy.
    pub temperature: f32,
    /// How many tokens top-k keeps. 0 turns it off.
    pub top_k: u32,
    /// The mass that top-p keeps, in `(0, 1]`. 1 turns it off.
    pub top_p: f32,
    /// How likely a token must be in proportion to the likeliest, in `[0, 1)`. 0 turns it off.
    pub min_p: f32,
    /// Selects the sequence of random numbers.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { temperature: 0.0, top_k: 0, top_p: 1.0, min_p: 0.0, seed: 0 }
    }
}

impl Options {
    /// What a sampler with these options allocates for a vocabulary of `vocab` tokens, in bytes. Greedy: nothing.
    pub fn scratch_bytes(&self, vocab: usize) -> usize {
        self.capacity(vocab).saturating_mul(size_of::<Candidate>())
    }

    /// The most candidates there can be at one time.
    fn capacity(&self, vocab: usize) -> usize {
        match self.top_k_below(vocab) {
            _ if self.is_greedy() => 0,
            Some(k) => Candidates::room_for_best(k, vocab),
            None => vocab,
        }
    }

    fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// The `k` of top-k, if it removes anything from `vocab` tokens.
    fn top_k_below(&self, vocab: usize) -> Option<usize> {
        usize::try_from(self.top_k).ok().filter(|k| (1..vocab).contains(k))
    }

    fn check(&self) -> Result<(), Error> {
        let Options { temperature, top_p, min_p, .. } = *self;
        if !(temperature >= 0.0 && temperature.is_finite()) {
            return Err(Error::Temperature { found: temperature });
        }
        if !(top_p > 0.0 && top_p <= 1.0) {
            return Err(Error::TopP { found: top_p });
        }
        if !(0.0..1.0).contains(&min_p) {
            return Err(Error::MinP { found: min_p });
        }
        Ok(())
    }
}

/// What was chosen at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Choice {
    /// The token id: an index into the logits.
    pub token: u32,
    /// Natural log of the token's probability, by the softmax over *all* logits at temperature 1.
    ///
    /// What the model thought of the token, then: filters and temperature do not enter.
    pub logprob: f32,
}

/// Chooses tokens, one position at a time.
///
/// ```
/// use siskin::sample::{Options, Sampler};
///
/// let mut options = Options::default();
/// options.temperature = 0.8;
/// options.top_k = 2;
/// options.seed = 42;
/// let mut sampler = Sampler::new(options, 4)?;
///
/// let logits = [0.5, 3.0, -1.0, 2.5];
/// let choice = sampler.sample(&logits, 0)?;
/// assert!(choice.token == 1 || choice.token == 3); // the two that top-k leaves
/// assert_eq!(choice, sampler.sample(&logits, 0)?); // same position, same choice
/// # Ok::<(), siskin::sample::Error>(())
/// ```
#[derive(Debug)]
pub struct Sampler {
    options: Options,
    /// Number of tokens, and so of logits.
    vocab: usize,
    chain: Chain,
    /// Room for every candidate there can be; holds nothing from one position to the next.
    candidates: Candidates,
}

/// The filters that are on, with their settings as the filters want them.
#[derive(Debug, Clone, Copy)]
struct Chain {
    top_k: Option<usize>,
    top_p: Option<f64>,
    /// `ln(min_p)`.
    min_p: Option<f64>,
}

impl Chain {
    fn new(options: &Options, vocab: usize) -> Chain {
        Chain {
            top_k: options.top_k_below(vocab),
            top_p: (options.top_p < 1.0).then_some(f64::from(options.top_p)),
            min_p: (options.min_p > 0.0).then(|| f64::from(options.min_p).ln()),
        }
    }

    fn is_empty(&self) -> bool {
        self.top_k.is_none() && self.top_p.is_none() && self.min_p.is_none()
    }

    /// A logit that no token has to exceed to survive top-p and min-p, when top-k is off.
    fn floor(&self, weights: Weights, count: usize, total: f64) -> f32 {
        let top_p = self.top_p.map(|p| weights.floor(p, count, total));
        let min_p = self.min_p.map(|log_ratio| weights.below_peak(-log_ratio));
        [top_p, min_p].into_iter().flatten().fold(f32::NEG_INFINITY, f32::max)
    }
}

impl Sampler {
    /// A sampler for logits of `vocab` tokens. Takes [`Options::scratch_bytes`] of memory.
    ///
    /// # Errors
    /// When an option is out of its range, or `vocab` is 0 or more than token ids can count.
    pub fn new(options: Options, vocab: usize) -> Result<Sampler, Error> {
        options.check()?;
        if vocab == 0 || u32::try_from(vocab).is_err() {
            return Err(Error::Vocabulary { found: vocab });
        }
        let chain = Chain::new(&options, vocab);
        let candidates = Candidates::with_capacity(options.capacity(vocab));
        Ok(Sampler { options, vocab, chain, candidates })
    }

    /// The options this sampler was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Chooses a token by `logits`, one per token of the vocabulary.
    ///
    /// `position` is the index in the sequence of the token to be chosen. It selects the random number: two
    /// calls with the same position use the same one, in any order of calls.
    ///
    /// # Errors
    /// When there is not one logit per token, one is NaN or +inf, or all are -inf.
    pub fn sample(&mut self, logits: &[f32], position: u64) -> Result<Choice, Error> {
        if logits.len() != self.vocab {
            return Err(Error::LogitCount { position, found: logits.len(), expected: self.vocab });
        }
        let peak = scan::peak(logits, position)?;
        let weights = Weights::new(peak, 1.0);
        let total = weights.sum(logits);
        let Candidate { token, logit } = if self.options.is_greedy() {
            Candidate { token: scan::first_at(logits, peak), logit: peak }
        } else {
            let u = rng::uniform(self.options.seed, position);
            self.choose(logits, weights, total, u)
        };
        Ok(Choice { token, logprob: weights.log_probability(logit, total) })
    }

    /// Runs the chain on logits that weigh `total` at temperature 1, and draws at the uniform number `u`.
    fn choose(&mut self, logits: &[f32], weights: Weights, total: f64, u: f64) -> Candidate {
        if self.chain.is_empty() {
            return self.choose_of_all(logits, weights, total, u);
        }
        self.collect(logits, weights, total);
        if let Some(p) = self.chain.top_p {
            filters::top_p(&mut self.candidates, p);
        }
        if let Some(log_ratio) = self.chain.min_p {
            filters::min_p(&mut self.candidates, log_ratio);
        }
        filters::temperature(&mut self.candidates, self.options.temperature);
        filters::draw(&mut self.candidates, u)
    }

    /// What top-k leaves; without top-k, all that can survive the filters that follow.
    fn collect(&mut self, logits: &[f32], weights: Weights, total: f64) {
        match self.chain.top_k {
            Some(k) => self.candidates.collect_best(logits, k, weights),
            None => {
                let floor = self.chain.floor(weights, logits.len(), total);
                self.candidates.collect_above(logits, floor, weights, total);
            }
        }
    }

    /// The draw when no filter is on: only the best `u` of the mass has to be collected for it.
    fn choose_of_all(&mut self, logits: &[f32], weights: Weights, total: f64, u: f64) -> Candidate {
        let warm = weights.at(self.options.temperature);
        let total = if self.options.temperature == 1.0 { total } else { warm.sum(logits) };
        let floor = warm.floor(u, logits.len(), total);
        self.candidates.collect_above(logits, floor, warm, total);
        filters::draw(&mut self.candidates, u)
    }
}
