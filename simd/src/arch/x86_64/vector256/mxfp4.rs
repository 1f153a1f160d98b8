//! MXFP4 on vectors of 256 bits. A block is 17 bytes: the exponent of the scale, then 16 bytes of nibbles, weights 0..16 low and 16..32 high;
//! a nibble chooses from sixteen int8 values; `w = scale * value`.
//!
//! Values stay unsigned, 12 more than they are (0..25); the -12 is taken off through the sum of the activations, once for eight blocks. Two
//! products in an i16 reach at most 2 * 24 * 127 = 6096.

use super::super::load::floats;
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, lookup, nibbles, part, spread};
use crate::activation::Column;
use crate::block::{BlockMxfp4, MXFP4_VALUES, half_scale};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// The values, 12 more than they are.
pub(crate) const RAISED: [i8; 16] = {
    let mut raised = MXFP4_VALUES;
    let mut i = 0;
    while i < 16 {
        raised[i] += 12;
        i += 1;
    }
    raised
};

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_mxfp4(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockMxfp4, 8>(rows, x, out, |sums, blocks, group| {
        let d = scales(blocks);
        let scales = spread(_mm256_mul_ps(d, floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            let Some(block) = blocks.get(i) else { break };
            let q = lookup(&RAISED, nibbles(&block.qs));
            sums.add(i, dot(q, part(group, i)), _mm256_set1_ps(*scale));
        }
        sums.subtract(_mm256_mul_ps(d, _mm256_set1_ps(12.0)), floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_mxfp4(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockMxfp4; 8], i: usize| lookup(&RAISED, nibbles(&blocks[i].qs));
    unpack::<BlockMxfp4, 8, 8, 2>(source, panel, (style, 12), part, |blocks| {
        [scales(blocks), _mm256_setzero_ps()]
    });
}

/// The scales of up to eight blocks; those of missing ones are zero.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn scales(blocks: &[BlockMxfp4]) -> __m256 {
    let mut scales = [0.0; 8];
    for (scale, block) in scales.iter_mut().zip(blocks) {
        *scale = half_scale(block.e);
    }
    floats(&scales)
}
