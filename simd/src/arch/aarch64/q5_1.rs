//! Q5_1: `w = d * q + m`, 32 weights in 24 bytes: f16 scale and minimum, a 32-bit number of fifth bits, and 16 bytes of nibbles, weights
//! 0..16 low and 16..32 high.
//!
//! Shapes: four blocks at a time, 128 weights, against half an activation group. Unpacking gives `q - 16`, which is one instruction less
//! and keeps the products small; 16 times the sum of activations is added to the integer sum, once for 32 weights.
//!
//! Integers: a sum of 32 products is at most 32 * 31 * 127 = 125,984 in an i32 lane; 16 times a sum of 16 activations at most
//! 16 * 16 * 127 = 32,512 in an i16 lane.

use super::convert::widen_each;
use super::dots::Dots;
use super::load::i16x8;
use super::quants::five_bits_of_number;
use super::rows::{Four, dot_rows32};
use crate::activation::Column;
use crate::block::BlockQ5_1;
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows32(rows, x, out, |[a, b, c, d]: &[BlockQ5_1; 4], x| {
        let w = [quants(a), quants(b), quants(c), quants(d)];
        let sixteens = vshlq_n_s16::<4>(i16x8(x.sum16));
        Four {
            dot: vpadalq_s16(dots.dot32_narrow(w, x.q), sixteens),
            scale: widen_each([a.d, b.d, c.d, d.d]),
            offset: Some(widen_each([a.m, b.m, c.m, d.m])),
        }
    });
}

/// Quants less 16.
#[inline]
#[target_feature(enable = "neon")]
fn quants(block: &BlockQ5_1) -> [int8x16_t; 2] {
    five_bits_of_number(&block.qs, block.qh)
}
