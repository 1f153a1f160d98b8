//! How the recipes unpack weight rows into panels: four rows at a time, 32 columns of them together.
//!
//! A panel group is eight parts of 32 columns by four times four rows, 128 bytes each: `part * 4 + four`. How four times 32 quants lie in
//! those bytes is the affair of an instruction set ([`Layout`]). Scales and offsets stand as [`PanelGroup`] says, in `part * 2 + half` if a
//! format has them per 16 columns and in `part` if per 32. Rows beyond the last are left alone, or zeros.

use super::load::{store_f32x4, store_i8x16};
use crate::activation::ActGroup;
use crate::block::{Block, blocks};
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::aarch64::*;

/// Where an instruction set's multiplication wants the quants of four rows. A value exists only where its instructions may run.
pub(super) trait Layout: Copy {
    /// Four rows of 32 quants, in the order in which they are stored.
    fn arrange(self, rows: [[int8x16_t; 2]; 4]) -> [int8x16_t; 8];
}

/// Four rows as blocks, and which four they are; missing rows have no blocks.
#[inline]
fn fours<'a, B: Block>(source: Source<'a>) -> impl Iterator<Item = (usize, [&'a [B]; 4])> {
    let fours = source.rows.len().div_ceil(4 * source.row_bytes);
    (0..fours).map(move |four| (four, std::array::from_fn(|i| blocks::<B>(source.row(four * 4 + i)))))
}

/// Block `at` of four rows; those that are missing are `zero`.
#[inline]
fn four_blocks<'a, B>(rows: &[&'a [B]; 4], at: usize, zero: &'a B) -> [&'a B; 4] {
    rows.map(|row| row.get(at).unwrap_or(zero))
}

/// Unpacks rows of blocks of 32 weights: `quants` a block at a time, `terms` the scales of four (and the offsets, if `N` is 2).
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack_rows32<B: Block, const N: usize>(
    layout: impl Layout,
    source: Source<'_>,
    panel: &mut [PanelGroup],
    quants: impl Fn(&B) -> [int8x16_t; 2],
    terms: impl Fn([&B; 4]) -> [float32x4_t; N],
) {
    let zero = B::zeroed();
    for (four, blocks) in fours::<B>(source) {
        for (g, group) in panel.iter_mut().enumerate() {
            for part in 0..ActGroup::LEN / 32 {
                let blocks = four_blocks(&blocks, (source.first + g) * 8 + part, &zero);
                let [a, b, c, d] = blocks;
                store_quants(group, part, four, layout.arrange([quants(a), quants(b), quants(c), quants(d)]));
                store_terms(group, part, four, terms(blocks));
            }
        }
    }
}

/// Unpacks rows of blocks of 256 weights: `quants` half a block at a time, `terms` the scales of a block (and the offsets, if `N` is 2) in
/// the order of the columns: two vectors if they are per 32 columns, four if per 16.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack_rows256<B: Block, const N: usize, const VECTORS: usize>(
    layout: impl Layout,
    source: Source<'_>,
    panel: &mut [PanelGroup],
    quants: impl Fn(&B, usize) -> [[int8x16_t; 2]; 4],
    terms: impl Fn(&B) -> [[float32x4_t; VECTORS]; N],
) {
    let zero = B::zeroed();
    for (four, blocks) in fours::<B>(source) {
        for (g, group) in panel.iter_mut().enumerate() {
            let [a, b, c, d] = four_blocks(&blocks, source.first + g, &zero);
            for half in 0..2 {
                let w = [quants(a, half), quants(b, half), quants(c, half), quants(d, half)];
                for part in 0..4 {
                    let w = layout.arrange([w[0][part], w[1][part], w[2][part], w[3][part]]);
                    store_quants(group, half * 4 + part, four, w);
                }
            }
            let (a, b, c, d) = (terms(a), terms(b), terms(c), terms(d));
            for i in 0..VECTORS {
                let mut columns = [[vdupq_n_f32(0.0); N]; 4];
                for n in 0..N {
                    let transposed = transpose([a[n][i], b[n][i], c[n][i], d[n][i]]);
                    columns.iter_mut().zip(transposed).for_each(|(column, terms)| column[n] = terms);
                }
                for (j, terms) in columns.into_iter().enumerate() {
                    store_terms(group, i * 4 + j, four, terms);
                }
            }
        }
    }
}

/// Writes four rows by 32 columns of quants.
#[inline]
#[target_feature(enable = "neon")]
fn store_quants(group: &mut PanelGroup, part: usize, four: usize, w: [int8x16_t; 8]) {
    let to: &mut [i8] = bytemuck::cast_slice_mut(&mut group.q);
    let to = &mut to.as_chunks_mut::<128>().0[part * (PANEL_ROWS / 4) + four];
    for (to, w) in to.as_chunks_mut().0.iter_mut().zip(w) {
        store_i8x16(to, w);
    }
}

/// Writes the scales (and offsets) of four rows.
#[inline]
#[target_feature(enable = "neon")]
fn store_terms<const N: usize>(group: &mut PanelGroup, at: usize, four: usize, terms: [float32x4_t; N]) {
    for (to, terms) in [&mut group.scale, &mut group.offset].into_iter().zip(terms) {
        store_f32x4(&mut to[at].as_chunks_mut().0[four], terms);
    }
}

/// Lane `i` of vector `j` goes to lane `j` of vector `i`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn transpose([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    let pairs = |x, y| (vreinterpretq_f64_f32(vtrn1q_f32(x, y)), vreinterpretq_f64_f32(vtrn2q_f32(x, y)));
    let ((ab_even, ab_odd), (cd_even, cd_odd)) = (pairs(a, b), pairs(c, d));
    [
        vreinterpretq_f32_f64(vtrn1q_f64(ab_even, cd_even)),
        vreinterpretq_f32_f64(vtrn1q_f64(ab_odd, cd_odd)),
        vreinterpretq_f32_f64(vtrn2q_f64(ab_even, cd_even)),
        vreinterpretq_f32_f64(vtrn2q_f64(ab_odd, cd_odd)),
    ]
}
