//! A histogram of weights by logit: what each of many narrow ranges of logits, the bins, weighs. Called by candidates and filters.
//!
//! Where probability is spread over many tokens, one pass over all of them tells within which few a border lies, and what the others weigh exactly.

use super::blocks::{BLOCK, Blocks, Term};
use super::rank::largest_not;
use siskin_simd::{Work, widest};
use std::ops::Range;

/// How many bins there are.
const BINS: usize = 256;

/// Running sums of each bin, so that one logit need not wait for the one before where they are in the same bin.
const LANES: usize = 4;

/// Length of their memory: a little more than needed, because CPUs mistake what lies 4096 bytes apart for the same.
const LANE: usize = BINS + 8;

/// What each bin weighs, that of the highest logits first.
type Bins = [f64; BINS];

/// Which logit is in which bin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    peak: f32,
    /// Bins in a distance of 1.
    density: f32,
}

impl Scale {
    /// Bins of equal width from the largest logit to `low`; what is lower is in the last one.
    pub(super) fn new(peak: f32, low: f32) -> Scale {
        Scale { peak, density: LAST / (peak - low) }
    }

    /// The bin of a logit up to the peak: the nearest integer to its distance. Never a lower one for a lower logit, because each rounding keeps the order.
    #[inline(always)]
    fn bin(self, logit: f32) -> u8 {
        // The integer is in the low bits of the sum.
        const ROUND: f32 = (1 << (f32::MANTISSA_DIGITS - 1)) as f32;
        let distance = (self.peak - logit) * self.density;
        let distance = if distance < LAST { distance } else { LAST };
        (distance + ROUND).to_bits() as u8
    }
}

const LAST: f32 = (BINS - 1) as f32;

/// What each bin of a scale weighs.
#[derive(Debug)]
pub(super) struct Histogram {
    scale: Scale,
    bins: Bins,
}

impl Histogram {
    /// The sums of `term`'s values over all logits, and what the first of them, the weight, comes to in each bin. The sum of the weights is that of the
    /// bins.
    pub(super) fn with_sums<const N: usize>(
        blocks: &(impl Blocks + ?Sized),
        term: impl Term<N>,
        scale: Scale,
    ) -> ([f64; N], Histogram) {
        let (sums, bins) = match blocks.plain() {
            Some(logits) => widest(Spread { blocks: logits, term, scale }),
            None => widest(Spread { blocks, term, scale }),
        };
        (sums, Histogram { scale, bins })
    }

    /// What some bins weigh.
    pub(super) fn mass(&self, bins: Range<usize>) -> f64 {
        self.bins[bins].iter().sum()
    }

    /// The logits of some bins: those above the first number, up to the second.
    pub(super) fn logits(&self, bins: Range<usize>) -> (f32, f32) {
        let Scale { peak, .. } = self.scale;
        let lower_end = |bin: usize| match bin {
            0 => f32::INFINITY,
            BINS.. => f32::NEG_INFINITY,
            _ => largest_not(|logit| logit > peak || usize::from(self.scale.bin(logit)) < bin),
        };
        (lower_end(bins.end), lower_end(bins.start))
    }

    /// The first bin with which the mass reaches `target`, and the mass before it.
    pub(super) fn reach(&self, target: f64) -> Option<(usize, f64)> {
        let mut above = 0.0;
        for (bin, mass) in self.bins.iter().enumerate() {
            if above + mass >= target {
                return Some((bin, above));
            }
            above += mass;
        }
        None
    }

    /// Which bins certainly are among those nearest to the logit that lies `below` the peak, up to a mass of `target`, and which may be.
    pub(super) fn reach_around(&self, below: f64, target: f64) -> Option<(Range<usize>, Range<usize>)> {
        let place = below * f64::from(self.scale.density);
        let distance = |bin: usize| (bin as f64 - place).abs();
        let start = (place.round() as usize).min(BINS - 1);
        let (mut last, mut around, mut mass) = (start, start..start + 1, self.bins[start]);
        while mass < target && around.end < BINS {
            let is_higher = around.start > 0 && distance(around.start - 1) <= distance(around.end);
            last = if is_higher { around.start - 1 } else { around.end };
            around = around.start.min(last)..around.end.max(last + 1);
            mass += self.bins[last];
        }
        // A logit is up to half a bin nearer or further than the middle of its bin, and the border up to half a bin off the middle of the last one; the rest
        // covers rounding.
        let within = |reach: f64| {
            let (first, end) = ((place - reach).ceil() as usize, (place + reach).floor() as usize + 1);
            if reach < 0.0 || first >= end { start..start } else { first..end.min(BINS) }
        };
        // Logits in the last bin may be as far away as they like.
        let is_known = around.end < BINS && mass >= target;
        is_known.then(|| (within(distance(last) - 1.01), within(distance(last) + 1.01)))
    }
}

/// Sums over all logits of some blocks and over each bin.
struct Spread<'a, B: ?Sized, T, const N: usize> {
    blocks: &'a B,
    term: T,
    scale: Scale,
}

