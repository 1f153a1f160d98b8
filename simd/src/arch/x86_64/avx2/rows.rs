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
//! The last blocks of a row that fill no group are padded with zeros: their scales are zero, and so are the activations.

use super::load::{load, prefetch_after};
use crate::activation::{ActGroup, Column};
use crate::block::{Block, blocks};
use std::arch::x86_64::*;

/// Partial sums of a row. Four independent chains hide the latency of FMA.
#[derive(Clone, Copy)]
pub(super) struct Sums([__m256; 4]);

impl Sums {
    /// `sums += products * factors`, in chain `chain` (any number).
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn add(&mut self, chain: usize, products: __m256, factors: __m256) {
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
    pub(super) fn total(self) -> f32 {
        let [a, b, c, d] = self.0;
        let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
        let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
        let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
        _mm_cvtss_f32(_mm_add_ss(sum, _mm_movehdup_ps(sum)))
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn zero() -> Sums {
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
    step: impl Fn(&mut Sums, &[B; N], &ActGroup),
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
            let mut padded = [B::zeroed(); N];
            padded[..rest.len()].copy_from_slice(rest);
            step(&mut sums, &padded, group);
        }
        *out = sums.total();
    }
}

/// Dot products of 32 unsigned and 32 signed bytes, four neighbours to a sum, as floats.
///
/// Two neighbouring products meet in an i16 first: exact as long as `weights * 127 * 2 <= 32767`, so for weights up to 128
/// and activations of magnitude 127.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot(weights: __m256i, activations: __m256i) -> __m256 {
    let pairs = _mm256_maddubs_epi16(weights, activations);
    _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}

/// The activations of part `part` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn part(group: &ActGroup, part: usize) -> __m256i {
    load(&bytemuck::cast_ref::<_, [[i8; 32]; 8]>(&group.q)[part])
}

/// Lane `i` of `x` in all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn spread(x: __m256, i: usize) -> __m256 {
    _mm256_permutevar8x32_ps(x, _mm256_set1_epi32(i as i32))
}

/// Lane `i` of `x` in the lower four lanes, lane `i + 1` in the upper four.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn spread_pair(x: __m256, i: usize) -> __m256 {
    let (i, j) = (i as i32, i as i32 + 1);
    _mm256_permutevar8x32_ps(x, _mm256_setr_epi32(i, i, i, i, j, j, j, j))
}

/// 16 bytes of packed nibbles as 32 bytes: the low nibbles, then the high ones.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn nibbles(packed: &[u8; 16]) -> __m256i {
    let both = _mm256_broadcastsi128_si256(super::load::load_half(packed));
    let shifted = _mm256_srlv_epi64(both, _mm256_setr_epi64x(0, 0, 4, 4));
    _mm256_and_si256(shifted, _mm256_set1_epi8(15))
}
