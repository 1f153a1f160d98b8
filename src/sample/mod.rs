//! Choosing a token from the logits of one position. Called by the session; knows no model, text or file.
//!
//! Candidates pass a chain of steps, in an order that the caller may set ([`Chain`]), and one of those left is drawn. This is the default
//! order. `x` is a logit divided by the temperature so far, `p` the softmax of `x` over what the steps before have left:
//!
//! | step | effect | off at | source |
//! |---|---|---|---|
//! | grammar | removes what [`Context::allowed`] leaves out | `None` | |
//! | logit bias | `x + bias` for tokens by id; -inf removes | no biases | |
//! | penalties | repeated: `x / repeat` or, if `x <= 0`, `x * repeat`; then `- presence - count * frequency` | 1, 0, 0 | Keskar et al. 2019, arXiv:1909.05858; OpenAI API reference |
//! | dry | `x - multiplier * base^(n - allowed_length)` if it goes on with a repetition of `n` tokens | multiplier 0 | Weidmann 2024, text-generation-webui 5677 |
//! | top-n-sigma | keeps `x >= max x - n * sigma(x)` | 0 | Tang et al. 2024, arXiv:2411.07641 |
//! | top-k | keeps the `k` largest `x` | 0 | Fan et al. 2018, arXiv:1805.04833 |
//! | typical | keeps the fewest with `-ln p` nearest to the entropy and `sum p >= typical` | 1 | Meister et al. 2022, arXiv:2202.00666 |
//! | top-p | keeps the fewest likeliest with `sum p >= top_p` | 1 | Holtzman et al. 2019, arXiv:1904.09751 |
//! | min-p | keeps `p >= min_p * max p` | 0 | Minh et al. 2024, arXiv:2407.01082 |
//! | xtc | with its probability, removes all `p >= threshold` but the least likely of them | probability 0 | Weidmann 2024, text-generation-webui 6335 |
//! | temperature | `x / T` from here on | 1 | Ackley et al. 1985 |
//! | dynamic temperature | the same, `T` between `T - range` and `T + range` by the entropy | range 0 | kalomaze 2023; llama.cpp 4972 |
//! | mirostat 1, 2 | in place of all filters, last: keeps what lets surprise stay at `tau` | `None` | Basu et al. 2020, arXiv:2007.14966 |
//! | draw | one, with probability `p` | temperature 0 | inverse distribution function at a uniform number |
//!
//! At temperature 0 the choice is *greedy*, whatever the chain: grammar, bias, penalties and DRY apply, and the largest logit wins, the lowest
//! id among equals. With mirostat, the filters of the chain (those that remove candidates) do not run. Where equal logits compete for the last
//! place, the lower token ids stay. A logit of -inf is never a candidate. Penalties that come after the temperature in a chain are penalties
//! on divided logits.
//!
//! # Guarantees
//! - A choice is a pure function of the options, the logits and the [`Context`] (random numbers: see `rng.rs`); with mirostat, of the choices
//!   since [`Sampler::reset`] too. It does not depend on the CPU.
//! - Nothing allocates after [`Sampler::new`], unless somebody observes, or a window has no length ([`Options::within`]).
//! - Time is linear in the vocabulary: one pass for the maximum, one to collect the few tokens that can matter, and a softmax sum only if the first step that removes tokens needs one. Where
//!   probability is spread over many tokens, that sum is kept by narrow ranges of logits, and only the range with the border is looked into. The vocabulary is never sorted nor copied, and no probability array is made. The
//!   prefixes that partial selection finds are those of a full sort, up to the rounding of f64 sums.
//! - Unusable logits are a named [`Error`], never a token.

mod band;
pub(crate) mod best;
mod blocks;
mod candidates;
mod check;
mod distribution;
mod dry;
mod edits;
mod elementary;
mod entropy;
mod error;
mod filters;
mod histogram;
mod mirostat;
mod options;
mod penalties;
mod rank;
mod rng;
mod run;
mod sampler;
mod scan;
mod softmax;
mod source;
mod step;
#[cfg(test)]
mod tests;
mod token_set;

pub use distribution::{Distribution, log_sum_exp};
pub use entropy::entropy;
pub use error::Error;
pub use options::{Dry, Dynamic, Mirostat, MirostatVersion, Options, Penalties, Xtc};
pub use sampler::Sampler;
pub(crate) use sampler::Sequence;
pub use step::{Chain, Step};
pub use token_set::TokenSet;

/// What a choice depends on beside the logits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The index in the sequence of the token to be chosen. It selects the random number: two calls with the same position use the same
    /// one, in any order of calls.
    pub position: u64,
    /// All tokens before this one, the prompt included: what penalties look at.
    pub history: &'a [u32],
    /// The tokens that may be chosen, such as those that a grammar allows, as the bits of a [`TokenSet`]; `None` for all. Tokens beyond its
    /// end may not.
    pub allowed: Option<&'a [u32]>,
}

/// What was chosen at one position.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// The token id: an index into the logits.
    pub token: u32,
    /// With which probability it was drawn, after all steps of the chain; 1 for a greedy choice.
    pub probability: f32,
    /// Natural log of the token's probability, by the softmax over *all* logits at temperature 1: what the model thought of it. Only if
    /// [`Options::logprobs`] asks for it, because it costs a sum over the vocabulary.
    pub logprob: Option<f32>,
}

/// A token that is still in the running.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// The token id.
    pub token: u32,
    /// The logit as the steps so far made it: biased, penalized, divided by the temperature.
    pub logit: f32,
    /// Its probability among the candidates that are left.
    pub probability: f32,
}

/// Is told what each step of the chain leaves.
pub trait Observer {
    /// After a step that is on: its name ([`Step::name`], or `allowed`, `logit_bias`, `mirostat`) and what is left, likeliest first.
    fn after(&mut self, step: &'static str, candidates: &[Candidate]);
}

/// Chooses tokens. [`Sampler`] does, and callers' own samplers can.
///
/// ```
/// use siskin::sample::{Choice, Choose, Context, Distribution, Error};
///
/// /// Takes the least likely token that has at least a tenth.
/// struct Contrarian;
///
/// impl Choose for Contrarian {
///     fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, Error> {
///         let position = context.position;
///         let distribution = Distribution::new(logits, position)?;
///         let probable = (0..logits.len() as u32)
///             .filter_map(|token| Some((token, distribution.probability(token)?)))
///             .filter(|(_, probability)| *probability >= 0.1);
///         let (token, _) = probable
///             .min_by(|a, b| a.1.total_cmp(&b.1))
///             .ok_or_else(|| Error::Custom { position, reason: "no token has a tenth".into() })?;
///         Ok(Choice { token, probability: 1.0, logprob: distribution.log_probability(token) })
///     }
/// }
///
/// let choice = Contrarian.choose(&[1.0, 3.0, 2.0], &Context::default())?;
/// assert_eq!(choice.token, 2);
/// # Ok::<(), Error>(())
/// ```
pub trait Choose {
    /// Chooses a token by `logits`, one per token of the vocabulary.
    ///
    /// # Errors
    /// When no token can be chosen.
    fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, Error>;

    /// Forgets the sequence so far, before another one begins.
    fn reset(&mut self) {}
}
