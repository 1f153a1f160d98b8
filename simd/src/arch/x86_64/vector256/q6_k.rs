//! Q6_K on vectors of 256 bits. A block is 210 bytes: 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, f16 `d`;
//! `w = d * scale * (q - 32)`, a scale per 16 weights. Half a block (128 weights) is four parts of 32:
//!
//! ```text
//! part 0: low nibbles of bytes  0..32   bits 0..2 of the 32 high bytes
//! part 1: low nibbles of bytes 32..64   bits 2..4
//! part 2: high nibbles of bytes  0..32  bits 4..6
//! part 3: high nibbles of bytes 32..64  bits 6..8
//! ```
//!
//! Quants stay unsigned (0..64): two products reach 2 * 63 * 127 = 16002 in an i16. The -32 is taken off through the sums of 16 activations.

use super::super::load::{floats, half, load};
use super::panel::{Quants, unpack};
use super::rows::{Dot, by_sixteenths, dot_rows, part, spread_pair, times_sums};
use crate::activation::Column;
use crate::block::BlockQ6K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q6_k(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ6K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let d = _mm256_mul_ps(floats(&group.scale), half(block.d));
        let factors = by_sixteenths(d, &block.scales);
        for i in 0..8 {
            sums.add(i, dot(quants(block, i), part(group, i)), spread_pair(factors[i / 4], i % 4 * 2));
        }
        sums.subtract(times_sums(&block.scales, group), _mm256_mul_ps(d, _mm256_set1_ps(32.0)));
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q6_k(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |[block]: &[BlockQ6K; 1], i| quants(block, i);
    unpack::<BlockQ6K, 1, 16, 2>(source, panel, (style, 32), part, |[block]| {
        by_sixteenths(half(block.d), &block.scales)
    });
}

/// The quants of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ6K, i: usize) -> __m256i {
    let low = load(&bytemuck::cast_ref::<_, [[[u8; 32]; 2]; 2]>(&block.ql)[i / 4][i % 2]);
    let high = load(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qh)[i / 4]);
    let (low, high) = match i % 4 {
        0 => (low, _mm256_slli_epi16::<4>(high)),
        1 => (low, _mm256_slli_epi16::<2>(high)),
        2 => (_mm256_srli_epi16::<4>(low), high),
        _ => (_mm256_srli_epi16::<4>(low), _mm256_srli_epi16::<2>(high)),
    };
    let (low, high) =
        (_mm256_and_si256(low, _mm256_set1_epi8(15)), _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    _mm256_or_si256(low, high)
}
