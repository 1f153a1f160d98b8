//! IQ4_XS on AVX-512 with VNNI. A block is 136 bytes: f16 `d`, eight 6-bit scales in 6 bytes, then 128 bytes of nibbles, 16 for each part of 32 weights
//! as in IQ4_NL; `w = d * (scale - 32) * value`.

use super::super::load::{floats, half, numbers};
use super::panel::unpack;
use super::rows::{dot_rows, dot_signed, lookup, nibbles, quarter, spread};
use crate::activation::Column;
use crate::block::{BlockIQ4XS, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_iq4_xs(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockIQ4XS, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let scales = _mm256_mul_ps(scales(block), floats(&group.scale));
        for i in 0..4 {
            sums.add(i, dot_signed(values(block, i), quarter(group, i)), spread(scales, i));
        }
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_iq4_xs(source: Source<'_>, panel: &mut [PanelGroup]) {
    let values = |[block]: &[BlockIQ4XS; 1], i| values(block, i);
    unpack::<BlockIQ4XS, 1, 8, 1>(source, panel, 128, values, |[block]| {
        [_mm512_zextps256_ps512(scales(block))]
    });
}

/// The values of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn values(block: &BlockIQ4XS, i: usize) -> __m512i {
    let [first, second] = &bytemuck::cast_ref::<_, [[[u8; 16]; 2]; 4]>(&block.qs)[i];
    lookup(&IQ4_VALUES, nibbles(first, second))
}

/// The scales of the eight parts.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn scales(block: &BlockIQ4XS) -> __m256 {
    _mm256_mul_ps(half(block.d), numbers(&block.scales()))
}
