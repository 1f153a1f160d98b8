//! Q4_K: `w = d * scale[i / 32] * q - dmin * min[i / 32]`, 256 weights in 144 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in
//! 12 bytes, then 128 bytes of nibbles; of each 32 bytes, the low nibbles are 32 weights and the high nibbles the next 32.
//!
//! Shapes: a block against an activation group, in two halves of four times 32 weights. The scales multiply the integer sums; the minima
//! meet the activations' sums per 32.
//!
//! Integers: a sum of 32 products is at most 32 * 15 * 127 = 60,960, times a scale of at most 63 is 3,840,480, which a float holds
//! exactly.

use super::convert::{floats, widen_pair};
use super::dots::Dots;
use super::load::f32x4;
use super::panels::{Layout, unpack_rows256};
use super::quants::{k_scales, nibbles};
use super::rows::dot_rows256;
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ4K;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockQ4K, x: &ActGroup| {
        let (w, q) = (block.qs.as_chunks::<64>().0, x.q.as_chunks::<128>().0);
        let dot = [dots.dot32_narrow(quants(&w[0]), &q[0]), dots.dot32_narrow(quants(&w[1]), &q[1])];
        let [low, high] = k_scales(&block.scales);
        let ([scale0, min0], [scale1, min1]) = (dots.floats(low), dots.floats(high));
        let (x_scale, x_sum) = (x.scale.as_chunks::<4>().0, x.sum.as_chunks::<4>().0);

        let (scaled0, scaled1) = (vmulq_f32(dot[0], scale0), vmulq_f32(dot[1], scale1));
        let products = vfmaq_f32(vmulq_f32(scaled0, f32x4(&x_scale[0])), scaled1, f32x4(&x_scale[1]));
        let minima = vmulq_f32(min0, f32x4(&x_sum[0]));
        let minima = vfmaq_f32(minima, min1, f32x4(&x_sum[1]));
        let d = widen_pair(block.d, block.dmin);
        vfmsq_laneq_f32::<1>(vfmaq_laneq_f32::<0>(sum, products, d), minima, d)
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockQ4K, half: usize| quants(&block.qs.as_chunks().0[half]);
    unpack_rows256(layout, source, panel, half, |block| {
        let ([low, high], d) = (k_scales(&block.scales), widen_pair(block.d, block.dmin));
        let ([scale0, min0], [scale1, min1], minus) = (floats(low), floats(high), vnegq_f32(d));
        [
            [vmulq_laneq_f32::<0>(scale0, d), vmulq_laneq_f32::<0>(scale1, d)],
            [vmulq_laneq_f32::<1>(min0, minus), vmulq_laneq_f32::<1>(min1, minus)],
        ]
    });
}

/// Four times 32 quants, 0..=15, of half a block.
#[inline]
#[target_feature(enable = "neon")]
fn quants(qs: &[u8; 64]) -> [[int8x16_t; 2]; 4] {
    let qs = qs.as_chunks().0;
    let [a, b, c, d] = [nibbles(&qs[0]), nibbles(&qs[1]), nibbles(&qs[2]), nibbles(&qs[3])];
    [[a[0], b[0]], [a[1], b[1]], [c[0], d[0]], [c[1], d[1]]]
}
