//! The multiplication of a panel with a tile of activations: the walk and the floats, the same for all instruction sets, which supply the
//! exact integer products of a few rows with a few vectors ([`Products`]).
//!
//! Two vectors at a time and `FOURS` times four rows: more would not fit in the registers beside the products. Whatever the width of a tile, a sum is made of the same operations in the same order.

use super::load::{f32x4, store_f32x4};
use crate::activation::{ActGroup, SCALE_LEN};
use crate::panel::{PANEL_ROWS, PanelGroup};
use std::arch::aarch64::*;

/// Four rows by 32 columns of a panel, as the instruction set's [`Layout`](super::panels::Layout) stored them.
pub(super) type Quants = [[i8; 16]; 8];

/// Exact sums of `FOURS` times four rows, a row a lane, for each of `W` vectors: from columns 0..16, and from columns 16..32.
pub(super) type Sums<const W: usize, const FOURS: usize> = [[[float32x4_t; FOURS]; W]; 2];

/// The int8 products of one instruction set. A value exists only where its instructions may run, which is what makes the methods safe.
///
/// Activations are -127..=127. Weights are any int8, unless the instruction set needs to know more; then its value says so.
pub(super) trait Products: Copy {
    /// Products of 32 columns: two sums a row and vector if `PER` is 16, else one sum, the first, and the second means nothing.
    fn products<const PER: usize, const W: usize, const FOURS: usize>(
        self,
        w: &[Quants; FOURS],
        x: [&[i8; 32]; W],
    ) -> Sums<W, FOURS>;
}

/// `sums[v][r] += panel[r] . tile[v]` for a panel with a scale, and if `OFFSETS` an offset, per `PER` columns.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn multiply<const PER: usize, const OFFSETS: bool, const FOURS: usize>(
    products: impl Products,
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    let width = sums.len();
    for (i, sums) in sums.chunks_mut(2).enumerate() {
        let x = Vectors { tile, width, first: i * 2 };
        match sums {
            [a, b] => vectors::<PER, OFFSETS, FOURS, 2>(products, panel, x, [a, b]),
            [a] => vectors::<PER, OFFSETS, FOURS, 1>(products, panel, x, [a]),
            _ => {}
        }
    }
}

/// Some vectors of a tile of `width`, from `first` on.
#[derive(Clone, Copy)]
struct Vectors<'a> {
    tile: &'a [ActGroup],
    width: usize,
    first: usize,
}

impl<'a> Vectors<'a> {
    /// The groups of `W` vectors, group by group.
    #[inline]
    fn groups<const W: usize>(self) -> impl Iterator<Item = &'a [ActGroup; W]> {
        self.tile.chunks_exact(self.width).filter_map(move |groups| groups[self.first..].first_chunk())
    }
}

/// The part of [`multiply`] for `W` vectors.
#[inline]
#[target_feature(enable = "neon")]
fn vectors<const PER: usize, const OFFSETS: bool, const FOURS: usize, const W: usize>(
    products: impl Products,
    panel: &[PanelGroup],
    x: Vectors<'_>,
    mut sums: [&mut [f32; PANEL_ROWS]; W],
) {
    for rows in 0..PANEL_ROWS / (4 * FOURS) {
        let mut sum = [[vdupq_n_f32(0.0); FOURS]; W];
        for (sum, from) in sum.iter_mut().zip(&sums) {
            *sum = rows_of(from, rows);
        }
        for (group, x) in panel.iter().zip(x.groups::<W>()) {
            for part in 0..ActGroup::LEN / SCALE_LEN {
                sum = multiply_part::<PER, OFFSETS, FOURS, W>(products, sum, group, x, part, rows);
            }
        }
        for (to, sum) in sums.iter_mut().zip(sum) {
            for (to, sum) in to.as_chunks_mut().0[rows * FOURS..].iter_mut().zip(sum) {
                store_f32x4(to, sum);
            }
        }
    }
}

/// Part `part` of a group: 32 columns of the rows `4 * FOURS * rows..`.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_part<const PER: usize, const OFFSETS: bool, const FOURS: usize, const W: usize>(
    products: impl Products,
    mut sum: [[float32x4_t; FOURS]; W],
    group: &PanelGroup,
    x: &[ActGroup; W],
    part: usize,
    rows: usize,
) -> [[float32x4_t; FOURS]; W] {
    let w: &[i8] = bytemuck::cast_slice(&group.q);
    let w = &w.as_chunks().0.as_chunks().0.as_chunks().0[part * (PANEL_ROWS / 4 / FOURS) + rows];
    let dot = products.products::<PER, W, FOURS>(w, x.each_ref().map(|x| &x.q.as_chunks().0[part]));
    let halves = SCALE_LEN / PER;
    for v in 0..W {
        let x = &x[v];
        for i in 0..FOURS {
            let scale = |half| rows_of::<FOURS>(&group.scale[part * halves + half], rows)[i];
            let offset = |half| rows_of::<FOURS>(&group.offset[part * halves + half], rows)[i];
            let mut scaled = vmulq_f32(dot[0][v][i], scale(0));
            if PER == 16 {
                scaled = vfmaq_f32(scaled, dot[1][v][i], scale(1));
            }
            if OFFSETS && PER == 16 {
                scaled = vfmaq_n_f32(scaled, offset(0), f32::from(x.sum16[part * 2]));
                scaled = vfmaq_n_f32(scaled, offset(1), f32::from(x.sum16[part * 2 + 1]));
            }
            sum[v][i] = vfmaq_n_f32(sum[v][i], scaled, x.scale[part]);
            if OFFSETS && PER == 32 {
                sum[v][i] = vfmaq_n_f32(sum[v][i], offset(0), x.sum[part]);
            }
        }
    }
    sum
}

/// The values of the rows `4 * FOURS * rows..`.
#[inline]
#[target_feature(enable = "neon")]
fn rows_of<const FOURS: usize>(from: &[f32; PANEL_ROWS], rows: usize) -> [float32x4_t; FOURS] {
    let from = from.as_chunks().0.as_chunks::<FOURS>().0[rows];
    let mut values = [vdupq_n_f32(0.0); FOURS];
    for (value, from) in values.iter_mut().zip(&from) {
        *value = f32x4(from);
    }
    values
}
