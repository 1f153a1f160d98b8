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

#[cfg(test)]
mod tests {
    use crate::{ActGroup, Isa, Kernels};

    /// Ties, values at the edge of subnormal scales, NaN and infinity, against the scalar code.
    #[test]
    fn odd_values_quantize_as_in_scalar_code() {
        let Ok(neon) = Kernels::new(Isa::Neon) else { return };
        let scalar = Kernels::new(Isa::Scalar).expect("scalar runs everywhere");
        let ties: Vec<f32> = (0..32).map(|i| if i == 0 { 127.0 } else { i as f32 - 16.5 }).collect();
        for scale in [1.0, -1.0, 1e-38, -3e-43, 1e-45, f32::MAX / 128.0] {
            for odd in [0.0, -0.0, f32::NAN, -f32::NAN] {
                let mut x: Vec<f32> = ties.iter().map(|x| x * scale).collect();
                x[5] = odd;
                let mut groups = [[ActGroup::ZERO]; 2];
                neon.quantize(&x, &mut groups[0]);
                scalar.quantize(&x, &mut groups[1]);
                assert_eq!(groups[0], groups[1], "scale {scale}, odd value {odd}");
            }
        }
        let mut groups = [[ActGroup::ZERO]; 2];
        neon.quantize(&[f32::INFINITY; 32], &mut groups[0]);
        scalar.quantize(&[f32::INFINITY; 32], &mut groups[1]);
        assert_eq!(groups[0][0].q, groups[1][0].q);
    }
}
