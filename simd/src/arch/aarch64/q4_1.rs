//! Q4_1: `w = d * q + m`, 32 weights in 20 bytes: f16 scale and minimum, and 16 bytes of nibbles, weights 0..16 low and 16..32 high.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group; the minimum meets the activations' sum per 32.
//!
//! Integers: a sum of 32 products is at most 32 * 15 * 127 = 60,960 in an i32 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::panels::{Layout, unpack_rows32};
use super::quants::nibbles;
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::BlockQ4_1;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |sum, [a, b, c, d]: &[BlockQ4_1; 4], x| {
        let w = [nibbles(&a.qs), nibbles(&b.qs), nibbles(&c.qs), nibbles(&d.qs)];
        let products = vmulq_f32(dots.dot32_narrow(w, x.q), x.scale);
        let sum = vfmaq_f32(sum, products, widen_each([a.d, b.d, c.d, d.d]));
        vfmaq_f32(sum, x.sum, widen_each([a.m, b.m, c.m, d.m]))
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
        |block: &BlockQ4_1| nibbles(&block.qs),
        |[a, b, c, d]| [widen_each([a.d, b.d, c.d, d.d]), widen_each([a.m, b.m, c.m, d.m])],
    );
}