impl<const N: usize, B: Blocks + ?Sized, T: Term<N>> Work for Spread<'_, B, T, N> {
    type Output = ([f64; N], Bins);

    /// The compiler makes vector code of terms and bins. Weights are added to bins one by one, and those of the block before, so that the CPU does it beside the
    /// arithmetic.
    #[inline(always)]
    fn run(self) -> ([f64; N], Bins) {
        let mut sums = [[0.0; BLOCK]; N];
        let mut lanes = [[0.0; LANE]; LANES];
        let (mut weights, mut bins) = ([[0.0; STEP]; STEPS], [[0; STEP]; STEPS]);
        for index in 0..self.blocks.blocks() {
            let block = self.blocks.block(index);
            for (step, logits) in block.as_chunks::<STEP>().0.iter().enumerate() {
                add_to_bins(&mut lanes, &weights[step], &bins[step]);
                for i in 0..STEP {
                    let term = self.term.of(logits[i]);
                    (1..N).for_each(|n| sums[n][step * STEP + i] += term[n]);
                    (weights[step][i], bins[step][i]) = (term[0], self.scale.bin(logits[i]));
                }
            }
        }
        (0..STEPS).for_each(|step| add_to_bins(&mut lanes, &weights[step], &bins[step]));
        let bins = std::array::from_fn(|bin| lanes.iter().map(|lane| lane[bin]).sum());
        let total = |n: usize| if n == 0 { &bins[..] } else { &sums[n] };
        (std::array::from_fn(|n| total(n).iter().sum()), bins)
    }
}

/// Logits whose weights are added to bins between the arithmetic for as many others.
const STEP: usize = 16;
const STEPS: usize = BLOCK / STEP;

#[inline(always)]
fn add_to_bins(lanes: &mut [[f64; LANE]; LANES], weights: &[f64; STEP], bins: &[u8; STEP]) {
    for (weights, bins) in weights.as_chunks::<LANES>().0.iter().zip(bins.as_chunks::<LANES>().0) {
        for (lane, (weight, bin)) in lanes.iter_mut().zip(weights.iter().zip(bins)) {
            lane[usize::from(*bin)] += weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bins_are_of_equal_width_from_the_peak_down() {
        let scale = Scale::new(10.0, -41.0);
        let bins =
            [10.0, 9.92, 9.8, 0.0, -40.8, -41.0, -1e30, f32::NEG_INFINITY].map(|logit| scale.bin(logit));
        assert_eq!(bins, [0, 0, 1, 50, 254, 255, 255, 255]);
    }

    /// Bins a distance of 1 wide.
    fn of(bins: Bins) -> Histogram {
        Histogram { scale: Scale::new(LAST, 0.0), bins }
    }

    #[test]
    fn a_mass_is_reached_by_the_bin_that_completes_it() {
        let mut bins = [0.0; BINS];
        (bins[3], bins[7]) = (1.0, 2.0);
        let histogram = of(bins);
        assert_eq!(histogram.reach(1.0), Some((3, 0.0)));
        assert_eq!(histogram.reach(1.5), Some((7, 1.0)));
        assert_eq!(histogram.reach(3.0), Some((7, 1.0)));
        assert_eq!(histogram.reach(3.5), None);
    }

    proptest! {
        /// Against a sort of what is in the bins, with masses that add up exactly.
        #[test]
        fn what_is_near_a_place_is_found_by_bins(
            logits in prop::collection::vec((0.0f64..300.0, 0u8..9), 1..300),
            place in 0.0f64..300.0,
            share in 0.01f64..1.0,
        ) {
            let bin = |x: f64| (x.round() as usize).min(BINS - 1);
            let mut bins = [0.0; BINS];
            logits.iter().for_each(|(x, mass)| bins[bin(*x)] += f64::from(*mass));
            let target = (share * bins.iter().sum::<f64>()).ceil().max(1.0);
            let mut sorted = logits.clone();
            sorted.sort_by(|(a, _), (b, _)| (a - place).abs().total_cmp(&(b - place).abs()));
            let mut mass = 0.0;
            let needed = sorted.iter().take_while(|(_, own)| {
                mass += f64::from(*own);
                mass - f64::from(*own) < target
            });
            let needed = needed.count();
            let furthest = (sorted[needed - 1].0 - place).abs();
            let Some((inner, outer)) = of(bins).reach_around(place, target) else {
                // The last bin, or one beside it, may be needed.
                prop_assert!(place + furthest > LAST as f64 - 2.0 || mass < target);
                return Ok(());
            };
            for (at, (x, _)) in sorted.iter().enumerate() {
                prop_assert!(at >= needed || outer.contains(&bin(*x)), "{x} is missing");
                prop_assert!(at < needed || !inner.contains(&bin(*x)), "{x} is too much");
            }
            prop_assert!(inner.is_empty() || (outer.start <= inner.start && inner.end <= outer.end));
            prop_assert!(outer.len() - inner.len() <= 8, "{inner:?} {outer:?}");
        }
    }
}
