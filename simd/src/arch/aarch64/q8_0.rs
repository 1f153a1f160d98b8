//! Q8_0: `w = d * q`, 32 weights in 34 bytes: an f16 scale and 32 signed bytes.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group.
//!
//! Integers: well-made files hold no -128, hostile ones may, and activations never are: a product is at most 128 * 127 = 16,256, a sum of
//! 32 at most 520,192 in an i32 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::load::i8x16;
use super::panels::{Layout, unpack_rows32};
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::BlockQ8_0;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |sum, [a, b, c, d]: &[BlockQ8_0; 4], x| {
        let w = [quants(a), quants(b), quants(c), quants(d)];
        let products = vmulq_f32(dots.dot32_wide(w, x.q), x.scale);
        vfmaq_f32(sum, products, widen_each([a.d, b.d, c.d, d.d]))
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
        |block: &BlockQ8_0| quants(block),
        |[a, b, c, d]| [widen_each([a.d, b.d, c.d, d.d])],
    );
}

/// The quants as they are.
#[inline]
#[target_feature(enable = "neon")]
fn quants(block: &BlockQ8_0) -> [int8x16_t; 2] {
    let halves = block.qs.as_chunks().0;
    [i8x16(&halves[0]), i8x16(&halves[1])]
}
