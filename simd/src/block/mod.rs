//! What the bytes of each weight format mean: one file a format, with its layout, size, scalar decoding (the oracle of every kernel) and
//! unpacking to int8. Kernels and the scalar dot product read these; nobody outside the crate needs more than [`Format`].
//!
//! All layouts are those of ggml (`ggml-common.h` in llama.cpp), little-endian, without padding and with no alignment.

mod bf16;
mod f16;
mod f32;
mod iq;
mod iq4;
mod k_scales;
mod lattice;
mod mxfp4;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod tq;

pub use bf16::BlockBf16;
pub use f16::{BlockF16, f16_to_f32, f32_to_f16};
pub use f32::BlockF32;
pub use iq::{BlockIQ1M, BlockIQ1S, BlockIQ2S, BlockIQ2XS, BlockIQ2XXS, BlockIQ3S, BlockIQ3XXS};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use iq4::IQ4_VALUES;
pub use iq4::{BlockIQ4NL, BlockIQ4XS};
pub(crate) use k_scales::scale_min;
pub use mxfp4::BlockMxfp4;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use mxfp4::{MXFP4_VALUES, half_scale};
pub use q2_k::BlockQ2K;
pub use q3_k::BlockQ3K;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(crate) use q3_k::scales_q3;
pub use q4_0::BlockQ4_0;
pub use q4_1::BlockQ4_1;
pub use q4_k::BlockQ4K;
pub use q5_0::BlockQ5_0;
pub use q5_1::BlockQ5_1;
pub use q5_k::BlockQ5K;
pub use q6_k::BlockQ6K;
pub use q8_0::BlockQ8_0;
pub use tq::{BlockTQ1, BlockTQ2};

/// A weight format that can be computed with.
#[allow(non_camel_case_types)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 half precision.
    F16,
    /// The upper half of a single-precision float.
    BF16,
    /// 32 quants of 4 bits, one scale: 4.5 bits a weight.
    Q4_0,
    /// 32 quants of 4 bits, scale and minimum: 5 bits a weight.
    Q4_1,
    /// 32 quants of 5 bits, one scale: 5.5 bits a weight.
    Q5_0,
    /// 32 quants of 5 bits, scale and minimum: 6 bits a weight.
    Q5_1,
    /// 32 quants of 8 bits, one scale: 8.5 bits a weight.
    Q8_0,
    /// 256 quants of 2 bits, 4-bit scales and minima per 16: 2.625 bits a weight.
    Q2_K,
    /// 256 quants of 3 bits, 6-bit scales per 16: 3.4375 bits a weight.
    Q3_K,
    /// 256 quants of 4 bits, 6-bit scales and minima per 32: 4.5 bits a weight.
    Q4_K,
    /// 256 quants of 5 bits, 6-bit scales and minima per 32: 5.5 bits a weight.
    Q5_K,
    /// 256 quants of 6 bits, 8-bit scales per 16: 6.5625 bits a weight.
    Q6_K,
    /// 256 ternary quants, one scale: 1.6875 bits a weight.
    TQ1_0,
    /// 256 ternary quants, one scale: 2.0625 bits a weight.
    TQ2_0,
    /// 256 weights on a ternary lattice: 1.5625 bits a weight.
    IQ1_S,
    /// 256 weights on the same lattice, scales per 16: 1.75 bits a weight.
    IQ1_M,
    /// 256 weights on a lattice of 256 points: 2.0625 bits a weight.
    IQ2_XXS,
    /// 256 weights on a lattice of 512 points: 2.3125 bits a weight.
    IQ2_XS,
    /// 256 weights on a lattice of 1,024 points: 2.5625 bits a weight.
    IQ2_S,
    /// 256 weights on a lattice of 256 points of four: 3.0625 bits a weight.
    IQ3_XXS,
    /// 256 weights on a lattice of 512 points of four: 3.4375 bits a weight.
    IQ3_S,
    /// 32 quants of 4 bits that choose from a list, one scale: 4.5 bits a weight.
    IQ4_NL,
    /// 256 such quants, 6-bit scales per 32: 4.25 bits a weight.
    IQ4_XS,
    /// 32 floats of 4 bits, a power of two as their scale: 4.25 bits a weight.
    MXFP4,
}

