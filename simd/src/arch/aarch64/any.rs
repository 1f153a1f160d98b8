//! Any format of 256 weights without offsets and with quants of at most 63 in magnitude: a block is unpacked by portable code, and what is left are
//! signed bytes and a scale per 16 of them. It serves the formats that have no recipe of their own.
//!
//! Shapes: a block against an activation group, four times 16 weights at a time.
//!
//! Integers: a sum of 16 products is at most 16 * 63 * 127 = 128,016, which a float holds exactly.

use super::dots::Dots;
use super::load::{f32x4, i8x16};
use super::panels::{Layout, unpack_rows256};
use super::rows::dot_rows256;
use crate::activation::{ActGroup, Column};
use crate::block::{QuantBlock, Unpacked};
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot<B: QuantBlock>(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |mut sum, block: &B, x: &ActGroup| {
        let w = unpacked(block);
        let (quants, q) = (w.q.as_chunks::<64>().0, x.q.as_chunks::<64>().0);
        for (i, scale) in w.scale.as_chunks::<4>().0.iter().enumerate() {
            let [a, b, c, d]: &[[i8; 16]; 4] = bytemuck::cast_ref(&quants[i]);
            let sums = dots.dot16([i8x16(a), i8x16(b), i8x16(c), i8x16(d)], &q[i]);
            let (first, second) = (vdup_n_f32(x.scale[2 * i]), vdup_n_f32(x.scale[2 * i + 1]));
            let factors = vmulq_f32(f32x4(scale), vcombine_f32(first, second));
            sum = vfmaq_f32(sum, vcvtq_f32_s32(sums), factors);
        }
        sum
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack<B: QuantBlock>(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &B, half: usize| {
        let w = unpacked(block);
        let q: &[[[[i8; 16]; 2]; 4]; 2] = bytemuck::cast_ref(&w.q);
        let [a, b, c, d] = &q[half];
        [pair(a), pair(b), pair(c), pair(d)]
    };
    unpack_rows256(layout, source, panel, half, |block| {
        let w = unpacked(block);
        let [a, b, c, d]: &[[f32; 4]; 4] = bytemuck::cast_ref(&w.scale);
        [[f32x4(a), f32x4(b), f32x4(c), f32x4(d)]]
    });
}

#[inline(always)]
fn unpacked<B: QuantBlock>(block: &B) -> Unpacked {
    const { assert!(B::LEN == ActGroup::LEN) };
    let mut w = Unpacked::ZERO;
    block.unpack(&mut w);
    w
}

#[inline]
#[target_feature(enable = "neon")]
fn pair([a, b]: &[[i8; 16]; 2]) -> [int8x16_t; 2] {
    [i8x16(a), i8x16(b)]
}
