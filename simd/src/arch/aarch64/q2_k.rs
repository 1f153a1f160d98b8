//! Q2_K: `w = d * scale[i / 16] * q - dmin * min[i / 16]`, 256 weights in 84 bytes: sixteen bytes of scale (low nibble) and minimum (high),
//! 64 bytes of bit pairs, f16 `d` and `dmin`. Half a block (128 weights) is the four bit pairs of 32 bytes, the lowest first.
//!
//! Shapes: a block against an activation group, in two halves of four times 32 weights. The scales multiply the integer sums; the minima
//! multiply the activations' sums per 16, in integers too.
//!
//! Integers: a sum of 16 products is at most 16 * 3 * 127 = 6,096, times a scale of at most 15 is 91,440, and two of them 182,880; two minima
//! times their sums are at most 2 * 15 * 16 * 127 = 60,960. A float holds all of that exactly.

use super::convert::{floats, widen_pair};
use super::dots::Dots;
use super::load::{f32x4, i16x8, u8x16};
use super::panels::{Layout, unpack_rows256};
use super::rows::{dot_rows256, scaled_sums};
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ2K;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockQ2K, x: &ActGroup| {
        let (w, q) = (block.qs.as_chunks::<32>().0, x.q.as_chunks::<128>().0);
        let (scales, minima) = terms(block);
        let dot0 = scaled_sums(dots, quants(&w[0]), &q[0], vreinterpretq_s16_u16(scales[0]));
        let dot1 = scaled_sums(dots, quants(&w[1]), &q[1], vreinterpretq_s16_u16(scales[1]));
        let sum16 = x.sum16.as_chunks::<8>().0;
        let (minima0, minima1) = (times_sums(minima[0], &sum16[0]), times_sums(minima[1], &sum16[1]));

        let x_scale = x.scale.as_chunks::<4>().0;
        let (scale0, scale1) = (f32x4(&x_scale[0]), f32x4(&x_scale[1]));
        let products = vmulq_f32(vcvtq_f32_s32(dot0), scale0);
        let products = vfmaq_f32(products, vcvtq_f32_s32(dot1), scale1);
        let minima = vmulq_f32(vcvtq_f32_s32(minima0), scale0);
        let minima = vfmaq_f32(minima, vcvtq_f32_s32(minima1), scale1);
        let d = widen_pair(block.d, block.dmin);
        vfmsq_laneq_f32::<1>(vfmaq_laneq_f32::<0>(sum, products, d), minima, d)
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockQ2K, half: usize| quants(&block.qs.as_chunks().0[half]);
    unpack_rows256(layout, source, panel, half, |block| {
        let ((scales, minima), d) = (terms(block), widen_pair(block.d, block.dmin));
        let minus = vnegq_f32(d);
        let ([a, b], [c, d2]) = (floats(scales[0]), floats(scales[1]));
        let ([e, f], [g, h]) = (floats(minima[0]), floats(minima[1]));
        let scale = |x| vmulq_laneq_f32::<0>(x, d);
        let offset = |x| vmulq_laneq_f32::<1>(x, minus);
        [[scale(a), scale(b), scale(c), scale(d2)], [offset(e), offset(f), offset(g), offset(h)]]
    });
}

/// Four times 32 quants, 0..=3, of half a block.
#[inline]
#[target_feature(enable = "neon")]
fn quants(qs: &[u8; 32]) -> [[int8x16_t; 2]; 4] {
    let qs = qs.as_chunks().0;
    let (a, b) = (u8x16(&qs[0]), u8x16(&qs[1]));
    let pair = |x| vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(3)));
    [
        [pair(a), pair(b)],
        [pair(vshrq_n_u8::<2>(a)), pair(vshrq_n_u8::<2>(b))],
        [pair(vshrq_n_u8::<4>(a)), pair(vshrq_n_u8::<4>(b))],
        [pair(vshrq_n_u8::<6>(a)), pair(vshrq_n_u8::<6>(b))],
    ]
}

/// The scales, and the minima, of both halves.
#[inline]
#[target_feature(enable = "neon")]
fn terms(block: &BlockQ2K) -> ([uint16x8_t; 2], [uint16x8_t; 2]) {
    let both = u8x16(&block.scales);
    let (scales, minima) = (vandq_u8(both, vdupq_n_u8(15)), vshrq_n_u8::<4>(both));
    let wide = |x| [vmovl_u8(vget_low_u8(x)), vmovl_high_u8(x)];
    (wide(scales), wide(minima))
}

/// Minima times the sums of the activations they belong to, 16 each, added up per 32.
#[inline]
#[target_feature(enable = "neon")]
fn times_sums(minima: uint16x8_t, sum16: &[i16; 8]) -> int32x4_t {
    let (minima, sum16) = (vreinterpretq_s16_u16(minima), i16x8(sum16));
    vpaddq_s32(vmull_s16(vget_low_s16(minima), vget_low_s16(sum16)), vmull_high_s16(minima, sum16))
}
