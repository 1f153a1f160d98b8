//! The distribution that the model itself gives: the softmax over all logits of one position, at temperature 1. For callers that want
//! probabilities; the sampler does not, and so never pays for the sum over the whole vocabulary.

use super::blocks::Blocks;
use super::elementary::ln;
use super::softmax::Weights;
use super::{Error, scan};

/// `ln(sum of e^logit)`, which a logit less is the natural logarithm of a token's probability.
///
/// # Errors
/// When a logit is NaN or +inf, or all are -inf; `position` is for the message.
pub fn log_sum_exp(logits: &[f32], position: u64) -> Result<f64, Error> {
    let peak = scan::peak(logits, position)?;
    Ok(f64::from(peak) + ln(Weights::new(peak, 1.0).sum(logits)))
}

/// A softmax over all logits of one position. Making one costs a pass over them for the sum; then questions about single tokens are cheap.
///
/// ```
/// use siskin::sample::Distribution;
///
/// let half = Distribution::new(&[2.0, 2.0, f32::NEG_INFINITY], 0)?;
/// assert_eq!(half.log_probability(1), Some(0.5f32.ln()));
/// assert_eq!(half.probability(2), Some(0.0));
/// assert_eq!(half.probability(3), None);
/// assert_eq!(half.entropy(), 2f32.ln());
/// # Ok::<(), siskin::sample::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Distribution<'a> {
    logits: &'a [f32],
    weights: Weights,
    total: f64,
}

impl<'a> Distribution<'a> {
    /// The distribution of these logits, one per token; `position` is for messages only.
    ///
    /// # Errors
    /// When a logit is NaN or +inf, or all are -inf.
    pub fn new(logits: &'a [f32], position: u64) -> Result<Distribution<'a>, Error> {
        Ok(Distribution::with_peak(logits, scan::peak(logits, position)?))
    }

    /// The distribution of usable logits of which `peak` is the largest.
    pub(super) fn with_peak(logits: &'a [f32], peak: f32) -> Distribution<'a> {
        let weights = Weights::new(peak, 1.0);
        Distribution { logits, weights, total: weights.sum(logits) }
    }

    /// `ln p` of a token; `None` if the vocabulary does not have it.
    pub fn log_probability(&self, token: u32) -> Option<f32> {
        let logit = *self.logits.get(token as usize)?;
        Some(self.weights.log_probability(logit, self.total))
    }

    /// `p` of a token; `None` if the vocabulary does not have it.
    pub fn probability(&self, token: u32) -> Option<f32> {
        let logit = *self.logits.get(token as usize)?;
        Some((self.weights.of(logit) / self.total) as f32)
    }

    /// How many tokens come before this one, likelier ones first and of equally likely ones lower ids; `None` if the vocabulary does not
    /// have it. Looks at every logit.
    pub fn rank(&self, token: u32) -> Option<usize> {
        let token = token as usize;
        let logit = *self.logits.get(token)?;
        let likelier = self.logits.iter().filter(|&&other| other > logit).count();
        Some(likelier + self.logits[..token].iter().filter(|&&other| other == logit).count())
    }

    /// The entropy `-sum p ln p` in nats. Looks at every logit.
    pub fn entropy(&self) -> f32 {
        self.weights.moments(self.logits).entropy() as f32
    }

    /// How many tokens have a finite logit.
    pub fn support(&self) -> usize {
        self.logits.count() as usize
    }
}
