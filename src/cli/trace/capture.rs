//! Logits to records: the likeliest tokens one by one, and what the others weigh. Knows no session.

use super::record::{Candidate, Chosen, Distribution, Piece, Rest};
use siskin::sample;
use siskin::tokenizer::Tokenizer;
use std::cmp::Ordering;

/// Inverse temperatures at which the weight of the tokens that are not recorded is computed, in eighths of 1: temperatures from 2 to 1/4.
/// The logarithm of that weight is convex in the inverse temperature, so between two of them it lies below their chord and above
/// the neighbouring chords: a reader can bound it. At 0 it is the logarithm of their number.
const EIGHTHS: [u32; 9] = [4, 5, 6, 7, 8, 10, 12, 16, 32];

/// The same as numbers.
pub const BETAS: [f64; 9] = [0.5, 0.625, 0.75, 0.875, 1.0, 1.25, 1.5, 2.0, 4.0];

/// A token id and its logit.
pub type Scored = (u32, f32);

/// The order of rank: the larger logit first, and of equal ones the lower id.
pub fn by_rank(a: &Scored, b: &Scored) -> Ordering {
    b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then(a.0.cmp(&b.0))
}

/// The `n` best of the finite logits, in order of rank. Linear in the vocabulary: a logit enters if it beats the `n`-th best so far,
/// and the list is cut back to `n` by partial selection whenever it is twice as long.
pub fn best(logits: &[f32], n: usize) -> Vec<Scored> {
    let room = n.saturating_mul(2).max(64).min(logits.len());
    let mut list: Vec<Scored> = Vec::with_capacity(room);
    let mut floor = f32::NEG_INFINITY;
    for (token, &logit) in (0..).zip(logits) {
        if logit > floor {
            if list.len() >= room && n < list.len() {
                list.select_nth_unstable_by(n, by_rank);
                list.truncate(n);
                floor = list.iter().fold(f32::INFINITY, |min, scored| min.min(scored.1));
                if logit <= floor {
                    continue;
                }
            }
            list.push((token, logit));
        }
    }
    list.sort_unstable_by(by_rank);
    list.truncate(n);
    list
}

/// What the tokens that rank after `last` weigh at each of [`BETAS`]. One exponential a token: the others are its powers.
pub fn rest(logits: &[f32], last: Scored) -> Rest {
    let is_rest = |scored: &Scored| scored.1.is_finite() && by_rank(&last, scored) == Ordering::Less;
    let others = || (0..).zip(logits.iter().copied()).filter(is_rest);
    let peak = others().fold(f32::NEG_INFINITY, |peak, (_, logit)| peak.max(logit));
    let (mut count, mut sums) = (0, [0.0; EIGHTHS.len()]);
    for (_, logit) in others() {
        count += 1;
        let eighth = ((f64::from(logit) - f64::from(peak)) / 8.0).exp();
        let [two, four] = [eighth.powi(2), eighth.powi(4)];
        let (eight, sixteen) = (four * four, four * four * four * four);
        let powers = [
            four,
            four * eighth,
            four * two,
            four * two * eighth,
            eight,
            eight * two,
            eight * four,
            sixteen,
            sixteen * sixteen,
        ];
        sums.iter_mut().zip(powers).for_each(|(sum, power)| *sum += power);
    }
    if count == 0 {
        return Rest::default();
    }
    let log_sum_exp = BETAS.iter().zip(sums).map(|(beta, sum)| beta * f64::from(peak) + sum.ln()).collect();
    Rest { count, log_sum_exp }
}

/// A token with its text.
pub fn piece(tokenizer: &Tokenizer, token: u32) -> Piece {
    let mut bytes = Vec::new();
    tokenizer.piece(token, &mut bytes);
    let special = bytes.is_empty();
    if special {
        bytes.extend(tokenizer.token(token).map_or(&b""[..], |token| token.bytes));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let bytes = std::str::from_utf8(&bytes).is_err().then_some(bytes);
    Piece { token, text, special, bytes }
}

/// How much of a distribution is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Tokens one by one, the likeliest first.
    pub top: usize,
    /// Whether to weigh the others ([`Rest`]), which costs an exponential for each.
    pub rest: bool,
}

