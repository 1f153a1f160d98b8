//! MXFP4: `w = scale * value[q]`, 32 weights in 17 bytes: the exponent of the scale and 16 bytes of nibbles, weights 0..16 low and 16..32 high;
//! a nibble chooses from sixteen values of -12..=12.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group.
//!
//! Integers: a sum of 32 products is at most 32 * 12 * 127 = 48,768 in an i32 lane.

use super::dots::Dots;
use super::load::f32x4;
use super::panels::{Layout, unpack_rows32};
use super::quants::chosen;
use super::rows::dot_rows32;
use crate::activation::Column;
use crate::block::{BlockMxfp4, MXFP4_VALUES, half_scale};
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |sum, blocks: &[BlockMxfp4; 4], x| {
        let [a, b, c, d] = blocks;
        let w = [values(a), values(b), values(c), values(d)];
        let products = vmulq_f32(dots.dot32_narrow(w, x.q), x.scale);
        vfmaq_f32(sum, products, scales([a, b, c, d]))
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    unpack_rows32(layout, source, panel, |block: &BlockMxfp4| values(block), |blocks| [scales(blocks)]);
}

/// The values of a block.
#[inline]
#[target_feature(enable = "neon")]
fn values(block: &BlockMxfp4) -> [int8x16_t; 2] {
    chosen(&MXFP4_VALUES, &block.qs)
}

/// The scales of four blocks.
#[inline]
#[target_feature(enable = "neon")]
fn scales(blocks: [&BlockMxfp4; 4]) -> float32x4_t {
    f32x4(&blocks.map(|block| half_scale(block.e)))
}
