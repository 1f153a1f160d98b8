//! Q3_K on vectors of 256 bits. A block is 110 bytes: 32 bytes of high bits, 64 bytes of bit pairs, sixteen 6-bit scales in 12 bytes, f16 `d`;
//! `w = d * scale * (q - 4)`, a scale per 16 weights. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest first; the high
//! bits of 32 weights are the same bit of all 32 bytes.
//!
//! Quants stay unsigned (0..8). The -4 is taken off through the sums of 16 activations, in integers.

use super::super::load::{floats, half, load};
use super::panel::{Quants, unpack};
use super::rows::{Dot, by_sixteenths, dot_rows, pairs, part, spread_pair, times_sums};
use crate::activation::Column;
use crate::block::{BlockQ3K, scales_q3};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q3_k(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ3K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let (d, scales) = (_mm256_mul_ps(floats(&group.scale), half(block.d)), scales_q3(&block.scales));
        let factors = by_sixteenths(d, &scales);
        for i in 0..8 {
            sums.add(i, dot(quants(block, i), part(group, i)), spread_pair(factors[i / 4], i % 4 * 2));
        }
        sums.subtract(times_sums(&scales, group), _mm256_mul_ps(d, _mm256_set1_ps(4.0)));
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q3_k(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |[block]: &[BlockQ3K; 1], i| quants(block, i);
    unpack::<BlockQ3K, 1, 16, 2>(source, panel, (style, 4), part, |[block]| {
        by_sixteenths(half(block.d), &scales_q3(&block.scales))
    });
}

/// The quants of part `i` (0..8), whose high bits are bit `i` of the mask.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ3K, i: usize) -> __m256i {
    let low = pairs(load(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qs)[i / 4]), i % 4);
    let (high, by) = (load(&block.hmask), |n: usize| _mm_cvtsi64_si128(n as i64));
    let high = if i < 2 { _mm256_sll_epi16(high, by(2 - i)) } else { _mm256_srl_epi16(high, by(i - 2)) };
    _mm256_or_si256(low, _mm256_and_si256(high, _mm256_set1_epi8(4)))
}
