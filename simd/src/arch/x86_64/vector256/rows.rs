//! The walk along rows that all block formats share, and the arithmetic that every one of them ends in.
//!
//! A step takes the blocks of 256 weights (eight blocks of 32, or one of 256) and the activation group that they meet:
//!
//! ```text
//! for each part of 32 weights:   integers = dot(quants as u8, activations as i8)      8 sums of 4 products
//!                                sums    += float(integers) * (weight scale * activation scale)
//! once for the group:            sums    += offsets of 8 parts * sums of their activations
//! ```
//!
//! At the end of a row a group may have fewer than eight blocks. A step counts to eight all the same and stops at the first that is missing,
//! so that the count is a constant wherever the group is full; the scales of missing blocks are zero.

use super::super::load::{load, load_half, prefetch_after, store_floats, sum_lanes};
use crate::activation::{ActGroup, Column};
use crate::block::{Block, blocks};
use std::arch::x86_64::*;
use std::hint::black_box;

/// Dot products of 32 unsigned and 32 signed bytes, four neighbours to a sum, as floats: what an instruction set brings along.
///
/// It must be exact for weights up to 128 and activations of magnitude up to 127.
pub(crate) trait Dot: Fn(__m256i, __m256i) -> __m256 {}

impl<F: Fn(__m256i, __m256i) -> __m256> Dot for F {}

/// Partial sums of a row. Four independent chains hide the latency of FMA.
#[derive(Clone, Copy)]
pub(crate) struct Sums([__m256; 4]);

impl Sums {
    /// `sums += products * factors`, in chain `chain` (any number).
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn add(&mut self, chain: usize, products: __m256, factors: __m256) {
        self.0[chain % 4] = _mm256_fmadd_ps(products, factors, self.0[chain % 4]);
    }

    /// `sums -= products * factors`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn subtract(&mut self, products: __m256, factors: __m256) {
        self.0[0] = _mm256_fnmadd_ps(products, factors, self.0[0]);
    }

    /// The total of all chains and lanes.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn total(self) -> f32 {
        let [a, b, c, d] = self.0;
        sum_lanes(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(crate) fn zero() -> Sums {
        Sums([_mm256_setzero_ps(); 4])
    }
}

/// `out[r] = rows[r] . x` for a format whose `N` blocks of type `B` hold the 256 weights of a group.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
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

/// The activations of part `part` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn part(group: &ActGroup, part: usize) -> __m256i {
    load(&bytemuck::cast_ref::<_, [[i8; 32]; 8]>(&group.q)[part])
}

/// Eight factors that are each needed in all lanes, one after the other.
///
/// They are written to memory, because a load that broadcasts costs no more than another load. The compiler is kept from seeing
/// through it: it would use two shuffles for each, and those share one port.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn spread(x: __m256) -> [f32; 8] {
    let mut lanes = [0.0; 8];
    store_floats(&mut lanes, x);
    black_box(lanes)
}

/// Lane `i` of `x` in the lower four lanes, lane `i + 1` in the upper four.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn spread_pair(x: __m256, i: usize) -> __m256 {
    let (i, j) = (i as i32, i as i32 + 1);
    _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(i, i, i, i, j, j, j, j))
}

/// The factor of each 32 weights times the numbers of its two 16: sixteen factors in two vectors.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn by_sixteenths(factors: __m256, numbers: &[i8; 16]) -> [__m256; 2] {
    let numbers = load_half(numbers);
    let low = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(numbers));
    let high = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(numbers, numbers)));
    let factors = twice(factors);
    [_mm256_mul_ps(factors[0], low), _mm256_mul_ps(factors[1], high)]
}

/// Eight factors, each twice: those of 32 weights for each 16 of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn twice(factors: __m256) -> [__m256; 2] {
    [
        _mm256_permutevar8x32_ps(factors, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
        _mm256_permutevar8x32_ps(factors, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7)),
    ]
}

/// Sixteen small numbers times the sums of 16 activations each, two neighbours to a sum.
///
/// Integers are exact here: 16 * 127 * 128 * 2 fits in 20 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn times_sums(numbers: &[i8; 16], group: &ActGroup) -> __m256 {
    let numbers = _mm256_cvtepi8_epi16(load_half(numbers));
    _mm256_cvtepi32_ps(_mm256_madd_epi16(load(&group.sum16), numbers))
}

/// Bit pair `i` (0..4) of each byte.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn pairs(packed: __m256i, i: usize) -> __m256i {
    let shifted = _mm256_srl_epi16(packed, _mm_cvtsi64_si128(2 * i as i64));
    _mm256_and_si256(shifted, _mm256_set1_epi8(3))
}

/// 16 bytes of packed nibbles as 32 bytes: the low nibbles, then the high ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn nibbles(packed: &[u8; 16]) -> __m256i {
    let both = _mm256_broadcastsi128_si256(load_half(packed));
    let shifted = _mm256_srlv_epi64(both, _mm256_setr_epi64x(0, 0, 4, 4));
    _mm256_and_si256(shifted, _mm256_set1_epi8(15))
}

/// Bit `i` of a little-endian number as bit 4 of byte `i`: every byte is given the eight bits that its own is among, and picks it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn fifth_bits(bits: [u8; 4]) -> __m256i {
    let all = _mm256_set1_epi32(i32::from_le_bytes(bits));
    let eights = _mm256_setr_epi64x(0, 0x0101_0101_0101_0101, 0x0202_0202_0202_0202, 0x0303_0303_0303_0303);
    let own = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let picked = _mm256_and_si256(_mm256_shuffle_epi8(all, eights), own);
    _mm256_and_si256(_mm256_cmpeq_epi8(picked, own), _mm256_set1_epi8(0x10))
}

/// What each nibble chooses from sixteen values.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn lookup(values: &[i8; 16], nibbles: __m256i) -> __m256i {
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(load_half(values)), nibbles)
}

/// Dot products of signed bytes: the sign of each weight moves to its activation. `|-128|` is 128 as an unsigned byte, and
/// activations are never -128.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_signed(dot: &impl Dot, weights: __m256i, activations: __m256i) -> __m256 {
    dot(_mm256_abs_epi8(weights), _mm256_sign_epi8(activations, weights))
}
