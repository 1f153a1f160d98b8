//! Q4_0: `w = d * (q - 8)`, 32 weights in 18 bytes: an f16 scale and 16 bytes of nibbles, weights 0..16 low and 16..32 high.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group. Nibbles are multiplied as they are, 0..=15; the 8 that
//! each of them lacks is taken off the integer sum, `dot - 8 * (sum of activations)`, once for 32 weights.
//!
//! Integers: a sum of 32 products is at most 32 * 15 * 127 = 60,960 in an i32 lane; 8 times a sum of 16 activations at most
//! 8 * 16 * 127 = 16,256 in an i16 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::load::i16x8;
use super::quants::nibbles;
use super::rows::{Four, dot_rows32};
use crate::activation::Column;
use crate::block::BlockQ4_0;
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |[a, b, c, d]: &[BlockQ4_0; 4], x| {
        let w = [nibbles(&a.qs), nibbles(&b.qs), nibbles(&c.qs), nibbles(&d.qs)];
        let eights = vmulq_n_s16(i16x8(x.sum16), -8);
        Four {
            dot: vpadalq_s16(dots.dot32_narrow(w, x.q), eights),
            scale: widen_each([a.d, b.d, c.d, d.d]),
            offset: None,
        }
    });
}
