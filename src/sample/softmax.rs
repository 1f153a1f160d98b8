//! Softmax weights `e^((logit - peak) / T)` and their sums; called by the sampler and its filters only.
//!
//! A weight is a probability not yet divided by the sum of all of them. Weights have the same bits on every CPU (`elementary.rs`), and
//! [`Weights::sum`] adds in one fixed order: so do sums, given the same logits.

use super::blocks::{BLOCK, Blocks, Term};
use super::elementary::{SMALLEST_POWER, exp, ln, power, rough_power};
use super::histogram::{Histogram, Scale};
use siskin_simd::{Work, widest};
use std::f64::consts::{LN_2, LOG2_E};

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

    /// Bins for logits from the peak to `low`.
    pub(super) fn scale(self, low: f32) -> Scale {
        Scale::new(self.peak as f32, low)
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

    /// The weight of one logit as a power of 2, for sums of at least 1: what weighs nothing gets a power that makes no difference there.
    #[inline(always)]
    fn power_of(self, logit: f32) -> f64 {
        let y = (f64::from(logit) - self.peak) * (self.beta * LOG2_E);
        if y > SMALLEST_POWER { y } else { SMALLEST_POWER }
    }

    /// The weight of all `logits`, in `[1, count]` when the peak is one of them.
    pub(super) fn sum(self, logits: &(impl Blocks + ?Sized)) -> f64 {
        let [sum] = logits.sums_of(Weight(self));
        sum
    }

    /// Numbers that the sum of all `logits` lies between, at a quarter of the time that the sum takes.
    pub(super) fn bounds(self, logits: &(impl Blocks + ?Sized)) -> (f64, f64) {
        // Single precision is not enough for other temperatures, nor for more logits.
        if !(1e-3..1e3).contains(&self.beta) || logits.blocks() > 1 << 13 {
            let sum = self.sum(logits);
            return (sum, sum);
        }
        let sum = widest(Rough { logits, peak: self.peak as f32, beta: (self.beta * LOG2_E) as f32 });
        (sum * (1.0 - ROUGHNESS), sum * (1.0 + ROUGHNESS))
    }

    /// What one pass over all `logits` tells.
    pub(super) fn moments(self, logits: &(impl Blocks + ?Sized)) -> Moments {
        let [total, weighted] = logits.sums_of(WeightAndPower(self));
        Moments { total, mean: weighted / total * LN_2 }
    }

    /// The same sum, and what it comes to in each bin.
    pub(super) fn sum_by_bin(self, logits: &(impl Blocks + ?Sized), scale: Scale) -> (f64, Histogram) {
        let ([sum], histogram) = Histogram::with_sums(logits, Weight(self), scale);
        (sum, histogram)
    }

    /// The same moments, and what each bin weighs.
    pub(super) fn moments_by_bin(
        self,
        logits: &(impl Blocks + ?Sized),
        scale: Scale,
    ) -> (Moments, Histogram) {
        let ([total, weighted], histogram) = Histogram::with_sums(logits, WeightAndPower(self), scale);
        (Moments { total, mean: weighted / total * LN_2 }, histogram)
    }

    /// `ln softmax(logits)[i]` (natural log) for the logit `i`, when all logits together weigh `total`.
    pub(super) fn log_probability(self, logit: f32, total: f64) -> f32 {
        (self.exponent(logit) - ln(total)) as f32
    }

    /// How far below the peak, in units of the temperature, everything in the best `fraction` of the mass lies at most, for `count` logits
    /// weighing `total`.
    ///
    /// All logits below `peak - T * w` weigh less than `count * e^-w` together. With
    /// `w = ln(count / ((1 - fraction) * total))` that is `(1 - fraction) * total`, so the logits above hold
    /// `fraction * total` without them. The small addition to `w` covers the rounding of the sums.
    pub(super) fn width(fraction: f64, count: usize, total: f64) -> f64 {
        ln(count as f64 / ((1.0 - fraction) * total)) + 1e-6
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

/// The weight of a logit, for sums of at least 1.
#[derive(Clone, Copy)]
struct Weight(Weights);

impl Term<1> for Weight {
    #[inline(always)]
    fn of(self, logit: f32) -> [f64; 1] {
        [power(self.0.power_of(logit))]
    }
}

/// The weight `2^y`, and `y` as often as it weighs.
#[derive(Clone, Copy)]
struct WeightAndPower(Weights);

impl Term<2> for WeightAndPower {
    #[inline(always)]
    fn of(self, logit: f32) -> [f64; 2] {
        let y = self.0.power_of(logit);
        let weight = power(y);
        [weight, weight * y]
    }
}

/// The most by which [`Rough`] is off, relatively: its polynomial by 5e-5, exponents down to -127 rounded to single precision by 4e-5, and the sum of
/// up to 2^13 terms in each of [`BLOCK`] lanes by 5e-4.
const ROUGHNESS: f64 = 1e-3;

/// A sum of weights in single precision, for decisions that hardly ever need more.
struct Rough<'a, B: ?Sized> {
    logits: &'a B,
    peak: f32,
    /// The inverse temperature, for powers of 2.
    beta: f32,
}

impl<B: Blocks + ?Sized> Work for Rough<'_, B> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut sums = [0.0; BLOCK];
        for index in 0..self.logits.blocks() {
            let block = self.logits.block(index);
            (0..BLOCK).for_each(|i| sums[i] += rough_power((block[i] - self.peak) * self.beta));
        }
        sums.into_iter().map(f64::from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::blocks::BLOCK;
    use super::*;
    use proptest::prelude::*;

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

    #[test]
    fn bounds_are_no_wider_than_they_say() {
        let logits: Vec<f32> =
            (0..500_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 128.0).collect();
        for temperature in [1e-4, 0.01, 0.7, 1.0, 30.0, 900.0, 1e5] {
            let weights = Weights::new(32.0, temperature);
            let (sum, (low, high)) = (weights.sum(logits.as_slice()), weights.bounds(logits.as_slice()));
            assert!(low <= sum && sum <= high && high <= low * 1.0021, "{low} {sum} {high}");
        }
    }

    proptest! {
        #[test]
        fn sums_lie_within_their_bounds(
            mut logits in prop::collection::vec(prop_oneof![-90.0f32..0.0, -1.0f32..0.0, Just(f32::NEG_INFINITY)], 1..300),
            temperature in 1e-4f32..2e3,
            peak in -1e3f32..1e3,
        ) {
            logits.iter_mut().for_each(|logit| *logit += peak);
            let weights = Weights::new(logits.iter().copied().fold(peak, f32::max), temperature);
            logits.push(weights.peak as f32);
            let (sum, (low, high)) = (weights.sum(logits.as_slice()), weights.bounds(logits.as_slice()));
            prop_assert!(low <= sum && sum <= high, "{low} {sum} {high}");
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
            let floor = weights.below_peak(Weights::width(fraction, logits.len(), total));
            let mut mass = 0.0;
            for &logit in &logits {
                prop_assert!(logit > floor || mass >= fraction * total, "{logit} {floor}");
                mass += weights.of(logit);
            }
        }
    }
}
