//! Half-precision conversions. They are ARMv8.0 instructions, but the vector types of half floats are not in stable Rust, so the halves
//! travel as integers and the instructions are written out.

use std::arch::aarch64::*;
use std::arch::asm;

/// Widens four halves; exact.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen(halves: uint16x4_t) -> float32x4_t {
    let floats: float32x4_t;
    // SAFETY: an instruction of the baseline that reads and writes the named registers only.
    unsafe {
        asm!("fcvtl {floats:v}.4s, {halves:v}.4h", floats = lateout(vreg) floats, halves = in(vreg) halves,
            options(pure, nomem, nostack, preserves_flags));
    }
    floats
}

/// Narrows four floats to halves, to nearest, ties to even; too large becomes infinity.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn narrow(floats: float32x4_t) -> uint16x4_t {
    let halves: uint16x4_t;
    // SAFETY: as in `widen`.
    unsafe {
        asm!("fcvtn {halves:v}.4h, {floats:v}.4s", halves = lateout(vreg) halves, floats = in(vreg) floats,
            options(pure, nomem, nostack, preserves_flags));
    }
    halves
}

/// Widens the scales of four blocks. They lie apart: the integer side, idle in the kernels, brings them together.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_each(halves: [[u8; 2]; 4]) -> float32x4_t {
    let [a, b, c, d] = halves.map(|half| u64::from(u16::from_le_bytes(half)));
    widen(vcreate_u16(a | b << 16 | c << 32 | d << 48))
}

/// 1.5 * 2^23 in the bits of a float. There, a float's last bit is worth 1: raised by this, an integer of up to 2^22 in magnitude is the
/// bits of a float that is too large by 1.5 * 2^23.
pub(super) const RAISED: i32 = 0x4b40_0000;

/// Integers that were raised by [`RAISED`], as floats; exact. From the Cortex-A76 on, a subtraction takes half the time of a conversion.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn lower(raised: int32x4_t) -> float32x4_t {
    vsubq_f32(vreinterpretq_f32_s32(raised), vreinterpretq_f32_s32(vdupq_n_s32(RAISED)))
}

/// Numbers as floats.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn floats(numbers: uint16x8_t) -> [float32x4_t; 2] {
    [vcvtq_f32_u32(vmovl_u16(vget_low_u16(numbers))), vcvtq_f32_u32(vmovl_high_u16(numbers))]
}

/// Widens a pair of scales into lanes 0 and 1; the others are zero.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn widen_pair(a: [u8; 2], b: [u8; 2]) -> float32x4_t {
    widen_each([a, b, [0; 2], [0; 2]])
}

/// Sixteen small integers as floats, times the first lane of `d`.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scaled16(numbers: int8x16_t, d: float32x4_t) -> [float32x4_t; 4] {
    let (low, high) = (vmovl_s8(vget_low_s8(numbers)), vmovl_high_s8(numbers));
    let scale = |x: int32x4_t| vmulq_laneq_f32::<0>(vcvtq_f32_s32(x), d);
    let low = [scale(vmovl_s16(vget_low_s16(low))), scale(vmovl_high_s16(low))];
    [low[0], low[1], scale(vmovl_s16(vget_low_s16(high))), scale(vmovl_high_s16(high))]
}
