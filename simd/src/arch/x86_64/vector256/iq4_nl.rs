//! IQ4_NL on vectors of 256 bits. A block is 18 bytes: f16 `d`, then 16 bytes of nibbles, weights 0..16 low and 16..32 high; a nibble
//! chooses from sixteen int8 values; `w = d * value`. From there on it is Q8_0: the sign of each weight moves to its activation.

use super::super::load::{floats, heads};
use super::panel::{Quants, unpack};
use super::rows::{Dot, dot_rows, dot_signed, lookup, nibbles, part, spread};
use crate::activation::Column;
use crate::block::{BlockIQ4NL, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_iq4_nl(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockIQ4NL, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = spread(_mm256_mul_ps(d, floats(&group.scale)));
        for (i, scale) in scales.iter().enumerate() {
            let Some(block) = blocks.get(i) else { break };
            let q = lookup(&IQ4_VALUES, nibbles(&block.qs));
            sums.add(i, dot_signed(&dot, q, part(group, i)), _mm256_set1_ps(*scale));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_iq4_nl(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockIQ4NL; 8], i: usize| lookup(&IQ4_VALUES, nibbles(&blocks[i].qs));
    unpack::<BlockIQ4NL, 8, 8, 2>(source, panel, (style, 0), part, |blocks| {
        [heads(blocks).0, _mm256_setzero_ps()]
    });
}
