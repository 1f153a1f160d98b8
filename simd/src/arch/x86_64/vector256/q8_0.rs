//! Q8_0 on vectors of 256 bits. A block is 34 bytes: f16 `d`, then 32 signed quants; `w = d * q`.
//!
//! The multiplication wants unsigned weights, so the sign of each weight moves to its activation: `|q| * (sign(q) * x)`.
//! `|-128|` is 128 as an unsigned byte, and activations are never -128, so two products in an i16 reach at most
//! 2 * 128 * 127 = 32512: whatever bytes a file holds, nothing saturates.

use super::super::load::{floats, heads, load};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, dot_signed, part, spread};
use crate::activation::Column;
use crate::block::BlockQ8_0;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q8_0(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ8_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = spread(_mm256_mul_ps(d, floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            let Some(block) = blocks.get(i) else { break };
            let q = load(&block.qs);
            sums.add(i, dot_signed(&dot, q, part(group, i)), _mm256_set1_ps(*scale));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q8_0(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockQ8_0; 8], i: usize| load(&blocks[i].qs);
    unpack::<BlockQ8_0, 8, 8, 2>(source, panel, (style, 0), part, |blocks| {
        [heads(blocks).0, _mm256_setzero_ps()]
    });
}
