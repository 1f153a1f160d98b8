//! Q5_K: `w = d * scale[i / 32] * q - dmin * min[i / 32]`, 256 weights in 176 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in
//! 12 bytes, 32 bytes of fifth bits (that of weight `32 * j + i` is bit `j` of byte `i`), then 128 bytes of nibbles; of each 32 bytes,
//! the low nibbles are 32 weights and the high nibbles the next 32.
//!
//! Shapes: a block against an activation group, in two halves of four times 32 weights. Unpacking gives `q - 16`, which is one instruction
//! less a vector and keeps the products small. The scales multiply the integer sums; what is left of each weight,
//! `16 * d * scale - dmin * min`, meets the activations' sums per 32.
//!
//! Integers: a sum of 32 products is at most 32 * 16 * 127 = 65,024, times a scale of at most 63 is 4,096,512, which a float holds
//! exactly.

use super::convert::{floats, widen_pair};
use super::dots::Dots;
use super::load::{f32x4, u8x16};
use super::panels::{Layout, unpack_rows256};
use super::quants::{five_bits, k_scales};
use super::rows::dot_rows256;
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ5K;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockQ5K, x: &ActGroup| {
        let (qs, q) = (block.qs.as_chunks::<64>().0, x.q.as_chunks::<128>().0);
        let clear = clear_bits(block);
        let dot0 = dots.dot32_narrow(quants::<0x01, 0x02, 0x04, 0x08>(&qs[0], clear), &q[0]);
        let dot1 = dots.dot32_narrow(quants::<0x10, 0x20, 0x40, 0x80>(&qs[1], clear), &q[1]);
        let [low, high] = k_scales(&block.scales);
        let ([scale0, min0], [scale1, min1]) = (dots.floats(low), dots.floats(high));
        let (x_scale, x_sum) = (x.scale.as_chunks::<4>().0, x.sum.as_chunks::<4>().0);

        let d = widen_pair(block.d, block.dmin);
        let [offset0, offset1] = offsets([scale0, scale1], [min0, min1], d);
        let sum = vfmaq_f32(vfmaq_f32(sum, offset0, f32x4(&x_sum[0])), offset1, f32x4(&x_sum[1]));

        let (scaled0, scaled1) = (vmulq_f32(dot0, scale0), vmulq_f32(dot1, scale1));
        let products = vfmaq_f32(vmulq_f32(scaled0, f32x4(&x_scale[0])), scaled1, f32x4(&x_scale[1]));
        vfmaq_laneq_f32::<0>(sum, products, d)
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockQ5K, half: usize| {
        let (qs, clear) = (&block.qs.as_chunks().0[half], clear_bits(block));
        if half == 0 {
            quants::<0x01, 0x02, 0x04, 0x08>(qs, clear)
        } else {
            quants::<0x10, 0x20, 0x40, 0x80>(qs, clear)
        }
    };
    unpack_rows256(layout, source, panel, half, |block| {
        let ([low, high], d) = (k_scales(&block.scales), widen_pair(block.d, block.dmin));
        let ([scale0, min0], [scale1, min1]) = (floats(low), floats(high));
        let scales = [vmulq_laneq_f32::<0>(scale0, d), vmulq_laneq_f32::<0>(scale1, d)];
        [scales, offsets([scale0, scale1], [min0, min1], d)]
    });
}

/// The inverted fifth bits.
#[inline]
#[target_feature(enable = "neon")]
fn clear_bits(block: &BlockQ5K) -> [uint8x16_t; 2] {
    let qh = block.qh.as_chunks().0;
    [vmvnq_u8(u8x16(&qh[0])), vmvnq_u8(u8x16(&qh[1]))]
}

/// `16 * d * scale - dmin * min` for each 32 weights.
#[inline]
#[target_feature(enable = "neon")]
fn offsets(scale: [float32x4_t; 2], min: [float32x4_t; 2], d: float32x4_t) -> [float32x4_t; 2] {
    let d16 = vmulq_n_f32(d, 16.0);
    let raised = [vmulq_laneq_f32::<0>(scale[0], d16), vmulq_laneq_f32::<0>(scale[1], d16)];
    [vfmsq_laneq_f32::<1>(raised[0], min[0], d), vfmsq_laneq_f32::<1>(raised[1], min[1], d)]
}

/// Four times 32 quants less 16 of half a block, whose fifth bits are the bits `B0`..`B3` of `clear`, inverted.
#[inline]
#[target_feature(enable = "neon")]
fn quants<const B0: u8, const B1: u8, const B2: u8, const B3: u8>(
    qs: &[u8; 64],
    clear: [uint8x16_t; 2],
) -> [[int8x16_t; 2]; 4] {
    let qs = qs.as_chunks().0;
    let bits = [vdupq_n_u8(B0), vdupq_n_u8(B1), vdupq_n_u8(B2), vdupq_n_u8(B3)];
    let a = five_bits(u8x16(&qs[0]), [vtstq_u8(clear[0], bits[0]), vtstq_u8(clear[0], bits[1])]);
    let b = five_bits(u8x16(&qs[1]), [vtstq_u8(clear[1], bits[0]), vtstq_u8(clear[1], bits[1])]);
    let c = five_bits(u8x16(&qs[2]), [vtstq_u8(clear[0], bits[2]), vtstq_u8(clear[0], bits[3])]);
    let d = five_bits(u8x16(&qs[3]), [vtstq_u8(clear[1], bits[2]), vtstq_u8(clear[1], bits[3])]);
    [[a[0], b[0]], [a[1], b[1]], [c[0], d[0]], [c[1], d[1]]]
}
