//! Rows of keys and values that are stored as blocks of 32: products with them, sums of them, and storing them.
//!
//! What they meet stays float: nothing but the rows is quantized. A block's quants become floats in registers, and its scale meets their
//! sum, or the weight of their row.

use crate::block::{Block, BlockQ4_0, BlockQ8_0, blocks, f16_to_f32, f32_to_f16};
use pulp::{Simd, WithSimd};

/// Values of a block.
const LEN: usize = 32;

/// Sums of a row's values run in this many lanes, in an order that is the same on every CPU.
const PARTS: usize = 8;

/// A format of 32 quants and one scale, that keys and values can be stored in.
pub(crate) trait Cached: Block {
    /// What the quants are multiplied with.
    fn scale(&self) -> f32;

    /// The quants.
    fn quants(&self) -> [f32; LEN];

    /// The block that comes near to some values. Values that are no numbers, or too large for a scale in half precision, make all of it no
    /// number.
    fn near(x: &[f32; LEN]) -> Self;
}

impl Cached for BlockQ8_0 {
    #[inline(always)]
    fn scale(&self) -> f32 {
        f16_to_f32(self.d)
    }

    #[inline(always)]
    fn quants(&self) -> [f32; LEN] {
        let mut quants = [0.0; LEN];
        for (quant, &q) in quants.iter_mut().zip(&self.qs) {
            *quant = f32::from(q);
        }
        quants
    }

    /// The largest magnitude becomes 127.
    #[inline(always)]
    fn near(x: &[f32; LEN]) -> BlockQ8_0 {
        let d = f32_to_f16(peak(x) / 127.0);
        let mut qs = [0; LEN];
        let inverse = inverse(f16_to_f32(d));
        for (q, x) in qs.iter_mut().zip(x) {
            *q = integer(quant::<127>(*x, inverse)) as i8;
        }
        BlockQ8_0 { d, qs }
    }
}

/// Where the search for the scale of four bits begins: what the value of the largest magnitude becomes, before any is rounded.
const STARTS: [f32; 6] = [-8.0, -7.4, -6.8, 6.4, 7.0, 7.6];

impl Cached for BlockQ4_0 {
    #[inline(always)]
    fn scale(&self) -> f32 {
        f16_to_f32(self.d)
    }

    #[inline(always)]
    fn quants(&self) -> [f32; LEN] {
        let mut quants = [0.0; LEN];
        let (low, high) = quants.split_at_mut(LEN / 2);
        for ((low, high), q) in low.iter_mut().zip(high).zip(self.qs) {
            *low = f32::from((q & 15) as i8 - 8);
            *high = f32::from((q >> 4) as i8 - 8);
        }
        quants
    }

    /// Of the scales that are tried, and the quants that each gives, the quants which come nearest with the scale that suits them best.
    #[inline(always)]
    fn near(x: &[f32; LEN]) -> BlockQ4_0 {
        let peak = peak(x);
        let sign = if x.contains(&peak) { 1.0 } else { -1.0 };
        let (mut d, mut most) = (peak / 8.0, 0.0);
        for start in STARTS {
            let [xq, qq] = products(x, sign * start * inverse(peak));
            // what a regression on the quants takes away from the sum of squares
            let gain = xq * xq / qq;
            if gain > most {
                (d, most) = (xq / qq, gain);
            }
        }
        let d = f32_to_f16(d);
        let inverse = inverse(f16_to_f32(d));
        let mut qs = [0; LEN / 2];
        let (low, high) = x.split_at(LEN / 2);
        for ((q, low), high) in qs.iter_mut().zip(low).zip(high) {
            let [low, high] = [*low, *high].map(|x| (integer(quant::<7>(x, inverse)) + 8) as u8 & 15);
            *q = low | high << 4;
        }
        BlockQ4_0 { d, qs }
    }
}

/// The largest magnitude, or no number if one of the values is none: as bits, those are above all others.
#[inline(always)]
fn peak(x: &[f32; LEN]) -> f32 {
    let mut peak = 0;
    for x in x {
        let magnitude = x.to_bits() & 0x7fff_ffff;
        peak = if magnitude > peak { magnitude } else { peak };
    }
    f32::from_bits(peak)
}

/// `1 / x`; 0 where there is none.
#[inline(always)]
fn inverse(x: f32) -> f32 {
    if x != 0.0 { 1.0 / x } else { 0.0 }
}

/// The integer nearest to `x * inverse` (halves to even), at most `MOST`, and at least `-MOST`, or one less where `MOST` is 7. It stands in the low
/// bits of the float, to which a number is added that leaves no bits for a fraction.
#[inline(always)]
fn quant<const MOST: i32>(x: f32, inverse: f32) -> f32 {
    let (least, most) = (if MOST == 7 { -8.0 } else { -(MOST as f32) }, MOST as f32);
    let x = x * inverse;
    // written out, because `f32::max` takes more instructions: it has a rule for what is no number
    let x = if x > least { x } else { least };
    (if x < most { x } else { most }) + SHIFT
}

