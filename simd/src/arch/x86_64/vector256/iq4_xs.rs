//! IQ4_XS on vectors of 256 bits. A block is 136 bytes: f16 `d`, eight 6-bit scales in 6 bytes, then 128 bytes of nibbles, 16 for each part of 32
//! weights as in IQ4_NL; `w = d * (scale - 32) * value`.

use super::super::load::{floats, half, numbers};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, dot_signed, lookup, nibbles, part, spread};
use crate::activation::Column;
use crate::block::{BlockIQ4XS, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_iq4_xs(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockIQ4XS, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let scales = spread(_mm256_mul_ps(scales(block), floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            sums.add(i, dot_signed(&dot, values(block, i), part(group, i)), _mm256_set1_ps(*scale));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_iq4_xs(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |[block]: &[BlockIQ4XS; 1], i| values(block, i);
    unpack::<BlockIQ4XS, 1, 8, 2>(source, panel, (style, 0), part, |[block]| {
        [scales(block), _mm256_setzero_ps()]
    });
}

/// The values of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn values(block: &BlockIQ4XS, i: usize) -> __m256i {
    lookup(&IQ4_VALUES, nibbles(&bytemuck::cast_ref::<_, [[u8; 16]; 8]>(&block.qs)[i]))
}

/// The scales of the eight parts.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scales(block: &BlockIQ4XS) -> __m256 {
    _mm256_mul_ps(half(block.d), numbers(&block.scales()))
}
