//! Q3_K: `w = d * scale[i / 16] * (q - 4)`, 256 weights in 110 bytes: 32 bytes of high bits, 64 bytes of bit pairs, sixteen 6-bit scales in
//! 12 bytes, f16 `d`. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest first; the high bits of 32 weights are the
//! same bit of all 32 bytes.
//!
//! Shapes: a block against an activation group, in two halves of four times 32 weights. Quants are multiplied less 4, -4..=3.
//!
//! Integers: a sum of 16 products is at most 16 * 4 * 127 = 8,128 in magnitude, times a scale of at most 32 is 260,096; a float holds two of
//! them exactly.

use super::convert::{scaled16, widen_pair};
use super::dots::Dots;
use super::load::{f32x4, i8x16, u8x16};
use super::panels::{Layout, unpack_rows256};
use super::rows::{dot_rows256, scaled_sums};
use crate::activation::{ActGroup, Column};
use crate::block::{BlockQ3K, scales_q3};
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockQ3K, x: &ActGroup| {
        let (clear, q) = (clear_bits(block), x.q.as_chunks::<128>().0);
        let scales = i8x16(&scales_q3(&block.scales));
        let dot0 = scaled_sums(dots, quants(block, clear, 0), &q[0], vmovl_s8(vget_low_s8(scales)));
        let dot1 = scaled_sums(dots, quants(block, clear, 1), &q[1], vmovl_high_s8(scales));

        let x_scale = x.scale.as_chunks::<4>().0;
        let products = vmulq_f32(vcvtq_f32_s32(dot0), f32x4(&x_scale[0]));
        let products = vfmaq_f32(products, vcvtq_f32_s32(dot1), f32x4(&x_scale[1]));
        vfmaq_laneq_f32::<0>(sum, products, widen_pair(block.d, [0; 2]))
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockQ3K, half: usize| quants(block, clear_bits(block), half);
    unpack_rows256(layout, source, panel, half, |block| {
        let (scales, d) = (i8x16(&scales_q3(&block.scales)), widen_pair(block.d, [0; 2]));
        [scaled16(scales, d)]
    });
}

/// The complement of the high bits.
#[inline]
#[target_feature(enable = "neon")]
fn clear_bits(block: &BlockQ3K) -> [uint8x16_t; 2] {
    let bits = block.hmask.as_chunks().0;
    [vmvnq_u8(u8x16(&bits[0])), vmvnq_u8(u8x16(&bits[1]))]
}

/// Four times 32 quants less 4, of half a block.
///
/// What stands above a bit pair is replaced by six ones where the high bit is clear, and by zeros where it is set: just the sign extension of
/// the quant less 4.
#[inline]
#[target_feature(enable = "neon")]
fn quants(block: &BlockQ3K, [clear0, clear1]: [uint8x16_t; 2], half: usize) -> [[int8x16_t; 2]; 4] {
    let qs = block.qs.as_chunks::<16>().0;
    let (a, b) = (u8x16(&qs[half * 2]), u8x16(&qs[half * 2 + 1]));
    let extended = |pairs: uint8x16_t, clear: uint8x16_t, i: usize| {
        let clear = vtstq_u8(clear, vdupq_n_u8(1 << (half * 4 + i)));
        vreinterpretq_s8_u8(vsliq_n_u8::<2>(pairs, clear))
    };
    [
        [extended(a, clear0, 0), extended(b, clear1, 0)],
        [extended(vshrq_n_u8::<2>(a), clear0, 1), extended(vshrq_n_u8::<2>(b), clear1, 1)],
        [extended(vshrq_n_u8::<4>(a), clear0, 2), extended(vshrq_n_u8::<4>(b), clear1, 2)],
        [extended(vshrq_n_u8::<6>(a), clear0, 3), extended(vshrq_n_u8::<6>(b), clear1, 3)],
    ]
}
