//! Softmax weights `e^((logit - peak) / T)` and their sums; called by the sampler and its filters only.
//!
//! A weight is a probability not yet divided by the sum of all of them. Weights are f64 made of additions and
//! multiplications only, and [`Weights::sum`] adds in one fixed order: given the same logits, every CPU and
//! every C library yields the same bits, which the platform's own `exp` does not promise.

use super::blocks::{Blocks, one_if_finite};
use std::f64::consts::{LOG2_E, SQRT_2};

/// The exponential weights of logits at one temperature, scaled so that the largest is 1.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// The largest logit: subtracted first, so that nothing overflows.
    peak: f64,
    /// The inverse temperature. Finite, because the reciprocal of any f32 above 0 fits in f64.
    beta: f64,
}

/// Sums over a distribution.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moments {
    /// The sum of all weights.
    pub(super) total: f64,
    /// The mean exponent, each counted by its probability.
    pub(super) mean: f64,
    /// How many logits are above -inf.
    pub(super) count: f64,
}

impl Moments {
    /// The entropy `-sum p ln p` in nats, at least 0: with `p = weight / total`, `-ln p` is `ln total - exponent`.
    pub(super) fn entropy(self) -> f64 {
        (ln(self.total) - self.mean).max(0.0)
    }
}

impl Weights {
    /// Weights relative to the logit `peak` at a `temperature` above 0.
    pub(super) fn new(peak: f32, temperature: f32) -> Weights {
        Weights { peak: f64::from(peak), beta: f64::from(temperature).recip() }
    }

    /// The same logits weighed at another temperature.
    pub(super) fn at(self, temperature: f64) -> Weights {
        Weights { beta: temperature.recip(), ..self }
    }

    /// The weight of one logit, in `[0, 1]`; 0 for -inf.
    #[inline(always)]
    pub(super) fn of(self, logit: f32) -> f64 {
        exp(self.exponent(logit))
    }

    /// The same temperature, relative to another largest logit.
    pub(super) fn from(self, peak: f32) -> Weights {
        Weights { peak: f64::from(peak), ..self }
    }

    /// What logits are divided by.
    pub(super) fn temperature(self) -> f64 {
        self.beta.recip()
    }

    /// `x = (logit - peak) / T`, the natural log of the weight.
    #[inline(always)]
    pub(super) fn exponent(self, logit: f32) -> f64 {
        (f64::from(logit) - self.peak) * self.beta
    }

    /// The weight of all `logits`, in `[1, count]` when the peak is one of them.
    #[inline]
    pub(super) fn sum(self, logits: &(impl Blocks + ?Sized)) -> f64 {
        logits.sum_of(|logit| self.of(logit))
    }

    /// What one pass over all `logits` tells.
    pub(super) fn moments(self, logits: &(impl Blocks + ?Sized)) -> Moments {
        let term = |logit| {
            let x = self.exponent(logit);
            let weight = exp(x);
            // The second keeps -inf out of the product.
            [weight, weight * x.max(SMALLEST), one_if_finite(logit)]
        };
        let [total, weighted, count] = logits.sums_of(term);
        Moments { total, mean: weighted / total, count }
    }

    /// `ln softmax(logits)[i]` (natural log) for the logit `i`, when all logits together weigh `total`.
    pub(super) fn log_probability(self, logit: f32, total: f64) -> f32 {
        (self.exponent(logit) - ln(total)) as f32
    }

    /// A logit that everything in the best `fraction` of the mass lies above, for `count` logits weighing `total`.
    ///
    /// All logits below `peak - T * w` weigh less than `count * e^-w` together. With
    /// `w = ln(count / ((1 - fraction) * total))` that is `(1 - fraction) * total`, so the logits above hold
    /// `fraction * total` without them. The small addition to `w` covers the rounding of the sums.
    pub(super) fn floor(self, fraction: f64, count: usize, total: f64) -> f32 {
        let width = ln(count as f64 / ((1.0 - fraction) * total)) + 1e-6;
        self.below_peak(width)
    }

    /// The largest f32 that certainly lies under `peak - T * width`.
    pub(super) fn below_peak(self, width: f64) -> f32 {
        ((self.peak - width / self.beta) as f32).next_down()
    }

    /// Whether a logit weighs at least `e^log_ratio` times as much as the largest.
    pub(super) fn at_least(self, logit: f32, log_ratio: f64) -> bool {
        self.exponent(logit) >= log_ratio
    }
}

