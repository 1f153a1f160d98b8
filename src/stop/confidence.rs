//! Stopping where the model is unsure, judged by the distribution that a token was chosen from: the softmax over all logits at
//! temperature 1, before any filter.
//!
//! The token that was judged is the stop text: it is not printed, because it is what the model is unsure of.

use super::{Before, Condition, Error, Hit, Needs, Reason, Token};
use std::fmt;

/// Needs of conditions on the chosen token.
const LOGPROB: Needs = Needs { logprob: true, entropy: false };

fn check(probability: f32) -> Result<(), Error> {
    let fine = probability > 0.0 && probability <= 1.0;
    if fine { Ok(()) } else { Err(Error::Probability { found: probability }) }
}

/// Stops at a token of less than a probability.
#[derive(Debug, Clone)]
pub struct Below {
    limit: f32,
    last: Option<f32>,
}

impl Below {
    /// A condition for tokens less likely than `limit`.
    ///
    /// # Errors
    /// When `limit` is not in `(0, 1]`.
    pub fn new(limit: f32) -> Result<Below, Error> {
        check(limit)?;
        Ok(Below { limit, last: None })
    }
}

impl Condition for Below {
    fn name(&self) -> &'static str {
        "confidence"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        self.last = token.probability();
        let probability = self.last.filter(|p| *p < self.limit && before.armed)?;
        let reason = Reason::Confidence { probability, limit: self.limit, window: 1 };
        Some(Hit::without(token, before, reason))
    }

    fn needs(&self) -> Needs {
        LOGPROB
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.last, "no less than", self.limit)
    }
}

/// Stops at the token that brings the mean probability of the last few below a limit; not before there are that many.
///
/// It is the arithmetic mean. The sum is kept in integers of 2^-40, so that it stays exact however long the text.
#[derive(Debug)]
pub struct BelowMean {
    limit: f32,
    /// The last probabilities, in units of 2^-40; the oldest is at `oldest` once there are `len`.
    window: Vec<u64>,
    oldest: usize,
    len: usize,
    sum: u64,
}

impl Clone for BelowMean {
    fn clone(&self) -> BelowMean {
        BelowMean { window: self.window.clone(), ..*self }
    }

    fn clone_from(&mut self, other: &BelowMean) {
        let mut window = std::mem::take(&mut self.window);
        window.clone_from(&other.window);
        *self = BelowMean { window, ..*other };
    }
}

/// 2^40: sums of up to 2^24 probabilities fit in 64 bits.
const ONE: f64 = (1u64 << 40) as f64;
/// Longest window.
const MAX_WINDOW: usize = 1 << 20;

impl BelowMean {
    /// A condition for a mean over `window` tokens that is less than `limit`. A window of more than 2^20 tokens counts as one of 2^20.
    ///
    /// # Errors
    /// When `limit` is not in `(0, 1]`, or `window` is 0.
    pub fn new(limit: f32, window: usize) -> Result<BelowMean, Error> {
        check(limit)?;
        if window == 0 {
            return Err(Error::Zero { what: "tokens of a window" });
        }
        Ok(BelowMean { limit, window: vec![0; window.min(MAX_WINDOW)], oldest: 0, len: 0, sum: 0 })
    }

    fn push(&mut self, probability: f32) {
        // Rounds; of what is no number, `as` makes 0.
        let new = (f64::from(probability).clamp(0.0, 1.0) * ONE).round() as u64;
        let old = std::mem::replace(&mut self.window[self.oldest], new);
        self.sum = self.sum - old + new;
        self.oldest = (self.oldest + 1) % self.window.len();
        self.len = (self.len + 1).min(self.window.len());
    }

    /// The mean, once the window is full.
    fn mean(&self) -> Option<f32> {
        let window = self.window.len();
        (self.len == window).then(|| (self.sum as f64 / ONE / window as f64) as f32)
    }
}

impl Condition for BelowMean {
    fn name(&self) -> &'static str {
        "confidence"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        self.push(token.probability()?);
        let probability = self.mean().filter(|mean| *mean < self.limit && before.armed)?;
        let reason = Reason::Confidence { probability, limit: self.limit, window: self.window.len() };
        Some(Hit::without(token, before, reason))
    }

    fn needs(&self) -> Needs {
        LOGPROB
    }

    fn owned_bytes(&self) -> usize {
        size_of_val(&self.window[..])
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mean() {
            None => write!(f, "{} of {} tokens of the window", self.len, self.window.len()),
            mean => show(f, mean, "no less than", self.limit),
        }
    }
}

/// Stops at a token that was chosen from a distribution of more than an entropy, `-sum p ln p` in nats.
#[derive(Debug, Clone)]
pub struct Entropy {
    limit: f32,
    last: Option<f32>,
}

impl Entropy {
    /// A condition for distributions of more than `limit` nats.
    ///
    /// # Errors
    /// When `limit` is negative or no finite number.
    pub fn new(limit: f32) -> Result<Entropy, Error> {
        if !(limit >= 0.0 && limit.is_finite()) {
            return Err(Error::Entropy { found: limit });
        }
        Ok(Entropy { limit, last: None })
    }
}

impl Condition for Entropy {
    fn name(&self) -> &'static str {
        "entropy"
    }

    fn see(&mut self, token: &Token<'_>, before: &Before) -> Option<Hit> {
        self.last = token.entropy;
        let entropy = self.last.filter(|entropy| *entropy > self.limit && before.armed)?;
        Some(Hit::without(token, before, Reason::Entropy { entropy, limit: self.limit }))
    }

    fn needs(&self) -> Needs {
        Needs { logprob: false, entropy: true }
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.last, "no more than", self.limit)
    }
}

fn show(f: &mut fmt::Formatter<'_>, last: Option<f32>, allowed: &str, limit: f32) -> fmt::Result {
    match last {
        Some(last) => write!(f, "{last:.4}, {allowed} {limit}"),
        None => write!(f, "{allowed} {limit}"),
    }
}
