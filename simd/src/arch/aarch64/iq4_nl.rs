//! IQ4_NL: `w = d * value[q]`, 32 weights in 18 bytes: an f16 scale and 16 bytes of nibbles, weights 0..16 low and 16..32 high; a nibble
//! chooses from sixteen int8 values.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group.
//!
//! Integers: a product is at most 127 * 127 = 16,129, a sum of 32 at most 516,128 in an i32 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::panels::{Layout, unpack_rows32};
use super::quants::chosen;
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::{BlockIQ4NL, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |sum, [a, b, c, d]: &[BlockIQ4NL; 4], x| {
        let w = [values(a), values(b), values(c), values(d)];
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
        |block: &BlockIQ4NL| values(block),
        |[a, b, c, d]| [widen_each([a.d, b.d, c.d, d.d])],
    );
}

/// The values of a block.
#[inline]
#[target_feature(enable = "neon")]
fn values(block: &BlockIQ4NL) -> [int8x16_t; 2] {
    chosen(&IQ4_VALUES, &block.qs)
}
