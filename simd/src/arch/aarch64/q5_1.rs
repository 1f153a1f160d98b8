//! Q5_1: `w = d * q + m`, 32 weights in 24 bytes: f16 scale and minimum, a 32-bit number of fifth bits, and 16 bytes of nibbles, weights
//! 0..16 low and 16..32 high.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group. Unpacking gives `q - 16`, which is one instruction less
//! and keeps the products small; the 16 is put back once for 32 weights, `d * (products + 16 * (sum of activations))`.
//!
//! Integers: a sum of 32 products is at most 32 * 16 * 127 = 65,024 in an i32 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::panels::{Layout, unpack_rows32};
use super::quants::five_bits_of_number;
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::BlockQ5_1;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let sixteen = vdupq_n_f32(16.0);
    dot_rows32(rows, x, out, |sum, [a, b, c, d]: &[BlockQ5_1; 4], x| {
        let w = [quants(a), quants(b), quants(c), quants(d)];
        let products = vmulq_f32(dots.dot32_narrow(w, x.q), x.scale);
        let sum = vfmaq_f32(sum, vfmaq_f32(products, sixteen, x.sum), widen_each([a.d, b.d, c.d, d.d]));
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
        |block: &BlockQ5_1| quants(block),
        |[a, b, c, d]| {
            let (scale, m) = (widen_each([a.d, b.d, c.d, d.d]), widen_each([a.m, b.m, c.m, d.m]));
            [scale, vfmaq_n_f32(m, scale, 16.0)]
        },
    );
}

/// Quants less 16.
#[inline]
#[target_feature(enable = "neon")]
fn quants(block: &BlockQ5_1) -> [int8x16_t; 2] {
    five_bits_of_number(&block.qs, block.qh)
}
