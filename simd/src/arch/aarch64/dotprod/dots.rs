//! Exact int8 dot products with `sdot`, which adds four products of bytes to each of four 32-bit lanes.
//!
//! Nothing here can overflow: 32 products of magnitude at most 128 * 127 are 520,192, which may be raised.

use super::super::convert::{RAISED, lower};
use super::super::dots::Dots;
use super::super::load::i8x16;
use std::arch::aarch64::*;
use std::arch::asm;

/// Proof that dot product instructions may run.
#[derive(Clone, Copy)]
pub(super) struct Dotprod(());

impl Dotprod {
    /// Callable only where dot product instructions may run.
    #[inline]
    #[target_feature(enable = "neon,dotprod")]
    pub(super) fn new() -> Self {
        Dotprod(())
    }
}

impl Dots for Dotprod {
    #[inline(always)]
    fn dot32_narrow(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t {
        self.dot32_wide(w, x)
    }

    #[inline(always)]
    fn dot32_wide(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t {
        // SAFETY: `self` was made where dot product instructions may run.
        unsafe { dot32(w, x) }
    }

    #[inline(always)]
    fn dot16(self, w: [int8x16_t; 4], x: &[i8; 64]) -> int32x4_t {
        // SAFETY: as above.
        unsafe { dot16(w, x) }
    }

    #[inline(always)]
    fn floats(self, numbers: uint16x8_t) -> [float32x4_t; 2] {
        // SAFETY: as above.
        unsafe { floats(numbers) }
    }
}

/// Four sums of 32 products, as floats.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot32([a, b, c, d]: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t {
    let x = x.as_chunks::<32>().0;
    let ab = vpaddq_s32(sums32(a, &x[0]), sums32(b, &x[1]));
    let cd = vpaddq_s32(sums32(c, &x[2]), sums32(d, &x[3]));
    lower(vpaddq_s32(ab, cd))
}

/// Thirty-two products, eight to a lane; the sum of the lanes is raised.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sums32([w0, w1]: [int8x16_t; 2], x: &[i8; 32]) -> int32x4_t {
    let x = x.as_chunks().0;
    let raised = vsetq_lane_s32::<0>(RAISED, vdupq_n_s32(0));
    sdot(sdot(raised, w0, i8x16(&x[0])), w1, i8x16(&x[1]))
}

/// Four sums of 16 products.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot16([a, b, c, d]: [int8x16_t; 4], x: &[i8; 64]) -> int32x4_t {
    let x = x.as_chunks().0;
    let zero = vdupq_n_s32(0);
    let ab = vpaddq_s32(sdot(zero, a, i8x16(&x[0])), sdot(zero, b, i8x16(&x[1])));
    let cd = vpaddq_s32(sdot(zero, c, i8x16(&x[2])), sdot(zero, d, i8x16(&x[3])));
    vpaddq_s32(ab, cd)
}

/// Numbers as floats: raised by 2^23, as integers by putting its upper half above each, and lowered as floats.
#[inline]
#[target_feature(enable = "neon")]
fn floats(numbers: uint16x8_t) -> [float32x4_t; 2] {
    /// The upper half of 2^23.
    const HIGH: u16 = 0x4b00;
    let (high, raised) = (vdupq_n_u16(HIGH), vdupq_n_f32(f32::from_bits(u32::from(HIGH) << 16)));
    let float = |x| vsubq_f32(vreinterpretq_f32_u16(x), raised);
    [float(vzip1q_u16(numbers, high)), float(vzip2q_u16(numbers, high))]
}

/// Adds to each lane of `sum` the products of its four bytes. Written out because the intrinsic is not in stable Rust.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: an instruction of the feature this function requires, which reads and writes the named registers only.
    unsafe {
        asm!("sdot {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
