//! Q3_K: `w = d * scale[i / 16] * (q - 4)`.

use super::q2_k::bit_pair;
use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 256 weights in 110 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ3K {
    /// High bits of the quants: bit `j` of byte `i` is that of weight `32 * j + i`.
    pub hmask: [u8; 32],
    /// Low bit pairs of the quants, in the order of Q2_K.
    pub qs: [u8; 64],
    /// Sixteen 6-bit scales, each 32 more than it means: low nibbles of scales 0..8 in the low nibbles of bytes 0..8, those of scales 8..16
    /// in the high nibbles; bit pair `j` of byte `8 + i` is the high bits of scale `4 * j + i`.
    pub scales: [u8; 12],
    /// Scale of the scales, f16.
    pub d: [u8; 2],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ3K {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ3K {}

impl BlockQ3K {
    /// Quant 0..8 of weight `i` (0..256).
    #[inline(always)]
    fn quant(&self, i: usize) -> u8 {
        bit_pair(&self.qs, i) | ((self.hmask[i % 32] >> (i / 32)) & 1) << 2
    }
}

/// The sixteen scales, -32..32 each, four at a time in ordinary registers.
#[inline(always)]
pub(crate) fn scales_q3(packed: &[u8; 12]) -> [i8; 16] {
    let [a, b, high] = bytemuck::cast::<_, [[u8; 4]; 3]>(*packed).map(u32::from_le_bytes);
    let four = |low: u32, high: u32| ((low & 0x0f0f_0f0f) | (high & 0x0303_0303) << 4).to_le_bytes();
    let fours = [four(a, high), four(b, high >> 2), four(a >> 4, high >> 4), four(b >> 4, high >> 6)];
    bytemuck::cast::<_, [u8; 16]>(fours).map(|scale| scale as i8 - 32)
}

impl Block for BlockQ3K {
    const FORMAT: Format = Format::Q3_K;
    const LEN: usize = 256;

    fn decode(&self, out: &mut [f32]) {
        let (d, scales) = (f16_to_f32(self.d), scales_q3(&self.scales));
        for (i, out) in out.iter_mut().enumerate() {
            *out = d * f32::from(scales[i / 16]) * (f32::from(self.quant(i)) - 4.0);
        }
    }
}

impl QuantBlock for BlockQ3K {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        let d = f16_to_f32(self.d);
        for (i, out) in out.q.iter_mut().enumerate() {
            *out = self.quant(i) as i8 - 4;
        }
        for (out, scale) in out.scale.iter_mut().zip(scales_q3(&self.scales)) {
            *out = d * f32::from(scale);
        }
        out.offset.fill(0.0);
    }
}
