//! The walk along rows that all block formats share, and the arithmetic that every one of them ends in.
//!
//! A step takes the blocks of 256 weights (eight blocks of 32, or one of 256) and the activation group that they meet:
//!
//! ```text
//! for each quarter of 64 weights:  integers = dot(quants as u8, activations as i8)      16 sums of 4 products
//!                                  sums    += float(integers) * (weight scale * activation scale)
//! once for the group:              sums    += offsets of 8 parts * sums of their activations
//! ```
//!
//! `dpbusd` adds four products of an unsigned and a signed byte to an i32 and saturates nowhere on the way.
//! At the end of a row a group may have fewer than eight blocks. A step counts to eight all the same and stops at the first that is missing,
//! so that the count is a constant wherever the group is full; the scales of missing blocks are zero.

use super::super::load::{load as load_32, load_half, prefetch_after, sum_lanes};
use super::load::load;
use crate::activation::{ActGroup, Column};
use crate::block::{Block, blocks};
use std::arch::x86_64::*;

/// Partial sums of a row. Four independent chains hide the latency of FMA; offsets, which come eight at a time, have their own.
#[derive(Clone, Copy)]
pub(super) struct Sums {
    dots: [__m512; 4],
    offsets: __m256,
}

impl Sums {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn zero() -> Sums {
        Sums { dots: [_mm512_setzero_ps(); 4], offsets: _mm256_setzero_ps() }
    }

    /// `sums += products * factors`, in chain `chain` (0..4).
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn add(&mut self, chain: usize, products: __m512, factors: __m512) {
        self.dots[chain] = _mm512_fmadd_ps(products, factors, self.dots[chain]);
    }

    /// `sums += offsets * factors`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn offset(&mut self, offsets: __m256, factors: __m256) {
        self.offsets = _mm256_fmadd_ps(offsets, factors, self.offsets);
    }

    /// The total of all chains and lanes.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn total(self) -> f32 {
        let [a, b, c, d] = self.dots;
        let sum = _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d));
        let halves = _mm256_add_ps(_mm512_castps512_ps256(sum), _mm512_extractf32x8_ps::<1>(sum));
        sum_lanes(_mm256_add_ps(halves, self.offsets))
    }
}

/// `out[r] = rows[r] . x` for a format whose `N` blocks of type `B` hold the 256 weights of a group.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn dot_rows<B: Block, const N: usize>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    step: impl Fn(&mut Sums, &[B], &ActGroup),
) {
    const { assert!(B::LEN * N == ActGroup::LEN) };
    let row_bytes = x.cols() / B::LEN * size_of::<B>();
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let (whole, rest) = blocks::<B>(row).as_chunks::<N>();
        let mut sums = Sums::zero();
        for (blocks, group) in whole.iter().zip(x.groups) {
            prefetch_after(blocks);
            step(&mut sums, blocks, group);
        }
        if let (false, Some(group)) = (rest.is_empty(), x.groups.last()) {
            step(&mut sums, rest, group);
        }
        *out = sums.total();
    }
}

/// Dot products of 64 unsigned and 64 signed bytes, four neighbours to a sum, as floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn dot(weights: __m512i, activations: __m512i) -> __m512 {
    _mm512_cvtepi32_ps(_mm512_dpbusd_epi32(_mm512_setzero_si512(), weights, activations))
}

/// Dot products of signed bytes: the sign of each weight moves to its activation. `|-128|` is 128 as an unsigned byte, and activations are
/// never -128.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn dot_signed(weights: __m512i, activations: __m512i) -> __m512 {
    let negative = _mm512_movepi8_mask(weights);
    let signed = _mm512_mask_sub_epi8(activations, negative, _mm512_setzero_si512(), activations);
    dot(_mm512_abs_epi8(weights), signed)
}

/// What each nibble chooses from sixteen values.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn lookup(values: &[i8; 16], nibbles: __m512i) -> __m512i {
    _mm512_shuffle_epi8(_mm512_broadcast_i32x4(load_half(values)), nibbles)
}

/// The activations of quarter `quarter` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn quarter(group: &ActGroup, quarter: usize) -> __m512i {
    load(&bytemuck::cast_ref::<_, [[i8; 64]; 4]>(&group.q)[quarter])
}

