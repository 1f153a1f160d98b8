//! MXFP4: four-bit floats with a power of two for each 32 (OCP Microscaling Formats 1.0, 2023).

use super::{Block, Format, QuantBlock, Unpacked};

/// Twice what a nibble means: a sign, two bits of exponent, one of mantissa.
pub(crate) const MXFP4_VALUES: [i8; 16] = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

/// 32 weights in 17 bytes: `w = 2^(e - 127) * value[q]`.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockMxfp4 {
    /// Exponent of the scale, 127 more than it means.
    pub e: u8,
    /// Quants 0..16: weight `i` in the low nibble of byte `i`, weight `i + 16` in its high nibble.
    pub qs: [u8; 16],
}

// SAFETY: bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockMxfp4 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockMxfp4 {}

/// `2^(e - 128)`: half the scale, because the values are doubled. The two lowest are subnormal.
#[inline(always)]
pub(crate) fn half_scale(e: u8) -> f32 {
    f32::from_bits(if e < 2 { 0x0020_0000 << e } else { (u32::from(e) - 1) << 23 })
}

impl Block for BlockMxfp4 {
    const FORMAT: Format = Format::MXFP4;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        let mut unpacked = Unpacked::ZERO;
        self.unpack(&mut unpacked);
        out.iter_mut().zip(unpacked.q).for_each(|(out, q)| *out = unpacked.scale[0] * f32::from(q));
    }
}

impl QuantBlock for BlockMxfp4 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        for (i, q) in self.qs.iter().enumerate() {
            out.q[i] = MXFP4_VALUES[usize::from(q & 15)];
            out.q[i + 16] = MXFP4_VALUES[usize::from(q >> 4)];
        }
        out.set32(0, half_scale(self.e), 0.0);
    }
}
