//! Q5_1: `w = d * q + m`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32, q5_0::quants};

/// 32 weights in 24 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ5_1 {
    /// Scale, f16.
    pub d: [u8; 2],
    /// Minimum, f16.
    pub m: [u8; 2],
    /// The fifth bit of each quant: that of weight `i` is bit `i` of this little-endian number.
    pub qh: [u8; 4],
    /// Low four bits: weight `i` in the low nibble of byte `i`, weight `i + 16` in its high nibble.
    pub qs: [u8; 16],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ5_1 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ5_1 {}

impl Block for BlockQ5_1 {
    const FORMAT: Format = Format::Q5_1;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        let (d, m) = (f16_to_f32(self.d), f16_to_f32(self.m));
        for (out, q) in out.iter_mut().zip(quants(&self.qs, self.qh)) {
            *out = d * f32::from(q) + m;
        }
    }
}

impl QuantBlock for BlockQ5_1 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        for (out, q) in out.q.iter_mut().zip(quants(&self.qs, self.qh)) {
            *out = q as i8;
        }
        out.set32(0, f16_to_f32(self.d), f16_to_f32(self.m));
    }
}
