//! Q8_0: `w = d * q`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 32 weights in 34 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ8_0 {
    /// Scale, f16.
    pub d: [u8; 2],
    /// Quants; a well-made file has none of -128, a hostile one may.
    pub qs: [i8; 32],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ8_0 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ8_0 {}

impl Block for BlockQ8_0 {
    const FORMAT: Format = Format::Q8_0;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        let d = f16_to_f32(self.d);
        for (out, &q) in out.iter_mut().zip(&self.qs) {
            *out = d * f32::from(q);
        }
    }
}

impl QuantBlock for BlockQ8_0 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        out.q[..32].copy_from_slice(&self.qs);
        out.set32(0, f16_to_f32(self.d), 0.0);
    }
}
