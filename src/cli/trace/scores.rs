//! Which tokens are the likeliest, of all or of those that are allowed, and what the others weigh: arithmetic on logits. Used by `capture`.

use super::record::Rest;
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

/// The logits of a position, or those of its tokens that are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'l> {
    /// All of them.
    pub logits: &'l [f32],
    /// Bits of a [`TokenSet`](siskin::sample::TokenSet); `None` for all.
    pub allowed: Option<&'l [u32]>,
}

impl<'l> Scores<'l> {
    /// All of them.
    pub fn all(logits: &'l [f32]) -> Scores<'l> {
        Scores { logits, allowed: None }
    }

    /// The finite ones, in order of id.
    pub fn finite(self) -> impl Iterator<Item = Scored> {
        let is_allowed = move |token: u32| {
            self.allowed.is_none_or(|words| {
                words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
            })
        };
        let all = (0..).zip(self.logits.iter().copied());
        all.filter(move |&(token, logit)| logit.is_finite() && is_allowed(token))
    }
}

/// The `n` best, in order of rank. Linear in the vocabulary: a logit enters if it beats the `n`-th best so far, and the list is cut back
/// to `n` by partial selection whenever it is twice as long.
pub fn best(scores: Scores<'_>, n: usize) -> Vec<Scored> {
    let room = n.saturating_mul(2).max(64).min(scores.logits.len());
    let mut list: Vec<Scored> = Vec::with_capacity(room);
    let mut floor = f32::NEG_INFINITY;
    for (token, logit) in scores.finite() {
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
pub fn rest(scores: Scores<'_>, last: Scored) -> Rest {
    let others = || scores.finite().filter(|scored| by_rank(&last, scored) == Ordering::Less);
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
    Rest { count, forbidden: 0, log_sum_exp }
}

/// The allowed ones that it takes beside the best of all for as many of the best allowed ones to be there.
pub fn further(allowed: Scores<'_>, likeliest: &[Scored]) -> Vec<Scored> {
    let Some(last) = likeliest.last().filter(|_| allowed.allowed.is_some()) else { return Vec::new() };
    let mut found = best(allowed, likeliest.len());
    found.retain(|scored| by_rank(last, scored) == Ordering::Less);
    found
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Logits with ties, both zeros and masked tokens.
    pub fn logits() -> impl Strategy<Value = Vec<f32>> {
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
            prop_assert_eq!(best(Scores::all(&logits), n), expected);
        }

        #[test]
        fn the_rest_weighs_what_its_logits_do(logits in logits(), n in 1usize..40) {
            let all = sorted(&logits);
            let Some(&last) = all.get(n - 1) else { return Ok(()) };
            let found = rest(Scores::all(&logits), last);
            prop_assert_eq!(found.count, all.len() - n);
            for (beta, found) in BETAS.iter().zip(&found.log_sum_exp) {
                let plain: f64 = all[n..].iter().map(|scored| (beta * f64::from(scored.1)).exp()).sum();
                prop_assert!((plain.ln() - found).abs() < 1e-9, "{} {}", plain.ln(), found);
            }
        }
    }
}
