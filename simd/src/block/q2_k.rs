//! Q2_K: `w = d * scale[i / 16] * q - dmin * min[i / 16]`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 256 weights in 84 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ2K {
    /// Per 16 weights, the scale in the low nibble and the minimum in the high one.
    pub scales: [u8; 16],
    /// Quants 0..4: each half of the block (128 weights) takes 32 bytes; bits 0..2 of byte `i` are its weight `i`, bits 2..4 weight
    /// `i + 32`, bits 4..6 weight `i + 64`, bits 6..8 weight `i + 96`.
    pub qs: [u8; 64],
    /// Scale of the scales, f16.
    pub d: [u8; 2],
    /// Scale of the minima, f16.
    pub dmin: [u8; 2],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ2K {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ2K {}

/// Bit pair `i` (0..256) of 64 bytes, in the order that Q2_K and Q3_K keep them in.
#[inline(always)]
pub(super) fn bit_pair(qs: &[u8; 64], i: usize) -> u8 {
    let (half, i) = (i / 128, i % 128);
    (qs[half * 32 + i % 32] >> (2 * (i / 32))) & 3
}

impl Block for BlockQ2K {
    const FORMAT: Format = Format::Q2_K;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for (i, out) in out.iter_mut().enumerate() {
            let scale = self.scales[i / 16];
            *out =
                d * f32::from(scale & 15) * f32::from(bit_pair(&self.qs, i)) - dmin * f32::from(scale >> 4);
        }
    }
}

impl QuantBlock for BlockQ2K {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for (i, out) in out.q.iter_mut().enumerate() {
            *out = bit_pair(&self.qs, i) as i8;
        }
        for (i, scale) in self.scales.iter().enumerate() {
            out.scale[i] = d * f32::from(scale & 15);
            out.offset[i] = -dmin * f32::from(scale >> 4);
        }
    }
}