/// Below this, `e^x` counts as 0: added to a sum of at least 1 it would change nothing.
const SMALLEST: f64 = -700.0;
/// `1.5 * 2^52`: adding it leaves the nearest integer in the low bits of an f64.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// `ln 2` in two parts; the first has 32 trailing zero bits, so that `k * LN_2_HIGH` is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
/// The polynomial of degree 6 that equals `(2^(f / 4) - 1) / f` at Chebyshev's seven nodes of `[-1/2, 1/2]`, the highest power first.
const QUARTER_POWER: [f64; 7] = [
    9.311_228_705_983_226e-10,
    3.761_509_858_361_155e-8,
    1.302_105_266_501_655_7e-6,
    3.757_081_572_373_81e-5,
    8.672_516_978_885_008e-4,
    1.501_415_668_497_826_2e-2,
    1.732_867_951_399_863_2e-1,
];

/// `e^x` for `x <= 0`, within a relative error of `1e-14 + 4e-16 |x|`, the latter no more than rounding `x` costs; exactly 1 at 0 and exactly 0
/// under [`SMALLEST`].
///
/// `e^x = 2^k 2^f` with an integer `k` and `|f| <= 1/2`; `2^f` is the fourth power of a polynomial, which is off by less than 6e-15, and
/// `2^k` is written into the exponent bits (W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980). No branch and no
/// table, so that the compiler can run it on several logits at once: this is what sampling from a whole vocabulary spends its time on.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let y = x * LOG2_E;
    let shifted = y + ROUND;
    let f = y - (shifted - ROUND);
    let quarter = QUARTER_POWER.iter().fold(0.0, |sum, c| sum * f + c) * f + 1.0;
    let half = quarter * quarter;
    let two_k = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    if x < SMALLEST { 0.0 } else { half * half * two_k }
}

/// `ln x` for normal `x > 0`, within `2e-15` and a relative error of as much; the same bits on every CPU.
///
/// `x = 2^k m` with `m` in `(1 / sqrt 2, sqrt 2]`, and `ln m = 2 atanh s` with `s = (m - 1) / (m + 1)`, `|s| < 0.172`, by its Taylor
/// polynomial (Cody and Waite, as above).
pub(super) fn ln(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mantissa = f64::from_bits(x.to_bits() & !(0x7FF << 52) | 1023 << 52);
    let above = mantissa > SQRT_2;
    let m = if above { mantissa / 2.0 } else { mantissa };
    let k = f64::from(exponent + i32::from(above));
    let s = (m - 1.0) / (m + 1.0);
    let atanh = (0..12).rev().fold(0.0, |sum, n| sum * s * s + 1.0 / f64::from(2 * n + 1)) * s;
    k * LN_2_HIGH + (2.0 * atanh + k * LN_2_LOW)
}

#[cfg(test)]
mod tests {
    use super::super::blocks::BLOCK;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exp_at_its_borders() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(SMALLEST.next_down()), 0.0);
        assert!(exp(SMALLEST) > 0.0);
    }

    #[test]
    fn sum_of_any_length_counts_each_logit_once() {
        for length in 1..=3 * BLOCK {
            assert_eq!(Weights::new(3.0, 1.0).sum(vec![3.0; length].as_slice()), length as f64);
        }
    }

    #[test]
    fn extreme_temperatures_stay_finite() {
        let smallest = f32::from_bits(1);
        for temperature in [smallest, f32::MIN_POSITIVE, 1.0, f32::MAX] {
            let weights = Weights::new(f32::MAX, temperature);
            assert_eq!(weights.of(f32::MAX), 1.0);
            assert!((0.0..=1.0).contains(&weights.of(f32::MIN)));
            assert_eq!(weights.of(f32::NEG_INFINITY), 0.0);
        }
    }

    proptest! {
        #[test]
        fn exp_is_as_near_as_it_says(x in prop_oneof![SMALLEST..0.0, -1.0..0.0]) {
            let (expected, bound) = (x.exp(), 1e-14 + 4e-16 * x.abs());
            prop_assert!((exp(x) - expected).abs() <= bound * expected, "{} {}", exp(x), expected);
        }

        #[test]
        fn ln_is_within_2e_15(x in -700.0f64..700.0) {
            let x = x.exp();
            prop_assert!((ln(x) - x.ln()).abs() <= 2e-15 * (1.0 + x.ln().abs()), "{} {}", ln(x), x.ln());
        }

        #[test]
        fn nothing_of_the_best_fraction_lies_under_the_floor(
            mut logits in prop::collection::vec(-30.0f32..30.0, 1..300),
            fraction in 0.0f64..0.9999,
            temperature in 0.05f32..5.0,
        ) {
            logits.sort_by(|a, b| b.total_cmp(a));
            let weights = Weights::new(logits[0], temperature);
            let total = weights.sum(logits.as_slice());
            let floor = weights.floor(fraction, logits.len(), total);
            let mut mass = 0.0;
            for &logit in &logits {
                prop_assert!(logit > floor || mass >= fraction * total, "{logit} {floor}");
                mass += weights.of(logit);
            }
        }
    }
}
