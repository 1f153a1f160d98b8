//! Logits in blocks of a fixed length, so that every sum over them has one shape and one order. Called by the sampler's rooms only.

use siskin_simd::{Work, widest};

/// Logits that are looked at side by side, each with a running sum of its own: the same number on every CPU, and enough that the compiler makes
/// one loop of terms and sums, with vectors of any width.
pub(super) const BLOCK: usize = 64;

/// What a sum adds up: numbers for each logit. Must be `#[inline(always)]`, as all that [`Work`] calls must be; a closure cannot be, and where the
/// compiler chose not to inline one, a sum took eight times as long.
pub(super) trait Term<const N: usize>: Copy {
    /// The numbers of one logit.
    fn of(self, logit: f32) -> [f64; N];
}

/// Logits that come in blocks; -inf stands where there is none.
pub(super) trait Blocks {
    /// How many blocks there are.
    fn blocks(&self) -> usize;

    /// One of them. Every logit is in one block.
    fn block(&self, index: usize) -> [f32; BLOCK];

    /// All of them as they stand in memory, if they do: the same blocks, in less time.
    fn plain(&self) -> Option<&[f32]> {
        None
    }

    /// The sums of `term`'s values over all logits, each by [`BLOCK`] running sums that are added at the end.
    fn sums_of<const N: usize>(&self, term: impl Term<N>) -> [f64; N] {
        match self.plain() {
            Some(logits) => widest(Sum { blocks: logits, term }),
            None => widest(Sum { blocks: self, term }),
        }
    }

    /// The largest logit; -inf if there is none.
    fn largest(&self) -> f32 {
        widest(Largest(self))
    }

    /// How many logits are above -inf.
    fn count(&self) -> f64 {
        match self.plain() {
            Some(logits) => widest(Count(logits)),
            None => widest(Count(self)),
        }
    }
}

/// What a logit below +inf adds to the number of those above -inf.
#[inline(always)]
pub(super) fn one_if_finite(logit: f32) -> f64 {
    f64::from(u8::from(logit > f32::NEG_INFINITY))
}

/// Sums over all logits of some blocks.
struct Sum<'a, B: ?Sized, T, const N: usize> {
    blocks: &'a B,
    term: T,
}

impl<const N: usize, B: Blocks + ?Sized, T: Term<N>> Work for Sum<'_, B, T, N> {
    type Output = [f64; N];

    /// A loop without a branch or a dependency between neighbours, which the compiler turns into vector code of any width, with the same result.
    #[inline(always)]
    fn run(self) -> [f64; N] {
        let mut sums = [[0.0; BLOCK]; N];
        for index in 0..self.blocks.blocks() {
            let block = self.blocks.block(index);
            for i in 0..BLOCK {
                let term = self.term.of(block[i]);
                (0..N).for_each(|n| sums[n][i] += term[n]);
            }
        }
        sums.map(|lanes| lanes.iter().sum())
    }
}

/// The largest of all logits of some blocks.
struct Largest<'a, B: ?Sized>(&'a B);

impl<B: Blocks + ?Sized> Work for Largest<'_, B> {
    type Output = f32;

    #[inline(always)]
    fn run(self) -> f32 {
        let mut peaks = [f32::NEG_INFINITY; BLOCK / 2];
        for index in 0..self.0.blocks() {
            for lanes in self.0.block(index).as_chunks::<{ BLOCK / 2 }>().0 {
                peaks.iter_mut().zip(lanes).for_each(|(peak, &x)| *peak = if x > *peak { x } else { *peak });
            }
        }
        peaks.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

/// How many logits of some blocks are above -inf.
struct Count<'a, B: ?Sized>(&'a B);

impl<B: Blocks + ?Sized> Work for Count<'_, B> {
    type Output = f64;

    #[inline(always)]
    fn run(self) -> f64 {
        let mut counts = [0u32; BLOCK];
        for index in 0..self.0.blocks() {
            let block = self.0.block(index);
            (0..BLOCK).for_each(|i| counts[i] += u32::from(block[i] > f32::NEG_INFINITY));
        }
        counts.into_iter().map(f64::from).sum()
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