/// The factors of eight parts, spread over quarter `quarter` (0..4): one in its lower eight lanes, the next in its upper eight.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn spread(factors: __m256, quarter: usize) -> __m512 {
    let (i, j) = (quarter as i32 * 2, quarter as i32 * 2 + 1);
    let lanes = _mm512_setr_epi32(i, i, i, i, i, i, i, i, j, j, j, j, j, j, j, j);
    _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(factors))
}

/// Eight factors, each twice: those of 32 weights for each 16 of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn twice(factors: __m256) -> __m512 {
    let lanes = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    _mm512_permutexvar_ps(lanes, _mm512_castps256_ps512(factors))
}

/// The factors of 16 weights each, spread over quarter `quarter` (0..4): four of them, four lanes each.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn spread_sixteenths(factors: __m512, quarter: usize) -> __m512 {
    let a = quarter as i32 * 4;
    let (b, c, d) = (a + 1, a + 2, a + 3);
    _mm512_permutexvar_ps(_mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d), factors)
}

/// Sixteen small numbers times the sums of 16 activations each, two neighbours to a sum.
///
/// Integers are exact here: 16 * 127 * 128 * 2 fits in 20 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn times_sums(numbers: &[i8; 16], group: &ActGroup) -> __m256 {
    let numbers = _mm256_cvtepi8_epi16(load_half(numbers));
    _mm256_cvtepi32_ps(_mm256_madd_epi16(load_32(&group.sum16), numbers))
}

/// Twice 16 bytes of packed nibbles as 64 bytes: of each, the low nibbles, then the high ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn nibbles(first: &[u8; 16], second: &[u8; 16]) -> __m512i {
    let first = _mm512_broadcast_i32x4(load_half(first));
    let both = _mm512_mask_broadcast_i32x4(first, 0xff00, load_half(second));
    let shifted = _mm512_srlv_epi64(both, _mm512_setr_epi64(0, 0, 4, 4, 0, 0, 4, 4));
    _mm512_and_si512(shifted, _mm512_set1_epi8(15))
}

/// 32 bytes of packed nibbles as 64 bytes, the low nibbles in the lower half; the high half of each byte is not cleared.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn shifted_nibbles(packed: &[u8; 32]) -> __m512i {
    let both = _mm512_broadcast_i64x4(load_32(packed));
    _mm512_srlv_epi64(both, _mm512_setr_epi64(0, 0, 0, 0, 4, 4, 4, 4))
}

/// 32 bytes of four bit pairs each as 64 bytes: the first and second pair (`upper` 0), or the third and fourth (1).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn pairs(packed: __m256i, upper: usize) -> __m512i {
    let (a, b) = (upper as i64 * 4, upper as i64 * 4 + 2);
    let shifted =
        _mm512_srlv_epi64(_mm512_broadcast_i64x4(packed), _mm512_setr_epi64(a, a, a, a, b, b, b, b));
    _mm512_and_si512(shifted, _mm512_set1_epi8(3))
}

/// Sixteen small numbers as floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn numbers(x: &[i8; 16]) -> __m512 {
    _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(load_half(x)))
}

/// `(a & mask) | b`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn and_or(a: __m512i, mask: __m512i, b: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0b1110_1010>(a, mask, b)
}

/// Adds 16 to the bytes whose bit is set: the bits of `first` belong to the lower 32 bytes, those of `second` to the upper ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn with_fifth_bits(quants: __m512i, first: [u8; 4], second: [u8; 4]) -> __m512i {
    let bits = u64::from(u32::from_le_bytes(first)) | u64::from(u32::from_le_bytes(second)) << 32;
    _mm512_mask_add_epi8(quants, bits, quants, _mm512_set1_epi8(16))
}

/// Blocks `2 * i` and `2 * i + 1`, if there is the first of them; `none` takes the place of a missing second.
#[inline]
pub(super) fn pair<'a, B>(blocks: &'a [B], i: usize, none: &'a B) -> Option<(&'a B, &'a B)> {
    Some((blocks.get(2 * i)?, blocks.get(2 * i + 1).unwrap_or(none)))
}
