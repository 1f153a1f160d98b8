//! Exact int8 dot products with `smull` and `smlal`, which multiply eight pairs of bytes into eight 16-bit lanes.
//!
//! Sixteen-bit lanes add twice as fast as wider ones, so the sums stay in them as long as the limits of [`Dots`] allow, through pairwise
//! additions that bring the four sums into one vector, and are widened last.

use super::super::convert;
use super::super::dots::Dots;
use super::super::load::i8x16;
use std::arch::aarch64::*;

/// Proof that NEON instructions may run.
#[derive(Clone, Copy)]
pub(super) struct Neon(());

impl Neon {
    /// Callable only where NEON instructions may run.
    #[inline]
    #[target_feature(enable = "neon")]
    pub(super) fn new() -> Self {
        Neon(())
    }
}

impl Dots for Neon {
    #[inline(always)]
    fn dot32_narrow(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t {
        // SAFETY: `self` was made where NEON instructions may run.
        unsafe { vcvtq_f32_s32(dot32_narrow(w, x)) }
    }

    #[inline(always)]
    fn dot32_wide(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t {
        // SAFETY: as above.
        unsafe { vcvtq_f32_s32(dot32_wide(w, x)) }
    }

    #[inline(always)]
    fn dot16(self, w: [int8x16_t; 4], x: &[i8; 64]) -> int32x4_t {
        // SAFETY: as above.
        unsafe { dot16(w, x) }
    }

    #[inline(always)]
    fn floats(self, numbers: uint16x8_t) -> [float32x4_t; 2] {
        // SAFETY: as above.
        unsafe { convert::floats(numbers) }
    }
}

/// A product is at most 16 * 127 = 2,032; a lane takes four of them, 8,128, and two pairwise additions make that 32,512.
#[inline]
#[target_feature(enable = "neon")]
fn dot32_narrow([a, b, c, d]: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> int32x4_t {
    let x = x.as_chunks::<32>().0;
    let ab = vpaddq_s16(products32(a, &x[0]), products32(b, &x[1]));
    let cd = vpaddq_s16(products32(c, &x[2]), products32(d, &x[3]));
    vpaddlq_s16(vpaddq_s16(ab, cd))
}

/// Thirty-two products, four to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn products32([w0, w1]: [int8x16_t; 2], x: &[i8; 32]) -> int16x8_t {
    let x = x.as_chunks().0;
    let (x0, x1) = (i8x16(&x[0]), i8x16(&x[1]));
    let sum = vmull_s8(vget_low_s8(w0), vget_low_s8(x0));
    let sum = vmlal_high_s8(sum, w0, x0);
    let sum = vmlal_s8(sum, vget_low_s8(w1), vget_low_s8(x1));
    vmlal_high_s8(sum, w1, x1)
}

/// A product is at most 128 * 127 = 16,256; a lane takes two, 32,512, and is widened at once.
#[inline]
#[target_feature(enable = "neon")]
fn dot32_wide([a, b, c, d]: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> int32x4_t {
    let x = x.as_chunks::<32>().0;
    let ab = vpaddq_s32(sums32(a, &x[0]), sums32(b, &x[1]));
    let cd = vpaddq_s32(sums32(c, &x[2]), sums32(d, &x[3]));
    vpaddq_s32(ab, cd)
}

/// Thirty-two products, eight to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn sums32([w0, w1]: [int8x16_t; 2], x: &[i8; 32]) -> int32x4_t {
    let x = x.as_chunks().0;
    vpadalq_s16(vpaddlq_s16(products16(w0, &x[0])), products16(w1, &x[1]))
}

/// Sixteen products, two to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn products16(w: int8x16_t, x: &[i8; 16]) -> int16x8_t {
    let x = i8x16(x);
    vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), w, x)
}

/// A product is at most 63 * 127 = 8,001; a lane takes two, and one pairwise addition makes that 32,004.
#[inline]
#[target_feature(enable = "neon")]
fn dot16([a, b, c, d]: [int8x16_t; 4], x: &[i8; 64]) -> int32x4_t {
    let x = x.as_chunks().0;
    let ab = vpaddq_s16(products16(a, &x[0]), products16(b, &x[1]));
    let cd = vpaddq_s16(products16(c, &x[2]), products16(d, &x[3]));
    vpaddq_s32(vpaddlq_s16(ab), vpaddlq_s16(cd))
}
