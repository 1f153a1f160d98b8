//! Q2_K on AVX-512 with VNNI. A block is 84 bytes: sixteen bytes of scale (low nibble) and minimum (high), 64 bytes of bit pairs, f16 `d`
//! and `dmin`; `w = d * scale * q - dmin * min`, both per 16 weights. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest
//! first.
//!
//! Quants stay unsigned (0..4). The minima multiply the sums of 16 activations, in integers.

use super::super::load::{floats, half, load as load_32};
use super::panel::unpack;
use super::rows::{dot, dot_rows, numbers, pairs, quarter, spread_sixteenths, times_sums, twice};
use crate::activation::Column;
use crate::block::BlockQ2K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q2_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ2K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let d = _mm256_mul_ps(floats(&group.scale), half(block.d));
        let factors = _mm512_mul_ps(twice(d), numbers(&scales(block)));
        for i in 0..4 {
            sums.add(i, dot(quants(block, i), quarter(group, i)), spread_sixteenths(factors, i));
        }
        let dmin = _mm256_mul_ps(floats(&group.scale), half(block.dmin));
        sums.offset(times_sums(&minima(block), group), _mm256_xor_ps(dmin, _mm256_set1_ps(-0.0)));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q2_k(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |[block]: &[BlockQ2K; 1], i| quants(block, i);
    unpack::<BlockQ2K, 1, 16, 2>(source, panel, 128, quants, |[block]| {
        let (d, dmin) = (twice(half(block.d)), twice(_mm256_xor_ps(half(block.dmin), _mm256_set1_ps(-0.0))));
        [_mm512_mul_ps(d, numbers(&scales(block))), _mm512_mul_ps(dmin, numbers(&minima(block)))]
    });
}

/// The quants of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(block: &BlockQ2K, i: usize) -> __m512i {
    pairs(load_32(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qs)[i / 2]), i % 2)
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
