//! IQ4_XS: `w = d * (scale[i / 32] - 32) * value[q]`, 256 weights in 136 bytes: f16 `d`, eight 6-bit scales in 6 bytes, then 128 bytes of
//! nibbles, 16 for each 32 weights as in IQ4_NL.
//!
//! Shapes: a block against an activation group, in two halves of four times 32 weights.
//!
//! Integers: a sum of 32 products is at most 516,128 in an i32 lane, which a float holds exactly.

use super::convert::widen_pair;
use super::dots::Dots;
use super::load::{f32x4, i8x8};
use super::panels::{Layout, unpack_rows256};
use super::quants::chosen;
use super::rows::dot_rows256;
use crate::activation::{ActGroup, Column};
use crate::block::{BlockIQ4XS, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockIQ4XS, x: &ActGroup| {
        let (q, x_scale) = (x.q.as_chunks::<128>().0, x.scale.as_chunks::<4>().0);
        let [scale0, scale1] = scales(block);
        let dot0 = vmulq_f32(dots.dot32_wide(values(block, 0), &q[0]), scale0);
        let dot1 = vmulq_f32(dots.dot32_wide(values(block, 1), &q[1]), scale1);
        let products = vfmaq_f32(vmulq_f32(dot0, f32x4(&x_scale[0])), dot1, f32x4(&x_scale[1]));
        vfmaq_laneq_f32::<0>(sum, products, widen_pair(block.d, [0; 2]))
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockIQ4XS, half: usize| values(block, half);
    unpack_rows256(layout, source, panel, half, |block| {
        let ([low, high], d) = (scales(block), widen_pair(block.d, [0; 2]));
        [[vmulq_laneq_f32::<0>(low, d), vmulq_laneq_f32::<0>(high, d)]]
    });
}

/// Four times 32 values of half a block.
#[inline]
#[target_feature(enable = "neon")]
fn values(block: &BlockIQ4XS, half: usize) -> [[int8x16_t; 2]; 4] {
    let qs = &block.qs.as_chunks::<16>().0.as_chunks::<4>().0[half];
    let of = |i: usize| chosen(&IQ4_VALUES, &qs[i]);
    [of(0), of(1), of(2), of(3)]
}

/// The scales, as numbers of `d`.
#[inline]
#[target_feature(enable = "neon")]
fn scales(block: &BlockIQ4XS) -> [float32x4_t; 2] {
    let wide = vmovl_s8(i8x8(&block.scales()));
    [vcvtq_f32_s32(vmovl_s16(vget_low_s16(wide))), vcvtq_f32_s32(vmovl_high_s16(wide))]
}
