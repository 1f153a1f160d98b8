//! Q2_K on vectors of 256 bits. A block is 84 bytes: sixteen bytes of scale (low nibble) and minimum (high), 64 bytes of bit pairs, f16 `d`
//! and `dmin`; `w = d * scale * q - dmin * min`, both per 16 weights. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest
//! first.
//!
//! Quants stay unsigned (0..4). The minima multiply the sums of 16 activations, in integers.

use super::super::load::{floats, half, load};
use super::panel::{Quants, unpack};
use super::rows::{Dot, by_sixteenths, dot_rows, pairs, part, spread_pair, times_sums};
use crate::activation::Column;
use crate::block::BlockQ2K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q2_k(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ2K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let factors = by_sixteenths(_mm256_mul_ps(floats(&group.scale), half(block.d)), &scales(block));
        for i in 0..8 {
            sums.add(i, dot(quants(block, i), part(group, i)), spread_pair(factors[i / 4], i % 4 * 2));
        }
        let dmin = _mm256_mul_ps(floats(&group.scale), half(block.dmin));
        sums.subtract(times_sums(&minima(block), group), dmin);
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q2_k(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |[block]: &[BlockQ2K; 1], i| quants(block, i);
    unpack::<BlockQ2K, 1, 16, 4>(source, panel, (style, 0), part, |[block]| {
        let [a, b] = by_sixteenths(half(block.d), &scales(block));
        let negative = _mm256_xor_ps(half(block.dmin), _mm256_set1_ps(-0.0));
        let [c, d] = by_sixteenths(negative, &minima(block));
        [a, b, c, d]
    });
}

/// The quants of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ2K, i: usize) -> __m256i {
    pairs(load(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qs)[i / 4]), i % 4)
}

/// The sixteen scales.
#[inline]
fn scales(block: &BlockQ2K) -> [i8; 16] {
    bytemuck::cast(u128::from_ne_bytes(block.scales) & 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f)
}

/// The sixteen minima.
#[inline]
fn minima(block: &BlockQ2K) -> [i8; 16] {
    bytemuck::cast(u128::from_ne_bytes(block.scales) >> 4 & 0x0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f_0f0f)
}
