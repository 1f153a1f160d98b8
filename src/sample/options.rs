//! The knobs of the sampler: plain data. What they do stands where it is done, which values make sense in `check.rs`.

use super::candidates::Candidates;
use super::edits::Edits;
use super::rank::Entry;
use super::step::{Chain, Step};

/// How to choose: the chain and the settings of its steps. The default is greedy, with every filter off and seed 0.
///
/// Begin with [`Options::default`] and set fields, or end a literal with `..Options::default()`: later versions add some.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Which steps run, and in which order.
    pub chain: Chain,
    /// What is added to logits of tokens, before anything else: `(token id, amount)`. -inf bans a token; amounts for the same token add up.
    pub logit_bias: Vec<(u32, f32)>,
    /// Repetition, presence and frequency penalties.
    pub penalties: Penalties,
    /// Penalty for repeated sequences.
    pub dry: Dry,
    /// How many standard deviations below the largest logit top-n-sigma keeps. 0 turns it off.
    pub top_n_sigma: f32,
    /// How many tokens top-k keeps. 0 turns it off.
    pub top_k: u32,
    /// The mass that locally typical sampling keeps, in `(0, 1]`. 1 turns it off.
    pub typical: f32,
    /// The mass that top-p keeps, in `(0, 1]`. 1 turns it off.
    pub top_p: f32,
    /// How likely a token must be in proportion to the likeliest, in `[0, 1)`. 0 turns it off.
    pub min_p: f32,
    /// Exclusion of top choices.
    pub xtc: Xtc,
    /// Divides the logits before the draw: below 1 sharpens, above 1 flattens. 0 means greedy.
    pub temperature: f32,
    /// Temperature by entropy.
    pub dynamic: Dynamic,
    /// Draw at a constant surprise, in place of all the filters; `None` turns it off.
    pub mirostat: Option<Mirostat>,
    /// Selects the sequence of random numbers.
    pub seed: u64,
    /// Whether choices tell the [log-probability](super::Choice::logprob) of their token.
    pub logprobs: bool,
}

/// Settings of [`Step::Penalties`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Penalties {
    /// How many tokens to look back: 0 turns the step off, `u32::MAX` looks at all.
    pub last_n: u32,
    /// Divides a logit above 0 of a token that was there, multiplies others; above 0. 1 turns it off.
    pub repeat: f32,
    /// Is subtracted from the logit of a token that was there. 0 turns it off.
    pub presence: f32,
    /// Is subtracted as many times as the token was there. 0 turns it off.
    pub frequency: f32,
}

/// Settings of [`Step::Dry`].
#[derive(Debug, Clone, PartialEq)]
pub struct Dry {
    /// The penalty of a repetition that is as long as allowed. 0 turns the step off.
    pub multiplier: f32,
    /// How many times larger the penalty becomes with each further token; at least 1.
    pub base: f32,
    /// How long a repetition may be, in tokens, before it has a penalty; at least 1.
    pub allowed_length: u32,
    /// How many tokens to look back: 0 turns the step off, `u32::MAX` looks at all.
    pub last_n: u32,
    /// Tokens that no repetition extends over, and that never have a penalty; in any order. Usually those with punctuation in them.
    pub breakers: Vec<u32>,
}

/// Settings of [`Step::Xtc`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Xtc {
    /// How often tokens are excluded, in `[0, 1]`. 0 turns the step off.
    pub probability: f32,
    /// How likely a top choice is, in `(0, 1]`. Above 0.5 there cannot be two of them, and the step does nothing.
    pub threshold: f32,
}

impl Xtc {
    /// How many top choices there can be among `vocab` tokens.
    pub(super) fn most(self, vocab: usize) -> usize {
        ((1.0 / f64::from(self.threshold)) as usize).saturating_add(1).min(vocab)
    }
}

/// Settings of dynamic temperature, the other form of [`Step::Temperature`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dynamic {
    /// How far the temperature goes from its setting, up and down, not below 0. 0 keeps it fixed.
    pub range: f32,
    /// The power of the normalized entropy that it follows; above 0.
    pub exponent: f32,
}

