//! Q6_K on AVX-512 with VNNI. A block is 210 bytes: 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, f16
//! `d`; `w = d * scale * (q - 32)`, a scale per 16 weights. Half a block (128 weights) is two quarters of 64:
//!
//! ```text
//! quarter 0: low nibbles of 64 bytes    bits 0..2 of the 32 high bytes, then bits 2..4
//! quarter 1: high nibbles of the same   bits 4..6, then bits 6..8
//! ```
//!
//! Quants stay unsigned (0..64) and four products add up to at most 4 * 63 * 127 in an i32. The -32 is taken off through the sums of
//! 16 activations.

use super::super::load::{floats, half, load as load_32};
use super::load::load;
use super::panel::unpack;
use super::rows::{and_or, dot, dot_rows, numbers, quarter, spread_sixteenths, times_sums, twice};
use crate::activation::Column;
use crate::block::BlockQ6K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q6_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ6K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let d = _mm256_mul_ps(floats(&group.scale), half(block.d));
        let factors = _mm512_mul_ps(twice(d), numbers(&block.scales));
        for i in 0..4 {
            sums.add(i, dot(quants(block, i), quarter(group, i)), spread_sixteenths(factors, i));
        }
        let by_part = times_sums(&block.scales, group);
        sums.offset(by_part, _mm256_mul_ps(d, _mm256_set1_ps(-32.0)));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q6_k(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |[block]: &[BlockQ6K; 1], i| quants(block, i);
    unpack::<BlockQ6K, 1, 16, 1>(source, panel, 128 - 32, quants, |[block]| {
        let d = _mm512_broadcastss_ps(_mm256_castps256_ps128(half(block.d)));
        [_mm512_mul_ps(d, numbers(&block.scales))]
    });
}

/// The quants of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(block: &BlockQ6K, i: usize) -> __m512i {
    let (nibble, pair) = (_mm512_set1_epi8(15), _mm512_set1_epi8(0x30));
    let low = load(&bytemuck::cast_ref::<_, [[u8; 64]; 2]>(&block.ql)[i / 2]);
    let high = load_32(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qh)[i / 2]);
    let high = _mm512_broadcast_i64x4(high);
    if i.is_multiple_of(2) {
        let pairs = _mm512_sllv_epi64(high, _mm512_setr_epi64(4, 4, 4, 4, 2, 2, 2, 2));
        and_or(low, nibble, _mm512_and_si512(pairs, pair))
    } else {
        let pairs = _mm512_srlv_epi64(high, _mm512_setr_epi64(0, 0, 0, 0, 2, 2, 2, 2));
        and_or(_mm512_srli_epi16::<4>(low), nibble, _mm512_and_si512(pairs, pair))
    }
}
