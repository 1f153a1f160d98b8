//! What the recipes ask of an instruction set: exact dot products of int8 weights and activations.

use std::arch::aarch64::*;

/// The int8 dot products of one instruction set. A value exists only where its instructions may run, which is what makes the methods safe.
///
/// Activations are -127..=127. A method that multiplies returns four exact sums, one a lane, in the order of the weights. The limits on the weights are those
/// of the narrowest implementation; each says why its integers cannot overflow within them.
pub(super) trait Dots: Copy {
    /// Four sums of 32 products; the weights are -16..=15 or 0..=15.
    fn dot32_narrow(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t;

    /// Four sums of 32 products; the weights are any int8, -128 included.
    fn dot32_wide(self, w: [[int8x16_t; 2]; 4], x: &[i8; 128]) -> float32x4_t;

    /// Four sums of 16 products; the weights are -63..=63.
    fn dot16(self, w: [int8x16_t; 4], x: &[i8; 64]) -> int32x4_t;

    /// Numbers as floats.
    fn floats(self, numbers: uint16x8_t) -> [float32x4_t; 2];
}
