//! Mirostat: a limit on surprise that follows the surprise of what was drawn. Called by the chain, in place of filters.
//!
//! S. Basu, G. S. Ramachandran, N. S. Keskar and L. R. Varshney, "Mirostat: a neural text decoding algorithm that directly controls
//! perplexity", 2020, arXiv:2007.14966. Surprise is `-log2 p`. The limit `mu` begins at `2 tau`; after each draw it becomes
//! `mu - eta * (surprise - tau)`, with the surprise of the token among the candidates that it was drawn from.

use super::candidates::Candidates;
use super::elementary::{exp, ln};
use super::filters;
use super::options::{Mirostat, MirostatVersion};
use super::rank::rank;
use super::source::Source;
use std::f64::consts::{LN_2, LOG2_E};

/// From how many of the likeliest tokens the exponent of Zipf's law is estimated.
const ESTIMATED_FROM: usize = 100;

impl Mirostat {
    /// The limit at the start.
    pub(super) fn start(self) -> f64 {
        2.0 * f64::from(self.tau)
    }

    /// The limit after a token of this probability was drawn under the limit `mu`.
    pub(super) fn follow(self, mu: f64, probability: f64) -> f64 {
        let surprise = -ln(probability) * LOG2_E;
        mu - f64::from(self.eta) * (surprise - f64::from(self.tau))
    }

    /// Keeps what is to be drawn from under the limit `mu`; at least one.
    pub(super) fn limit(self, candidates: &mut Candidates, source: &Source<'_>, mu: f64) {
        match self.version {
            MirostatVersion::V1 => {
                let k = likeliest(candidates, source, mu);
                candidates.keep_best(source, k);
            }
            MirostatVersion::V2 => by_surprise(candidates, source, mu),
        }
    }
}

/// Version 2: those with `-log2 p <= mu`, and at least the likeliest.
fn by_surprise(candidates: &mut Candidates, source: &Source<'_>, mu: f64) {
    // -log2 p = (ln total - exponent) / ln 2.
    let log_ratio = ln(candidates.total(source)) - mu * LN_2;
    match log_ratio <= 0.0 {
        true => filters::min_p(candidates, source, log_ratio),
        false => candidates.keep_best(source, 1),
    }
}

/// Version 1, equations 30 and 38 of the paper: how many of the likeliest tokens have the mean surprise `mu` if probabilities fall by Zipf's
/// law with the exponent `s`: `k = (epsilon * 2^mu / (1 - n^-epsilon))^(1/s)` with `epsilon = s - 1`, of `n` tokens.
fn likeliest(candidates: &mut Candidates, source: &Source<'_>, mu: f64) -> usize {
    let n = source.vocab();
    if n < 2 {
        return 1;
    }
    let s = zipf_exponent(candidates, source);
    let (epsilon, ln_n) = (s - 1.0, ln(n as f64));
    // At 0 both epsilon and the difference vanish; this is the limit of their ratio.
    let ratio = if epsilon.abs() < 1e-8 { ln_n.recip() } else { epsilon / (1.0 - power(ln_n, -epsilon)) };
    let ln_k = (ln(ratio) + mu * LN_2) / s;
    if ln_k >= ln_n { n } else { (power(1.0, ln_k) as usize).max(1) }
}

/// `e^(a * b)`, of either sign.
fn power(a: f64, b: f64) -> f64 {
    let x = a * b;
    if x <= 0.0 { exp(x) } else { exp(-x).recip() }
}

/// The least-squares estimate `sum t b / sum t^2` with `t = ln((i + 1) / i)`, `b = ln(p_i / p_(i+1))` over the likeliest tokens.
fn zipf_exponent(candidates: &mut Candidates, source: &Source<'_>) -> f64 {
    candidates.keep_best(source, ESTIMATED_FROM);
    candidates.list.sort_unstable_by_key(rank);
    let temperature = candidates.weights.temperature();
    let (mut tb, mut tt) = (0.0, 0.0);
    for (i, pair) in (1u32..).zip(candidates.list.windows(2)) {
        let t = ln(f64::from(i + 1) / f64::from(i));
        let b = (f64::from(pair[0].logit) - f64::from(pair[1].logit)) / temperature;
        (tb, tt) = (tb + t * b, tt + t * t);
    }
    candidates.reopen();
    if tt > 0.0 { tb / tt } else { 0.0 }
}
