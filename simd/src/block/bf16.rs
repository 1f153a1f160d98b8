//! BF16: the upper 16 bits of a float, little-endian, at any alignment.

use super::{Block, Format};

/// One BF16 weight.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BlockBf16(pub [u8; 2]);

// SAFETY: a transparent wrapper of bytes: any bits are valid, and it has no padding.
unsafe impl bytemuck::Zeroable for BlockBf16 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockBf16 {}

impl BlockBf16 {
    /// The weight.
    #[inline(always)]
    pub fn get(self) -> f32 {
        f32::from_bits(u32::from(u16::from_le_bytes(self.0)) << 16)
    }
}

impl Block for BlockBf16 {
    const FORMAT: Format = Format::BF16;
    const LEN: usize = 1;

    fn decode(&self, out: &mut [f32]) {
        out[0] = self.get();
    }
}