/// The layout of a block: [`Block::LEN`] weights in `size_of::<Self>()` bytes.
///
/// `Pod` is the promise that any bytes are a valid block and that it has no alignment above one byte.
pub trait Block: bytemuck::Pod {
    /// The format whose rows are made of these blocks.
    const FORMAT: Format;
    /// Weights in a block.
    const LEN: usize;

    /// Writes the block's weights as floats, by the format's definition.
    ///
    /// # Panics
    ///
    /// If `out` does not hold [`Block::LEN`] values.
    fn decode(&self, out: &mut [f32]);
}

/// Up to 256 weights as int8: `w[i] = scale[i / 16] * q[i] + offset[i / 16]`.
pub struct Unpacked {
    /// Quants.
    pub q: [i8; 256],
    /// One scale per 16 weights.
    pub scale: [f32; 16],
    /// One offset per 16 weights.
    pub offset: [f32; 16],
}

impl Unpacked {
    /// All zeros.
    pub const ZERO: Unpacked = Unpacked { q: [0; 256], scale: [0.0; 16], offset: [0.0; 16] };

    /// Sets scale and offset of the 32 weights from `32 * part` on.
    #[inline(always)]
    fn set32(&mut self, part: usize, scale: f32, offset: f32) {
        self.scale[part * 2..][..2].fill(scale);
        self.offset[part * 2..][..2].fill(offset);
    }
}

/// A block of integers with scales: all block formats, none of the float formats.
pub trait QuantBlock: Block {
    /// Writes the block's [`Block::LEN`] quants, scales and offsets to the start of `out`.
    fn unpack(&self, out: &mut Unpacked);
}

/// Bytes as blocks; a trailing part of a block is left out.
pub fn blocks<B: Block>(bytes: &[u8]) -> &[B] {
    let whole = bytes.len() / size_of::<B>() * size_of::<B>();
    bytemuck::cast_slice(&bytes[..whole])
}

/// A block as bytes.
pub fn bytes<B: Block>(block: &B) -> &[u8] {
    bytemuck::bytes_of(block)
}

