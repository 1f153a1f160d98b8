//! Q5_0: `w = d * (q - 16)`.

use super::{Block, Format, QuantBlock, Unpacked, f16_to_f32};

/// 32 weights in 22 bytes.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct BlockQ5_0 {
    /// Scale, f16.
    pub d: [u8; 2],
    /// The fifth bit of each quant: that of weight `i` is bit `i` of this little-endian number.
    pub qh: [u8; 4],
    /// Low four bits: weight `i` in the low nibble of byte `i`, weight `i + 16` in its high nibble.
    pub qs: [u8; 16],
}

// SAFETY: arrays of bytes only: any bits are valid, alignment is one, and there is no padding.
unsafe impl bytemuck::Zeroable for BlockQ5_0 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockQ5_0 {}

/// The quants 0..32 of a pair of 4-bit and fifth-bit fields; also those of Q5_1.
#[inline(always)]
pub(super) fn quants(qs: &[u8; 16], qh: [u8; 4]) -> [u8; 32] {
    let high = u32::from_le_bytes(qh);
    std::array::from_fn(|i| {
        let low = if i < 16 { qs[i] & 15 } else { qs[i - 16] >> 4 };
        low | (((high >> i) & 1) << 4) as u8
    })
}

impl Block for BlockQ5_0 {
    const FORMAT: Format = Format::Q5_0;
    const LEN: usize = 32;

    fn decode(&self, out: &mut [f32]) {
        let d = f16_to_f32(self.d);
        for (out, q) in out.iter_mut().zip(quants(&self.qs, self.qh)) {
            *out = d * (f32::from(q) - 16.0);
        }
    }
}

impl QuantBlock for BlockQ5_0 {
    #[inline(always)]
    fn unpack(&self, out: &mut Unpacked) {
        for (out, q) in out.q.iter_mut().zip(quants(&self.qs, self.qh)) {
            *out = q as i8 - 16;
        }
        out.set32(0, f16_to_f32(self.d), 0.0);
    }
}
