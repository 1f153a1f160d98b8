//! F16: IEEE 754 half precision, little-endian, at any alignment; and the conversions that scalar code uses for block scales.

use super::{Block, Format};

/// One F16 weight.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BlockF16(pub [u8; 2]);

// SAFETY: a transparent wrapper of bytes: any bits are valid, and it has no padding.
unsafe impl bytemuck::Zeroable for BlockF16 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockF16 {}

impl BlockF16 {
    /// The weight.
    #[inline(always)]
    pub fn get(self) -> f32 {
        f16_to_f32(self.0)
    }
}

impl Block for BlockF16 {
    const FORMAT: Format = Format::F16;
    const LEN: usize = 1;

    fn decode(&self, out: &mut [f32]) {
        out[0] = self.get();
    }
}

/// Widens a half-precision float (little-endian bytes); exact.
///
/// Exponent and mantissa move to their places in an `f32` whose exponent is 112 too small; one multiplication by 2^112 mends
/// normal and subnormal numbers alike. Infinities and NaN, whose exponent is all ones, are set apart. No branch, so loops vectorize.
#[inline(always)]
pub fn f16_to_f32(bytes: [u8; 2]) -> f32 {
    let half = u32::from(u16::from_le_bytes(bytes));
    let sign = (half & 0x8000) << 16;
    let magnitude = (half & 0x7fff) << 13;
    let finite = f32::from_bits(magnitude) * f32::from_bits((112 + 127) << 23);
    let bits = if magnitude >= 0x7c00 << 13 { magnitude | 0x7f80_0000 } else { finite.to_bits() };
    f32::from_bits(sign | bits)
}

/// Narrows a float to half precision (little-endian bytes), to nearest, ties to even; too large becomes infinity.
#[inline(always)]
pub fn f32_to_f16(x: f32) -> [u8; 2] {
    half::f16::from_f32_const(x).to_le_bytes()
}
