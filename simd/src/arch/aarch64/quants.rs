//! Packed quants to int8 vectors, for the formats that share a packing.

use super::load::{i8x16, u8x16};
use std::arch::aarch64::*;

/// Sixteen bytes to the quants 0..=15 of their low nibbles, then of their high nibbles.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn nibbles(qs: &[u8; 16]) -> [int8x16_t; 2] {
    let qs = u8x16(qs);
    let (low, high) = (vandq_u8(qs, vdupq_n_u8(15)), vshrq_n_u8::<4>(qs));
    [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(high)]
}

/// What the low nibbles of sixteen bytes choose from sixteen values, then what the high ones do.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn chosen(values: &[i8; 16], qs: &[u8; 16]) -> [int8x16_t; 2] {
    let (qs, values) = (u8x16(qs), i8x16(values));
    [vqtbl1q_s8(values, vandq_u8(qs, vdupq_n_u8(15))), vqtbl1q_s8(values, vshrq_n_u8::<4>(qs))]
}

/// Nibbles and fifth bits to quants less 16, thus -16..=15: the low nibbles with `clear[0]`, then the high ones with `clear[1]`.
///
/// A byte of `clear` is all ones where the fifth bit is clear, and zero where it is set. Its upper half beside the nibble is just the sign
/// extension of the quant less 16, and both halves of it meet in one instruction.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn five_bits(qs: uint8x16_t, clear: [uint8x16_t; 2]) -> [int8x16_t; 2] {
    let low = vsliq_n_u8::<4>(qs, clear[0]);
    let high = vsriq_n_u8::<4>(clear[1], qs);
    [vreinterpretq_s8_u8(low), vreinterpretq_s8_u8(high)]
}

/// The quants less 16 of a block whose fifth bits are one number, bit `i` that of weight `i` (Q5_0 and Q5_1).
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn five_bits_of_number(qs: &[u8; 16], qh: [u8; 4]) -> [int8x16_t; 2] {
    /// Which byte of the number holds the bit of each weight, and where in it.
    const BYTE: [[u8; 16]; 2] =
        [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], [2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]];
    const BIT: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
    let inverted = vreinterpretq_u8_u32(vdupq_n_u32(!u32::from_le_bytes(qh)));
    let bit = u8x16(&BIT);
    let low = vtstq_u8(vqtbl1q_u8(inverted, u8x16(&BYTE[0])), bit);
    let high = vtstq_u8(vqtbl1q_u8(inverted, u8x16(&BYTE[1])), bit);
    five_bits(u8x16(qs), [low, high])
}

/// The eight 6-bit scales and minima of Q4_K and Q5_K: scales 0..4 and minima 0..4, then scales 4..8 and minima 4..8.
///
/// The packing (see `block/k_scales.rs`) is taken apart eight bytes at a time on the integer side.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn k_scales(scales: &[u8; 12]) -> [uint16x8_t; 2] {
    let [a, b, c, d, e, f, g, h, high @ ..] = *scales;
    let head = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
    let nibbles = u64::from(u32::from_le_bytes(high));
    let low = head & 0x3f3f_3f3f_3f3f_3f3f;
    let high = ((nibbles | nibbles << 28) & 0x0f0f_0f0f_0f0f_0f0f) | (head >> 2 & 0x3030_3030_3030_3030);
    [vmovl_u8(vcreate_u8(low)), vmovl_u8(vcreate_u8(high))]
}
