//! Q5_K: `w = d * scale[i / 32] * q - dmin * min[i / 32]`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32, scale_min};

/// 256 weights in 176 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ5K {
    /// Scale of the scales, f16.
    pub d: [u8; 2],
    /// Scale of the minima, f16.
    pub dmin: [u8; 2],
    /// Eight 6-bit scales and minima.
    pub scales: [u8; 12],
    /// The fifth bit of each quant: that of weight `32 * j + i` is bit `j` of byte `i`.
    pub qh: [u8; 32],
    /// Low four bits: of each 32 bytes, the low nibbles are 32 weights and the high nibbles the next 32.
    pub qs: [u8; 128],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ5K {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ5K {}

impl BlockQ5K {
    /// Quant 0..32 of weight `32 * j + i`.
    #[inline(always)]
    fn quant(&self, j: usize, i: usize) -> u8 {
        let low = (self.qs[j / 2 * 32 + i] >> (4 * (j % 2))) & 15;
        low | (((self.qh[i] >> j) & 1) << 4)
    }
}

impl Block for BlockQ5K {
    const FORMAT: Format = Format::Q5_K;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for (j, out) in out.chunks_exact_mut(32).enumerate() {
            let (scale, min) = scale_min(&self.scales, j);
            for (i, out) in out.iter_mut().enumerate() {
                *out = d * f32::from(scale) * f32::from(self.quant(j, i)) - dmin * f32::from(min);
            }
        }
    }
}

impl QuantBlock for BlockQ5K {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for j in 0..8 {
            for i in 0..32 {
                out.q[j * 32 + i] = self.quant(j, i) as i8;
            }
            let (scale, min) = scale_min(&self.scales, j);
            out.set32(j, d * f32::from(scale), -dmin * f32::from(min));
        }
    }
}
