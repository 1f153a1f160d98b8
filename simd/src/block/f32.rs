//! F32: a float, little-endian, at any alignment.

use super::{Block, Format};

/// One F32 weight.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct BlockF32(pub [u8; 4]);

// SAFETY: a transparent wrapper of bytes: any bits are valid, and it has no padding.
unsafe impl bytemuck::Zeroable for BlockF32 {}
// SAFETY: as above.
unsafe impl bytemuck::Pod for BlockF32 {}

impl BlockF32 {
    /// The weight.
    #[inline(always)]
    pub fn get(self) -> f32 {
        f32::from_le_bytes(self.0)
    }
}

impl Block for BlockF32 {
    const FORMAT: Format = Format::F32;
    const LEN: usize = 1;

    fn decode(&self, out: &mut [f32]) {
        out[0] = self.get();
    }
}