/// Settings of mirostat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mirostat {
    /// Which of the two algorithms.
    pub version: MirostatVersion,
    /// The surprise to aim at, in bits; above 0.
    pub tau: f32,
    /// How fast the limit follows the error; above 0.
    pub eta: f32,
}

/// Which mirostat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MirostatVersion {
    /// By the exponent of Zipf's law, estimated from the 100 likeliest tokens.
    V1,
    /// By the surprise of each token.
    V2,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            chain: Chain::default(),
            logit_bias: Vec::new(),
            penalties: Penalties { last_n: 64, repeat: 1.0, presence: 0.0, frequency: 0.0 },
            dry: Dry {
                multiplier: 0.0,
                base: 1.75,
                allowed_length: 2,
                last_n: u32::MAX,
                breakers: Vec::new(),
            },
            top_n_sigma: 0.0,
            top_k: 0,
            typical: 1.0,
            top_p: 1.0,
            min_p: 0.0,
            xtc: Xtc { probability: 0.0, threshold: 0.1 },
            temperature: 0.0,
            dynamic: Dynamic { range: 0.0, exponent: 1.0 },
            mirostat: None,
            seed: 0,
            logprobs: false,
        }
    }
}

impl Options {
    /// The same options, with no window longer than `positions` tokens: so that a sampler for sequences of that length takes all its
    /// memory when it is made.
    #[must_use]
    pub fn within(mut self, positions: usize) -> Options {
        let positions = u32::try_from(positions).unwrap_or(u32::MAX);
        self.penalties.last_n = self.penalties.last_n.min(positions);
        self.dry.last_n = self.dry.last_n.min(positions);
        self
    }

    /// What a sampler with these options allocates for a vocabulary of `vocab` tokens, in bytes: room for candidates, and for the tokens
    /// that bias and penalties touch. Greedy without those: nothing.
    ///
    /// A window of `u32::MAX` tokens does not count, because it takes its memory as the history grows; see [`Options::within`].
    pub fn scratch_bytes(&self, vocab: usize) -> usize {
        let candidates = self.capacity(vocab).saturating_mul(size_of::<Entry>());
        candidates.saturating_add(Edits::bytes(self, vocab))
    }

    /// Whether the likeliest token is taken, without a draw.
    pub(super) fn is_greedy(&self) -> bool {
        self.temperature == 0.0
    }

    /// The steps that run and do anything, in their order.
    pub(super) fn active(&self, vocab: usize) -> impl Iterator<Item = Step> {
        let (greedy, mirostat) = (self.is_greedy(), self.mirostat.is_some());
        self.chain.steps().iter().copied().filter(move |&step| {
            let has_part = match step {
                _ if step.is_edit() => true,
                Step::Temperature => !greedy,
                _ => !greedy && !mirostat,
            };
            has_part && self.is_on(step, vocab)
        })
    }

    /// Whether a step can change anything with its setting.
    fn is_on(&self, step: Step, vocab: usize) -> bool {
        match step {
            Step::Penalties => {
                let Penalties { last_n, repeat, presence, frequency } = self.penalties;
                last_n > 0 && (repeat != 1.0 || presence != 0.0 || frequency != 0.0)
            }
            Step::Dry => self.dry.multiplier > 0.0 && self.dry.last_n > 0,
            Step::TopNSigma => self.top_n_sigma > 0.0,
            Step::TopK => usize::try_from(self.top_k).is_ok_and(|k| (1..vocab).contains(&k)),
            Step::Typical => self.typical < 1.0,
            Step::TopP => self.top_p < 1.0,
            Step::MinP => self.min_p > 0.0,
            Step::Xtc => self.xtc.probability > 0.0 && self.xtc.threshold <= 0.5,
            Step::Temperature => self.temperature != 1.0 || self.dynamic.range > 0.0,
        }
    }

    /// The most candidates there can be at one time: the first step that makes a list of them decides.
    pub(super) fn capacity(&self, vocab: usize) -> usize {
        let keeps_all = |step: &Step| step.is_edit() || matches!(step, Step::Xtc | Step::Temperature);
        match self.active(vocab).find(|step| !keeps_all(step)) {
            _ if self.is_greedy() => 0,
            Some(Step::TopK) => Candidates::room_for_best(self.top_k as usize, vocab),
            _ => vocab,
        }
    }
}
