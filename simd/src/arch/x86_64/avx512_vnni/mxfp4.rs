//! MXFP4 on AVX-512 with VNNI. A block is 17 bytes: the exponent of the scale, then 16 bytes of nibbles, weights 0..16 low and 16..32 high; a nibble
//! chooses from sixteen int8 values; `w = scale * value`.
//!
//! Values stay unsigned, 12 more than they are (0..25), and four products add up to at most 4 * 24 * 127 in an i32. The -12 is taken off through the
//! sum of the activations, once for eight blocks.

use super::super::load::floats;
use super::super::vector256::{RAISED, mxfp4_scales};
use super::panel::unpack;
use super::rows::{dot, dot_rows, lookup, nibbles, pair, quarter, spread};
use crate::activation::Column;
use crate::block::BlockMxfp4;
use crate::panel::{PanelGroup, Source};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_mxfp4(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockMxfp4, 8>(rows, x, out, |sums, blocks, group| {
        let d = mxfp4_scales(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some(values) = values(blocks, i) else { break };
            sums.add(i, dot(values, quarter(group, i)), spread(scales, i));
        }
        sums.offset(_mm256_mul_ps(d, _mm256_set1_ps(-12.0)), floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_mxfp4(source: Source<'_>, panel: &mut [PanelGroup]) {
    let values = |blocks: &[BlockMxfp4; 8], i| values(blocks, i).unwrap_or(_mm512_setzero_si512());
    unpack::<BlockMxfp4, 8, 8, 1>(source, panel, 128 - 12, values, |blocks| {
        [_mm512_zextps256_ps512(mxfp4_scales(blocks))]
    });
}

/// The raised values of blocks `2 * i` and `2 * i + 1`, if there is the first of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn values(blocks: &[BlockMxfp4], i: usize) -> Option<__m512i> {
    let none = BlockMxfp4::zeroed();
    let (a, b) = pair(blocks, i, &none)?;
    Some(lookup(&RAISED, nibbles(&a.qs, &b.qs)))
}