/// The logits of a position, and what is summed over all of them.
pub struct Expected<'l> {
    logits: &'l [f32],
    softmax: sample::Distribution<'l>,
    log_sum_exp: f64,
}

impl<'l> Expected<'l> {
    /// What the model expects by these logits; `position` is for messages.
    pub fn new(logits: &'l [f32], position: u64) -> Result<Expected<'l>, sample::Error> {
        let softmax = sample::Distribution::new(logits, position)?;
        Ok(Expected { logits, softmax, log_sum_exp: sample::log_sum_exp(logits, position)? })
    }

    /// The distribution, as far as it is wanted.
    pub fn distribution(&self, tokenizer: &Tokenizer, wanted: Wanted) -> Distribution {
        let best = best(self.logits, wanted.top);
        let mut cumulative = 0.0;
        let candidate = |&(token, logit): &Scored| {
            let probability = (f64::from(logit) - self.log_sum_exp).exp();
            cumulative += probability;
            Candidate {
                piece: piece(tokenizer, token),
                logit,
                probability: probability as f32,
                cumulative: cumulative.min(1.0) as f32,
                drawn_with: None,
                removed_by: None,
            }
        };
        let entropy = self.softmax.entropy();
        let last = best.last().filter(|_| wanted.rest);
        Distribution {
            entropy_nats: entropy,
            entropy_bits: entropy / std::f32::consts::LN_2,
            log_sum_exp: self.log_sum_exp,
            top: best.iter().map(candidate).collect(),
            rest: last.map_or_else(Rest::default, |&last| rest(self.logits, last)),
        }
    }

    /// A token of the vocabulary among these logits.
    pub fn chosen(&self, tokenizer: &Tokenizer, token: u32) -> Chosen {
        Chosen {
            piece: piece(tokenizer, token),
            logit: self.logits.get(token as usize).copied(),
            probability: self.softmax.probability(token),
            logprob: self.softmax.log_probability(token),
            rank: self.softmax.rank(token).map(|before| before + 1),
            drawn_with: None,
        }
    }
}

/// A token that nothing predicts.
pub fn unexpected(tokenizer: &Tokenizer, token: u32) -> Chosen {
    let piece = piece(tokenizer, token);
    Chosen { piece, logit: None, probability: None, logprob: None, rank: None, drawn_with: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Logits with ties, both zeros and masked tokens.
    fn logits() -> impl Strategy<Value = Vec<f32>> {
        let logit = prop_oneof![
            8 => -12.0f32..12.0,
            3 => (-3i8..3).prop_map(f32::from),
            1 => Just(-0.0f32),
            1 => Just(f32::NEG_INFINITY),
        ];
        prop::collection::vec(logit, 1..400)
    }

    /// All finite logits, sorted: the obvious way.
    fn sorted(logits: &[f32]) -> Vec<Scored> {
        let mut all: Vec<Scored> =
            (0..).zip(logits.iter().copied()).filter(|(_, logit)| logit.is_finite()).collect();
        all.sort_by(by_rank);
        all
    }

    #[test]
    fn eighths_are_the_betas() {
        assert_eq!(EIGHTHS.map(|n| f64::from(n) / 8.0), BETAS);
    }

    proptest! {
        #[test]
        fn partial_selection_is_a_prefix_of_the_sort(logits in logits(), n in 1usize..200) {
            let mut expected = sorted(&logits);
            expected.truncate(n);
            prop_assert_eq!(best(&logits, n), expected);
        }

        #[test]
        fn the_rest_weighs_what_its_logits_do(logits in logits(), n in 1usize..40) {
            let all = sorted(&logits);
            let Some(&last) = all.get(n - 1) else { return Ok(()) };
            let found = rest(&logits, last);
            prop_assert_eq!(found.count, all.len() - n);
            for (beta, found) in BETAS.iter().zip(&found.log_sum_exp) {
                let plain: f64 = all[n..].iter().map(|scored| (beta * f64::from(scored.1)).exp()).sum();
                prop_assert!((plain.ln() - found).abs() < 1e-9, "{} {}", plain.ln(), found);
            }
        }
    }
}