/// Calls a generic function with the block type of a format.
macro_rules! for_block {
    ($format:expr, $B:ident => $call:expr) => {
        match $format {
            Format::F32 => {
                type $B = BlockF32;
                $call
            }
            Format::F16 => {
                type $B = BlockF16;
                $call
            }
            Format::BF16 => {
                type $B = BlockBf16;
                $call
            }
            Format::Q4_0 => {
                type $B = BlockQ4_0;
                $call
            }
            Format::Q4_1 => {
                type $B = BlockQ4_1;
                $call
            }
            Format::Q5_0 => {
                type $B = BlockQ5_0;
                $call
            }
            Format::Q5_1 => {
                type $B = BlockQ5_1;
                $call
            }
            Format::Q8_0 => {
                type $B = BlockQ8_0;
                $call
            }
            Format::Q2_K => {
                type $B = BlockQ2K;
                $call
            }
            Format::Q3_K => {
                type $B = BlockQ3K;
                $call
            }
            Format::Q4_K => {
                type $B = BlockQ4K;
                $call
            }
            Format::Q5_K => {
                type $B = BlockQ5K;
                $call
            }
            Format::Q6_K => {
                type $B = BlockQ6K;
                $call
            }
            Format::TQ1_0 => {
                type $B = BlockTQ1;
                $call
            }
            Format::TQ2_0 => {
                type $B = BlockTQ2;
                $call
            }
            Format::IQ1_S => {
                type $B = BlockIQ1S;
                $call
            }
            Format::IQ1_M => {
                type $B = BlockIQ1M;
                $call
            }
            Format::IQ2_XXS => {
                type $B = BlockIQ2XXS;
                $call
            }
            Format::IQ2_XS => {
                type $B = BlockIQ2XS;
                $call
            }
            Format::IQ2_S => {
                type $B = BlockIQ2S;
                $call
            }
            Format::IQ3_XXS => {
                type $B = BlockIQ3XXS;
                $call
            }
            Format::IQ3_S => {
                type $B = BlockIQ3S;
                $call
            }
            Format::IQ4_NL => {
                type $B = BlockIQ4NL;
                $call
            }
            Format::IQ4_XS => {
                type $B = BlockIQ4XS;
                $call
            }
            Format::MXFP4 => {
                type $B = BlockMxfp4;
                $call
            }
        }
    };
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 25] = [
        Format::F32,
        Format::F16,
        Format::BF16,
        Format::Q4_0,
        Format::Q4_1,
        Format::Q5_0,
        Format::Q5_1,
        Format::Q8_0,
        Format::Q2_K,
        Format::Q3_K,
        Format::Q4_K,
        Format::Q5_K,
        Format::Q6_K,
        Format::TQ1_0,
        Format::TQ2_0,
        Format::IQ1_S,
        Format::IQ1_M,
        Format::IQ2_XXS,
        Format::IQ2_XS,
        Format::IQ2_S,
        Format::IQ3_XXS,
        Format::IQ3_S,
        Format::IQ4_NL,
        Format::IQ4_XS,
        Format::MXFP4,
    ];

    /// The name that GGUF tools print.
    pub fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::BF16 => "BF16",
            Format::Q4_0 => "Q4_0",
            Format::Q4_1 => "Q4_1",
            Format::Q5_0 => "Q5_0",
            Format::Q5_1 => "Q5_1",
            Format::Q8_0 => "Q8_0",
            Format::Q2_K => "Q2_K",
            Format::Q3_K => "Q3_K",
            Format::Q4_K => "Q4_K",
            Format::Q5_K => "Q5_K",
            Format::Q6_K => "Q6_K",
            Format::TQ1_0 => "TQ1_0",
            Format::TQ2_0 => "TQ2_0",
            Format::IQ1_S => "IQ1_S",
            Format::IQ1_M => "IQ1_M",
            Format::IQ2_XXS => "IQ2_XXS",
            Format::IQ2_XS => "IQ2_XS",
            Format::IQ2_S => "IQ2_S",
            Format::IQ3_XXS => "IQ3_XXS",
            Format::IQ3_S => "IQ3_S",
            Format::IQ4_NL => "IQ4_NL",
            Format::IQ4_XS => "IQ4_XS",
            Format::MXFP4 => "MXFP4",
        }
    }

    /// Weights in a block.
    pub fn block_len(self) -> usize {
        for_block!(self, B => B::LEN)
    }

    /// Bytes in a block.
    pub fn block_bytes(self) -> usize {
        for_block!(self, B => size_of::<B>())
    }

    /// Bytes of a row of `cols` weights; `None` if that is no whole number of blocks, or does not fit in `usize`.
    pub fn row_bytes(self, cols: usize) -> Option<usize> {
        if !cols.is_multiple_of(self.block_len()) {
            return None;
        }
        (cols / self.block_len()).checked_mul(self.block_bytes())
    }

    /// Whether the format stores floats, so that its kernels read the floats of a [`Column`](crate::Column) and not its groups.
    pub fn is_float(self) -> bool {
        matches!(self, Format::F32 | Format::F16 | Format::BF16)
    }

    /// Decodes a row, or several that follow each other, to floats.
    ///
    /// # Panics
    ///
    /// If `bytes` does not hold exactly `out.len()` weights.
    pub fn decode(self, bytes: &[u8], out: &mut [f32]) {
        assert_eq!(
            Some(bytes.len()),
            self.row_bytes(out.len()),
            "bytes of {} {} weights",
            out.len(),
            self.name()
        );
        for_block!(self, B => decode_blocks::<B>(bytes, out));
    }
}

fn decode_blocks<B: Block>(bytes: &[u8], out: &mut [f32]) {
    for (block, out) in blocks::<B>(bytes).iter().zip(out.chunks_exact_mut(B::LEN)) {
        block.decode(out);
    }
}
