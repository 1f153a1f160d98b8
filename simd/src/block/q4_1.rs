//! Q4_1: `w = d * q + m`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 32 weights in 20 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ4_1 {
    /// Scale, f16.
    pub d: [u8; 2],
    /// Minimum, f16.
    pub m: [u8; 2],
    /// Quants 0..16: weight `i` in the low nibble of byte `i`, weight `i + 16` in its high nibble.
    pub qs: [u8; 16],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ4_1 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ4_1 {}

impl Block for BlockQ4_1 {
    const FORMAT: Format = Format::Q4_1;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        let (d, m) = (f16_to_f32(self.d), f16_to_f32(self.m));
        for (i, q) in self.qs.iter().enumerate() {
            out[i] = d * f32::from(q & 15) + m;
            out[i + 16] = d * f32::from(q >> 4) + m;
        }
    }
}

impl QuantBlock for BlockQ4_1 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        for (i, q) in self.qs.iter().enumerate() {
            out.q[i] = (q & 15) as i8;
            out.q[i + 16] = (q >> 4) as i8;
        }
        out.set32(0, f16_to_f32(self.d), f16_to_f32(self.m));
    }
}
