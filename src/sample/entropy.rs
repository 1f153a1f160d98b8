//! How undecided a distribution is; called by the session for conditions that ask for it.

use super::Distribution;

/// Entropy in nats of the softmax over `logits` at temperature 1: `-sum p_i ln p_i` (Shannon 1948), from 0 to `ln n`.
///
/// As [`Distribution::entropy`], for callers that want nothing else of the distribution. A logit of -inf adds nothing. NaN when a
/// logit is NaN or +inf, or when all are -inf.
///
/// ```
/// let even = siskin::sample::entropy(&[1.0; 8]);
/// assert!((even - 8f32.ln()).abs() < 1e-6);
/// assert_eq!(siskin::sample::entropy(&[0.0, f32::NEG_INFINITY]), 0.0);
/// ```
pub fn entropy(logits: &[f32]) -> f32 {
    Distribution::new(logits, 0).map_or(f32::NAN, |distribution| distribution.entropy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn unusable_logits_have_none() {
        for logits in [&[f32::NAN, 1.0][..], &[f32::INFINITY], &[f32::NEG_INFINITY], &[]] {
            assert!(entropy(logits).is_nan(), "{logits:?}");
        }
    }

    proptest! {
        #[test]
        fn equals_the_definition(logits in prop::collection::vec(-40.0f32..40.0, 1..200)) {
            let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
            let expected: f64 = logits.iter().map(|l| f64::from(*l).exp() / total).map(|p| -p * p.ln()).sum();
            prop_assert!((f64::from(entropy(&logits)) - expected).abs() < 1e-5, "{} {expected}", entropy(&logits));
        }
    }
}