/// 1.5 * 2^23.
const SHIFT: f32 = 12_582_912.0;

/// The integer of a [`quant`].
#[inline(always)]
fn integer(quant: f32) -> i32 {
    quant.to_bits().wrapping_sub(SHIFT.to_bits()) as i32
}

/// For the quants of four bits that a scale gives: the sums of `x * q` and of `q * q`.
#[inline(always)]
fn products(x: &[f32; LEN], inverse: f32) -> [f32; 2] {
    let (mut xq, mut qq) = ([0.0; PARTS], [0.0; PARTS]);
    for x in x.as_chunks::<PARTS>().0 {
        for i in 0..PARTS {
            let q = quant::<7>(x[i], inverse) - SHIFT;
            xq[i] += x[i] * q;
            qq[i] += q * q;
        }
    }
    [xq, qq].map(|sums| sums.iter().sum())
}

/// `out[r] = rows[r] . x`.
pub(crate) struct DotCached<'a, B> {
    pub rows: &'a [u8],
    pub x: &'a [f32],
    pub out: &'a mut [f32],
    pub format: std::marker::PhantomData<B>,
}

impl<B: Cached> WithSimd for DotCached<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let x = self.x.as_chunks::<LEN>().0;
        for (row, out) in blocks::<B>(self.rows).chunks_exact(x.len()).zip(self.out) {
            let mut sums = simd.splat_f32s(0.0);
            for (block, x) in row.iter().zip(x) {
                let quants = block.quants();
                let (quants, x) = (S::as_simd_f32s(&quants).0, S::as_simd_f32s(x).0);
                let mut products = simd.mul_f32s(quants[0], x[0]);
                for (&quants, &x) in quants.iter().zip(x).skip(1) {
                    products = simd.mul_add_f32s(quants, x, products);
                }
                sums = simd.mul_add_f32s(products, simd.splat_f32s(block.scale()), sums);
            }
            *out = simd.reduce_sum_f32s(sums);
        }
    }
}

/// `out[i] += sum_r weights[r] * rows[r][i]`.
pub(crate) struct AddCached<'a, B> {
    pub rows: &'a [u8],
    pub weights: &'a [f32],
    pub out: &'a mut [f32],
    pub format: std::marker::PhantomData<B>,
}

impl<B: Cached> WithSimd for AddCached<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (rows, per_row) = (blocks::<B>(self.rows), self.out.len() / LEN);
        for (at, out) in self.out.as_chunks_mut::<LEN>().0.iter_mut().enumerate() {
            let columns = rows[at..].iter().step_by(per_row).zip(self.weights);
            // as many sums as vectors in a block, so that they stay in registers
            match LEN / S::F32_LANES {
                2 => add_columns::<S, B, 2>(simd, columns, out),
                4 => add_columns::<S, B, 4>(simd, columns, out),
                8 => add_columns::<S, B, 8>(simd, columns, out),
                _ => add_columns::<S, B, LEN>(simd, columns, out),
            }
        }
    }
}

/// The 32 columns of one block of each row, in `N` vectors.
#[inline(always)]
fn add_columns<'a, S: Simd, B: Cached, const N: usize>(
    simd: S,
    columns: impl Iterator<Item = (&'a B, &'a f32)>,
    out: &mut [f32; LEN],
) {
    let out = S::as_mut_simd_f32s(out).0;
    let mut sums = [simd.splat_f32s(0.0); N];
    for (sum, out) in sums.iter_mut().zip(&*out) {
        *sum = *out;
    }
    for (block, weight) in columns {
        let (quants, weight) = (block.quants(), simd.splat_f32s(weight * block.scale()));
        for (sum, &quants) in sums.iter_mut().zip(S::as_simd_f32s(&quants).0) {
            *sum = simd.mul_add_f32s(quants, weight, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = sum;
    }
}

/// The floats of rows; the same bits as [`Block::decode`] gives.
pub(crate) struct WidenCached<'a, B> {
    pub rows: &'a [u8],
    pub out: &'a mut [f32],
    pub format: std::marker::PhantomData<B>,
}

impl<B: Cached> WithSimd for WidenCached<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (block, out) in blocks::<B>(self.rows).iter().zip(self.out.as_chunks_mut::<LEN>().0) {
            let (quants, scale) = (block.quants(), block.scale());
            for (out, quant) in out.iter_mut().zip(quants) {
                *out = scale * quant;
            }
        }
    }
}

/// Rows as blocks; the same bits on every CPU.
pub(crate) struct NarrowCached<'a, B> {
    pub x: &'a [f32],
    pub out: &'a mut [u8],
    pub format: std::marker::PhantomData<B>,
}

impl<B: Cached> WithSimd for NarrowCached<'_, B> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (out, x) in self.out.chunks_exact_mut(size_of::<B>()).zip(self.x.as_chunks::<LEN>().0) {
            out.copy_from_slice(bytemuck::bytes_of(&B::near(x)));
        }
    }
}
