//! Q4_0 on vectors of 256 bits. A block is 18 bytes: f16 `d`, then 16 bytes of nibbles, weights 0..16 low and 16..32 high; `w = d * (q - 8)`.
//!
//! Quants stay unsigned (0..16); the -8 is taken off through the sum of the activations, once for eight blocks.
//! A product is at most 15 * 127 and two of them meet in an i16: 3810, far from overflow.

use super::super::load::{floats, heads};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, nibbles, part, spread};
use crate::activation::Column;
use crate::block::BlockQ4_0;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q4_0(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ4_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = spread(_mm256_mul_ps(d, floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            let Some(block) = blocks.get(i) else { break };
            sums.add(i, dot(nibbles(&block.qs), part(group, i)), _mm256_set1_ps(*scale));
        }
        sums.subtract(_mm256_mul_ps(d, _mm256_set1_ps(8.0)), floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q4_0(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockQ4_0; 8], i: usize| nibbles(&blocks[i].qs);
    unpack::<BlockQ4_0, 8, 8, 2>(source, panel, (style, 8), part, |blocks| {
        [heads(blocks).0, _mm256_setzero_ps()]
    });
}
