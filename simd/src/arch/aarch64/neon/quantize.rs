//! Floats to activation groups; the same bits as the scalar code, value by value.

use super::super::load::{f32x4, store_i8x16};
use crate::activation::{ActGroup, SCALE_LEN};
use std::arch::aarch64::*;

/// Quantizes a vector into its groups.
#[target_feature(enable = "neon")]
pub(crate) fn quantize(x: &[f32], groups: &mut [ActGroup]) {
    for (group, x) in groups.iter_mut().zip(x.chunks(ActGroup::LEN)) {
        if x.len() < ActGroup::LEN {
            *group = ActGroup::ZERO;
        }
        let (parts, rest) = x.as_chunks::<SCALE_LEN>();
        for (part, x) in parts.iter().enumerate() {
            quantize32(group, part, x);
        }
        if !rest.is_empty() {
            group.fill(parts.len(), rest);
        }
    }
}

/// Quantizes a whole part of a group.
///
/// Largest magnitude, division and multiplication are those of IEEE 754 as in the scalar code; like its `max`, `fmaxnm` passes over NaN.
/// `fcvtns` rounds ties to even, makes zero of NaN and saturates, as do the narrowing instructions, which leaves only -128 to raise.
#[inline]
#[target_feature(enable = "neon")]
fn quantize32(group: &mut ActGroup, part: usize, x: &[f32; SCALE_LEN]) {
    let x = x.as_chunks::<4>().0;
    let mut peak = vdupq_n_f32(0.0);
    for x in x {
        peak = vmaxnmq_f32(peak, vabsq_f32(f32x4(x)));
    }
    let scale = vmaxnmvq_f32(peak) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    let q = group.q.as_chunks_mut::<SCALE_LEN>().0[part].as_chunks_mut().0;
    for (q, x) in q.iter_mut().zip(x.as_chunks::<4>().0) {
        store_i8x16(q, round16(x, inverse));
    }
    group.finish(part, scale);
}

/// `x * inverse`, rounded to -127..=127.
#[inline]
#[target_feature(enable = "neon")]
fn round16(x: &[[f32; 4]; 4], inverse: f32) -> int8x16_t {
    let round4 = |x: &[f32; 4]| vcvtnq_s32_f32(vmulq_n_f32(f32x4(x), inverse));
    let low = vqmovn_high_s32(vqmovn_s32(round4(&x[0])), round4(&x[1]));
    let high = vqmovn_high_s32(vqmovn_s32(round4(&x[2])), round4(&x[3]));
    vmaxq_s8(vqmovn_high_s16(vqmovn_s16(low), high), vdupq_n_s8(-127))
}
