//! Q4_K on AVX-512 with VNNI. A block is 144 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in 12 bytes, then 128 bytes of
//! nibbles: the low nibbles of 32 bytes are one part of 32 weights, the high nibbles the next; `w = d * scale * q - dmin * min`.
//!
//! Quants stay unsigned (0..16) and four products add up to at most 4 * 15 * 127 in an i32. Scales and minima become floats for all
//! eight parts at once; the minima multiply the sums of the activations.

use super::super::k_scales::scales_and_minima;
use super::super::load::floats;
use super::panel::{factors, unpack};
use super::rows::{dot, dot_rows, quarter, shifted_nibbles, spread};
use crate::activation::Column;
use crate::block::BlockQ4K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q4_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ4K, 1>(rows, x, out, |sums, blocks, group| {
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
pub(crate) fn unpack_q4_k(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |[block]: &[BlockQ4K; 1], i| quants(block, i);
    unpack::<BlockQ4K, 1, 8, 1>(source, panel, 128, quants, |[block]| {
        let (scales, minima) = scales_and_minima(block.d, block.dmin, &block.scales);
        [factors(scales, minima)]
    });
}

/// The quants of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(block: &BlockQ4K, i: usize) -> __m512i {
    let packed = &bytemuck::cast_ref::<_, [[u8; 32]; 4]>(&block.qs)[i];
    _mm512_and_si512(shifted_nibbles(packed), _mm512_set1_epi8(15))
}
