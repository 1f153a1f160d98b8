//! Q5_1 on vectors of 256 bits. A block is 24 bytes: f16 `d` and `m`, 32 high bits, then 16 bytes of low nibbles, weights 0..16 low and 16..32 high;
//! `w = d * q + m`.
//!
//! Quants are unsigned (0..32), so two products reach at most 2 * 31 * 127 = 7874 in an i16. The minima multiply the sums of the
//! activations, once for eight blocks.

use super::super::load::{floats, heads};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, fifth_bits, nibbles, part, spread};
use crate::activation::Column;
use crate::block::BlockQ5_1;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q5_1(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ5_1, 8>(rows, x, out, |sums, blocks, group| {
        let (d, m) = heads(blocks);
        let scales = spread(_mm256_mul_ps(d, floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            let Some(block) = blocks.get(i) else { break };
            sums.add(i, dot(quants(block), part(group, i)), _mm256_set1_ps(*scale));
        }
        sums.add(0, m, floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q5_1(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockQ5_1; 8], i: usize| quants(&blocks[i]);
    unpack::<BlockQ5_1, 8, 8, 2>(source, panel, (style, 0), part, |blocks| {
        let (d, m) = heads(blocks);
        [d, m]
    });
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ5_1) -> __m256i {
    _mm256_or_si256(nibbles(&block.qs), fifth_bits(block.qh))
}
