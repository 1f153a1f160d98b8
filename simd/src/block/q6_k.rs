//! Q6_K: `w = d * scale[i / 16] * (q - 32)`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 256 weights in 210 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ6K {
    /// Low four bits. Each half of the block (128 weights) takes 64 bytes: the low nibbles of bytes 0..64 are its weights 0..64,
    /// the high nibbles its weights 64..128.
    pub ql: [u8; 128],
    /// High two bits. Each half takes 32 bytes: bits 0..2 of byte `i` belong to its weight `i`, bits 2..4 to `i + 32`,
    /// bits 4..6 to `i + 64`, bits 6..8 to `i + 96`.
    pub qh: [u8; 64],
    /// One signed scale per 16 weights.
    pub scales: [i8; 16],
    /// Scale of the scales, f16.
    pub d: [u8; 2],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ6K {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ6K {}

impl BlockQ6K {
    /// Quant 0..64 of weight `i` (0..256).
    #[inline(always)]
    fn quant(&self, i: usize) -> u8 {
        let (half, i) = (i / 128, i % 128);
        let low = (self.ql[half * 64 + i % 64] >> (4 * (i / 64))) & 15;
        let high = (self.qh[half * 32 + i % 32] >> (2 * (i / 32))) & 3;
        low | (high << 4)
    }
}

impl Block for BlockQ6K {
    const FORMAT: Format = Format::Q6_K;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let d = f16_to_f32(self.d);
        for (i, out) in out.iter_mut().enumerate() {
            *out = d * f32::from(self.scales[i / 16]) * (f32::from(self.quant(i)) - 32.0);
        }
    }
}

impl QuantBlock for BlockQ6K {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, out) in out.q.iter_mut().enumerate() {
            *out = self.quant(i) as i8 - 32;
        }
        for (out, &scale) in out.scale.iter_mut().zip(&self.scales) {
            *out = d * f32::from(scale);
        }
        out.offset.fill(0.0);
    }
}
