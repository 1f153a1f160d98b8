//! Floats to the bytes of a format, block by block: the inverse of [`Format::decode`]. One file for each group of formats.
//!
//! The encoders look for the blocks with the least squared error. In blocks of 32 every weight counts alike. In those of 256 large weights count
//! somewhat more (`importance`): training made them large, and with two or three bits a weight they are what a search for the least plain
//! error gives up first. Q8_0 and the float formats are rounded to nearest, byte for byte as ggml does it.

mod affine;
mod floats;
mod simple;
mod symmetric;

use siskin_simd::Format;
use siskin_simd::block::{Block, f16_to_f32, f32_to_f16};

/// Largest weight that can be stored by all formats but BF16: the largest f16.
pub const MAX_F16: f32 = 65504.0;

/// Encodes a row of weights, or several that follow each other. For a block with one that is not finite, or above
/// [`MAX_F16`] in a format other than F32 and BF16, the bytes mean nothing.
///
/// # Panics
///
/// If no [recipe](super::RECIPES) uses the format, or `out` does not hold exactly the blocks of `weights`.
pub fn encode(format: Format, weights: &[f32], out: &mut [u8]) {
    assert_eq!(Some(out.len()), format.row_bytes(weights.len()), "bytes of {} weights", weights.len());
    match format {
        Format::F32 => floats::f32(weights, out),
        Format::F16 => floats::f16(weights, out),
        Format::BF16 => floats::bf16(weights, out),
        Format::Q4_0 => blocks(weights, out, simple::q4_0),
        Format::Q4_1 => blocks(weights, out, simple::q4_1),
        Format::Q5_0 => blocks(weights, out, simple::q5_0),
        Format::Q5_1 => blocks(weights, out, simple::q5_1),
        Format::Q8_0 => blocks(weights, out, simple::q8_0),
        Format::Q2_K => blocks(weights, out, affine::q2_k),
        Format::Q3_K => blocks(weights, out, symmetric::q3_k),
        Format::Q4_K => blocks(weights, out, affine::q4_k),
        Format::Q5_K => blocks(weights, out, affine::q5_k),
        Format::Q6_K => blocks(weights, out, symmetric::q6_k),
        other => panic!("no encoder for {}", other.name()),
    }
}

/// Encodes blocks of `N` weights.
fn blocks<B: Block, const N: usize>(weights: &[f32], out: &mut [u8], encode: impl Fn(&[f32; N]) -> B) {
    let (weights, _) = weights.as_chunks::<N>();
    for (weights, out) in weights.iter().zip(out.chunks_exact_mut(size_of::<B>())) {
        out.copy_from_slice(siskin_simd::block::bytes(&encode(weights)));
    }
}

/// A float as it is stored, and what it then is.
fn half(x: f32) -> ([u8; 2], f32) {
    let bytes = f32_to_f16(x);
    (bytes, f16_to_f32(bytes))
}

/// How much an error of each weight of a block of 256 counts: `|x| + sqrt(mean of x^2)`; positive.
fn importance(x: &[f32; 256]) -> [f32; 256] {
    let mean = x.iter().map(|x| x * x).sum::<f32>() / 256.0;
    if mean <= f32::MIN_POSITIVE {
        return [1.0; 256];
    }
    let typical = mean.sqrt();
    x.map(|x| x.abs() + typical)
}
