//! Q5_K on vectors of 256 bits. A block is 176 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in 12 bytes, 32 bytes of high bits (bit `j` of
//! byte `i` belongs to weight `i` of part `j`), then nibbles as in Q4_K; `w = d * scale * q - dmin * min`.
//!
//! Quants stay unsigned (0..32), so two products reach at most 2 * 31 * 127 = 7874 in an i16. The minima multiply the sums of the
//! activations.

use super::super::k_scales::scales_and_minima;
use super::super::load::{floats, load};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, part, spread};
use crate::activation::Column;
use crate::block::BlockQ5K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q5_k(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ5K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let (scales, minima) = scales_and_minima(block.d, block.dmin, &block.scales);
        let scales = spread(_mm256_mul_ps(scales, floats(&group.scale)));
        sums.add(0, minima, floats(&group.sum));
        for (i, scale) in scales.iter().enumerate() {
            sums.add(i, dot(quants(block, i), part(group, i)), _mm256_set1_ps(*scale));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q5_k(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |[block]: &[BlockQ5K; 1], i| quants(block, i);
    unpack::<BlockQ5K, 1, 8, 2>(source, panel, (style, 0), part, |[block]| {
        let (scales, minima) = scales_and_minima(block.d, block.dmin, &block.scales);
        [scales, minima]
    });
}

/// The quants of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ5K, i: usize) -> __m256i {
    let packed = load(&bytemuck::cast_ref::<_, [[u8; 32]; 4]>(&block.qs)[i / 2]);
    let nibbles = if i.is_multiple_of(2) { packed } else { _mm256_srli_epi16::<4>(packed) };
    let nibbles = _mm256_and_si256(nibbles, _mm256_set1_epi8(15));
    _mm256_or_si256(nibbles, fifth_bits(load(&block.qh), i))
}

/// Bit `part` (0..8) of each byte, moved to bit 4.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fifth_bits(high: __m256i, part: usize) -> __m256i {
    let by = |n: usize| _mm_cvtsi64_si128(n as i64);
    let moved =
        if part < 4 { _mm256_sll_epi16(high, by(4 - part)) } else { _mm256_srl_epi16(high, by(part - 4)) };
    _mm256_and_si256(moved, _mm256_set1_epi8(0x10))
}
