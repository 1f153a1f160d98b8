//! Q3_K on AVX-512 with VNNI. A block is 110 bytes: 32 bytes of high bits, 64 bytes of bit pairs, sixteen 6-bit scales in 12 bytes, f16 `d`;
//! `w = d * scale * (q - 4)`, a scale per 16 weights. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest first; the high
//! bits of 32 weights are the same bit of all 32 bytes.
//!
//! Quants stay unsigned (0..8). The -4 is taken off through the sums of 16 activations, in integers.

use super::super::load::{floats, half, load as load_32};
use super::panel::unpack;
use super::rows::{dot, dot_rows, numbers, pairs, quarter, spread_sixteenths, times_sums, twice};
use crate::activation::Column;
use crate::block::{BlockQ3K, scales_q3};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q3_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ3K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let (d, scales) = (_mm256_mul_ps(floats(&group.scale), half(block.d)), scales_q3(&block.scales));
        let factors = _mm512_mul_ps(twice(d), numbers(&scales));
        for i in 0..4 {
            sums.add(i, dot(quants(block, i), quarter(group, i)), spread_sixteenths(factors, i));
        }
        sums.offset(times_sums(&scales, group), _mm256_mul_ps(d, _mm256_set1_ps(-4.0)));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q3_k(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |[block]: &[BlockQ3K; 1], i| quants(block, i);
    unpack::<BlockQ3K, 1, 16, 1>(source, panel, 128 - 4, quants, |[block]| {
        [_mm512_mul_ps(twice(half(block.d)), numbers(&scales_q3(&block.scales)))]
    });
}

/// The quants of quarter `i` (0..4): bit `2 * i` of the high bits belongs to its first 32, bit `2 * i + 1` to the others.
///
/// Rotating whole words moves those bits within their bytes, to the left or to the right; all others are cleared.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(block: &BlockQ3K, i: usize) -> __m512i {
    let low = pairs(load_32(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qs)[i / 2]), i % 2);
    let (first, second) = (2 - 2 * i as i64, 1 - 2 * i as i64);
    let by = _mm512_setr_epi64(first, first, first, first, second, second, second, second);
    let high = _mm512_rolv_epi64(_mm512_broadcast_i64x4(load_32(&block.hmask)), by);
    _mm512_or_si512(low, _mm512_and_si512(high, _mm512_set1_epi8(4)))
}
