//! F32, F16 and BF16: each weight alone, rounded to nearest, halves to even.

use siskin_simd::block::f32_to_f16;

/// Four bytes a weight.
pub fn f32(weights: &[f32], out: &mut [u8]) {
    for (x, out) in weights.iter().zip(out.as_chunks_mut().0) {
        *out = x.to_le_bytes();
    }
}

/// Two bytes a weight.
pub fn f16(weights: &[f32], out: &mut [u8]) {
    for (x, out) in weights.iter().zip(out.as_chunks_mut().0) {
        *out = f32_to_f16(*x);
    }
}

/// The upper half of a float, after rounding. What is not a number stays so.
pub fn bf16(weights: &[f32], out: &mut [u8]) {
    for (x, out) in weights.iter().zip(out.as_chunks_mut().0) {
        let bits = x.to_bits();
        let rounded = if x.is_nan() { bits | 1 << 22 } else { bits + 0x7fff + (bits >> 16 & 1) };
        *out = ((rounded >> 16) as u16).to_le_bytes();
    }
}
