//! Q4_K: `w = d * scale[i / 32] * q - dmin * min[i / 32]`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32, scale_min};

/// 256 weights in 144 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ4K {
    /// Scale of the scales, f16.
    pub d: [u8; 2],
    /// Scale of the minima, f16.
    pub dmin: [u8; 2],
    /// Eight 6-bit scales and minima.
    pub scales: [u8; 12],
    /// Quants 0..16: of each 32 bytes, the low nibbles are 32 weights and the high nibbles the next 32.
    pub qs: [u8; 128],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ4K {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ4K {}

impl Block for BlockQ4K {
    const FORMAT: Format = Format::Q4_K;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for (j, out) in out.chunks_exact_mut(32).enumerate() {
            let (scale, min) = scale_min(&self.scales, j);
            for (i, out) in out.iter_mut().enumerate() {
                let q = (self.qs[j / 2 * 32 + i] >> (4 * (j % 2))) & 15;
                *out = d * f32::from(scale) * f32::from(q) - dmin * f32::from(min);
            }
        }
    }
}

impl QuantBlock for BlockQ4K {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let (d, dmin) = (f16_to_f32(self.d), f16_to_f32(self.dmin));
        for (pair, qs) in self.qs.chunks_exact(32).enumerate() {
            for (i, q) in qs.iter().enumerate() {
                out.q[pair * 64 + i] = (q & 15) as i8;
                out.q[pair * 64 + 32 + i] = (q >> 4) as i8;
            }
        }
        for j in 0..8 {
            let (scale, min) = scale_min(&self.scales, j);
            out.set32(j, d * f32::from(scale), -dmin * f32::from(min));
        }
    }
}
