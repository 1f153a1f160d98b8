//! Q6_K: `w = d * scale[i / 16] * (q - 32)`, 256 weights in 210 bytes: 128 bytes of low nibbles, 64 bytes of upper two bits, 16 signed
//! scales, f16 `d`. Each half of the block, 128 weights, has 64 bytes of nibbles (low nibbles weights 0..64, high nibbles 64..128) and 32
//! bytes of upper bits (weights `i`, `i + 32`, `i + 64`, `i + 96` in byte `i`, from the lowest bits up).
//!
//! Shapes: a block against an activation group, four times 16 weights at a time. Quants are multiplied as they are, 0..=63; the 32 that
//! each of them lacks is taken off the scaled sum, `scale * dot - (32 * scale) * (sum of activations)`, once for 16 weights.
//!
//! Integers: a sum of 16 products is at most 16 * 63 * 127 = 128,016, times a scale of magnitude at most 128 is 16,386,048; the part to
//! take off is at most 32 * 128 * 16 * 127 = 8,323,072. Two differences, each at most 128 * 16 * 32 * 127 = 8,323,072, add up to
//! 16,646,144. All are i32 lanes, and a float holds the last exactly. `32 * scale` is at most 4,096 in an i16 lane.

use super::convert::{scaled16, widen_pair};
use super::dots::Dots;
use super::load::{f32x4, i8x16, i16x8, u8x16};
use super::panels::{Layout, unpack_rows256};
use super::rows::dot_rows256;
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ6K;
use crate::panel::{PanelGroup, Source};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot(dots: impl Dots, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows256(rows, x, out, |sum, block: &BlockQ6K, x: &ActGroup| {
        let (ql, qh) = (block.ql.as_chunks::<64>().0, block.qh.as_chunks::<32>().0);
        let (q, sum16) = (x.q.as_chunks::<128>().0, x.sum16.as_chunks::<8>().0);
        let scales = i8x16(&block.scales);
        let scaled0 = dot_half(dots, &ql[0], &qh[0], vget_low_s8(scales), &q[0], &sum16[0]);
        let scaled1 = dot_half(dots, &ql[1], &qh[1], vget_high_s8(scales), &q[1], &sum16[1]);

        let x_scale = x.scale.as_chunks::<4>().0;
        let products = vmulq_f32(vcvtq_f32_s32(scaled0), f32x4(&x_scale[0]));
        let products = vfmaq_f32(products, vcvtq_f32_s32(scaled1), f32x4(&x_scale[1]));
        vfmaq_laneq_f32::<0>(sum, products, widen_pair(block.d, [0; 2]))
    });
}

/// Rows into a panel.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn unpack(layout: impl Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let half = |block: &BlockQ6K, half: usize| {
        let (ql, qh) = (&block.ql.as_chunks().0[half], &block.qh.as_chunks().0[half]);
        let ([a, b, c, d], [e, f, g, h]) = quants(ql, qh);
        [centred(a, b), centred(c, d), centred(e, f), centred(g, h)]
    };
    unpack_rows256(layout, source, panel, half, |block| {
        let (scales, d) = (i8x16(&block.scales), widen_pair(block.d, [0; 2]));
        [scaled16(scales, d)]
    });
}

/// Half a block times its activations, in units of `d`: four sums of 32 weights, from its eight scales.
#[inline]
#[target_feature(enable = "neon")]
fn dot_half(
    dots: impl Dots,
    ql: &[u8; 64],
    qh: &[u8; 32],
    scales: int8x8_t,
    x: &[i8; 128],
    sum16: &[i16; 8],
) -> int32x4_t {
    let (low, high) = quants(ql, qh);
    let (x, sum16) = (x.as_chunks::<64>().0, i16x8(sum16));
    let (scales, scales32) = (vmovl_s8(scales), vshll_n_s8::<5>(scales));
    let scaled0 = vmulq_s32(dots.dot16(low, &x[0]), vmovl_s16(vget_low_s16(scales)));
    let scaled1 = vmulq_s32(dots.dot16(high, &x[1]), vmovl_high_s16(scales));
    let scaled0 = vmlsl_s16(scaled0, vget_low_s16(scales32), vget_low_s16(sum16));
    let scaled1 = vmlsl_high_s16(scaled1, scales32, sum16);
    vpaddq_s32(scaled0, scaled1)
}

/// The quants 0..=63 of half a block: weights 0..64, then 64..128.
///
/// An upper bit pair is shifted to its place above a nibble by the instruction that joins the two; what else comes along is masked off.
#[inline]
#[target_feature(enable = "neon")]
fn quants(ql: &[u8; 64], qh: &[u8; 32]) -> ([int8x16_t; 4], [int8x16_t; 4]) {
    let (ql, qh) = (ql.as_chunks().0, qh.as_chunks().0);
    let [a, b, c, d] = [u8x16(&ql[0]), u8x16(&ql[1]), u8x16(&ql[2]), u8x16(&ql[3])];
    let [e, f] = [u8x16(&qh[0]), u8x16(&qh[1])];
    let [e2, f2] = [vshrq_n_u8::<2>(e), vshrq_n_u8::<2>(f)];
    let low = [vsliq_n_u8::<4>(a, e), vsliq_n_u8::<4>(b, f), vsliq_n_u8::<4>(c, e2), vsliq_n_u8::<4>(d, f2)];
    let high = [vsriq_n_u8::<4>(e, a), vsriq_n_u8::<4>(f, b), vsriq_n_u8::<4>(e2, c), vsriq_n_u8::<4>(f2, d)];
    (low.map(|x| six_bits(x)), high.map(|x| six_bits(x)))
}

/// Thirty-two quants less 32.
#[inline]
#[target_feature(enable = "neon")]
fn centred(low: int8x16_t, high: int8x16_t) -> [int8x16_t; 2] {
    let middle = vdupq_n_s8(32);
    [vsubq_s8(low, middle), vsubq_s8(high, middle)]
}

/// The lower six bits of each byte.
#[inline]
#[target_feature(enable = "neon")]
fn six_bits(x: uint8x16_t) -> int8x16_t {
    vreinterpretq_s8_u8(vandq_u8(x, vdupq_n_u8(63)))
}
