//! Q4_0: `w = d * (q - 8)`, 32 weights in 18 bytes: an f16 scale and 16 bytes of nibbles, weights 0..16 low and 16..32 high.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group. Nibbles are multiplied as they are, 0..=15; the 8 that
//! each of them lacks is taken off once for 32 weights, `d * (products - 8 * (sum of activations))`.
//!
//! Integers: a sum of 32 products is at most 32 * 15 * 127 = 60,960 in an i32 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::panels::{Layout, unpack_rows32};
use super::quants::nibbles;
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::BlockQ4_0;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let eight = vdupq_n_f32(8.0);
    dot_rows32(rows, x, out, |sum, [a, b, c, d]: &[BlockQ4_0; 4], x| {
        let w = [nibbles(&a.qs), nibbles(&b.qs), nibbles(&c.qs), nibbles(&d.qs)];
        let products = vmulq_f32(dots.dot32_narrow(w, x.q), x.scale);
        vfmaq_f32(sum, vfmsq_f32(products, eight, x.sum), widen_each([a.d, b.d, c.d, d.d]))
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    unpack_rows32(
        layout,
        source,
        panel,
        |block: &BlockQ4_0| centred(block),
        |[a, b, c, d]| [widen_each([a.d, b.d, c.d, d.d])],
    );
}

/// Quants less 8.
#[inline]
#[target_feature(enable = "neon")]
fn centred(block: &BlockQ4_0) -> [int8x16_t; 2] {
    let ([low, high], eight) = (nibbles(&block.qs), vdupq_n_s8(8));
    [vsubq_s8(low, eight), vsubq_s8(high, eight)]
}
