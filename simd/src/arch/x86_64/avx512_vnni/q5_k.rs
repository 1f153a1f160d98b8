//! Q5_K on AVX-512 with VNNI. A block is 176 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in 12 bytes, 32 bytes of high bits
//! (bit `j` of byte `i` belongs to weight `i` of part `j`), then nibbles as in Q4_K; `w = d * scale * q - dmin * min`.
//!
//! Quants stay unsigned (0..32) and four products add up to at most 4 * 31 * 127 in an i32. The minima multiply the sums of the
//! activations.

use super::super::k_scales::scales_and_minima;
use super::super::load::{floats, load};
use super::panel::{factors, unpack};
use super::rows::{and_or, dot, dot_rows, quarter, shifted_nibbles, spread};
use crate::activation::Column;
use crate::block::BlockQ5K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q5_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ5K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let (scales, minima) = scales_and_minima(block.d, block.dmin, &block.scales);
        let scales = _mm256_mul_ps(scales, floats(&group.scale));
        for i in 0..4 {
            sums.add(i, dot(quants(block, i), quarter(group, i)), spread(scales, i));
        }
        sums.offset(minima, floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q5_k(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |[block]: &[BlockQ5K; 1], i| quants(block, i);
    unpack::<BlockQ5K, 1, 8, 1>(source, panel, 128, quants, |[block]| {
        let (scales, minima) = scales_and_minima(block.d, block.dmin, &block.scales);
        [factors(scales, minima)]
    });
}

/// The quants of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(block: &BlockQ5K, i: usize) -> __m512i {
    let packed = &bytemuck::cast_ref::<_, [[u8; 32]; 4]>(&block.qs)[i];
    let high = _mm512_broadcast_i64x4(load(&block.qh));
    and_or(shifted_nibbles(packed), _mm512_set1_epi8(15), fifth_bits(high, i))
}

/// Bit `2 * quarter` of each byte of the lower half, and bit `2 * quarter + 1` of each of the upper half, moved to bit 4.
///
/// Rotating whole words moves the wanted bits within their bytes, to the left or to the right; all others are cleared.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn fifth_bits(high: __m512i, quarter: usize) -> __m512i {
    let (low, up) = (4 - 2 * quarter as i64, 3 - 2 * quarter as i64);
    let moved = _mm512_rolv_epi64(high, _mm512_setr_epi64(low, low, low, low, up, up, up, up));
    _mm512_and_si512(moved, _mm512_set1_epi8(0x10))
}
