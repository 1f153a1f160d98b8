//! Logits in blocks of a fixed length, so that every sum over them has one shape and one order. Called by the sampler's rooms only.

use siskin_simd::{Work, widest};

/// Logits that are looked at side by side. A block of f64 weights, 512 bytes, stays in the first-level cache.
pub(super) const BLOCK: usize = 64;
/// Running sums of a block: enough for the widest vector registers, and the same number on every CPU.
pub(super) const LANES: usize = 8;

/// Logits that come in blocks; -inf stands where there is none.
pub(super) trait Blocks {
    /// How many blocks there are.
    fn blocks(&self) -> usize;

    /// One of them. Every logit is in one block.
    fn block(&self, index: usize) -> [f32; BLOCK];

    /// The sums of `term`'s values over all logits, each by [`LANES`] running sums that are added at the end.
    #[inline]
    fn sums_of<const N: usize>(&self, term: impl Fn(f32) -> [f64; N]) -> [f64; N] {
        widest(Sum { blocks: self, term })
    }

    /// The sum of `term` over all logits, likewise.
    #[inline]
    fn sum_of(&self, term: impl Fn(f32) -> f64) -> f64 {
        let [sum] = self.sums_of(|logit| [term(logit)]);
        sum
    }

    /// The largest logit; -inf if there is none.
    fn largest(&self) -> f32 {
        let mut peaks = [f32::NEG_INFINITY; 2 * LANES];
        for index in 0..self.blocks() {
            for lanes in self.block(index).as_chunks::<{ 2 * LANES }>().0 {
                peaks.iter_mut().zip(lanes).for_each(|(peak, &x)| *peak = if x > *peak { x } else { *peak });
            }
        }
        peaks.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }

    /// How many logits are above -inf.
    fn count(&self) -> f64 {
        self.sum_of(one_if_finite)
    }
}

/// What a logit below +inf adds to the number of those above -inf.
#[inline(always)]
pub(super) fn one_if_finite(logit: f32) -> f64 {
    f64::from(u8::from(logit > f32::NEG_INFINITY))
}

/// Sums over all logits of some blocks.
struct Sum<'a, B: ?Sized, F> {
    blocks: &'a B,
    term: F,
}

impl<const N: usize, B: Blocks + ?Sized, F: Fn(f32) -> [f64; N]> Work for Sum<'_, B, F> {
    type Output = [f64; N];

    /// Terms are computed a block at a time and then added: two loops without a branch or a dependency between neighbours, which the
    /// compiler turns into vector code of any width, with the same result.
    #[inline(always)]
    fn run(self) -> [f64; N] {
        let mut sums = [[0.0; LANES]; N];
        for index in 0..self.blocks.blocks() {
            let block = self.blocks.block(index);
            let mut terms = [[0.0; BLOCK]; N];
            for i in 0..BLOCK {
                let term = (self.term)(block[i]);
                (0..N).for_each(|n| terms[n][i] = term[n]);
            }
            for n in 0..N {
                for lanes in terms[n].as_chunks::<LANES>().0 {
                    (0..LANES).for_each(|lane| sums[n][lane] += lanes[lane]);
                }
            }
        }
        sums.map(|lanes| lanes.iter().sum())
    }
}

impl Blocks for [f32] {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.len().div_ceil(BLOCK)
    }

    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        let rest = self.get(index * BLOCK..).unwrap_or_default();
        if let Some(block) = rest.first_chunk() {
            return *block;
        }
        let mut last = [f32::NEG_INFINITY; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        last
    }
}
