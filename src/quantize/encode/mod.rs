//! Floats to the bytes of a format, block by block: the inverse of [`Format::decode`]. One file for each group of formats.
//!
//! A block's weights count by their *importance*. Without data that shows which weights matter, the output of a projection is hurt by an error of each weight
//! alike, and large ones somewhat more, because training made them so; see [`Importance`].

mod affine;
mod floats;
mod simple;
mod symmetric;

use siskin_simd::Format;
use siskin_simd::block::{Block, f16_to_f32, f32_to_f16};

/// Largest weight that can be stored by all formats but BF16: the largest f16.
pub const MAX_F16: f32 = 65504.0;

/// Encodes a row of weights, or several that follow each other. They must be finite and, for all formats but BF16, at most [`MAX_F16`].
///
/// # Panics
///
/// If the format is not [`is_supported`], or `out` does not hold exactly the blocks of `weights`.
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

/// How much each weight of a block counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Importance {
    /// All alike.
    Uniform,
    /// By size: `|x| + sqrt(mean of x^2)`.
    Size,
    /// By square: `x^2 + mean of x^2`.
    Square,
    Pure,
}

impl Importance {
    /// The importance of each of a block's weights; positive.
    fn of<const N: usize>(self, x: &[f32; N]) -> [f32; N] {
        let mean = x.iter().map(|x| x * x).sum::<f32>() / N as f32;
        if mean <= f32::MIN_POSITIVE {
            return [1.0; N];
        }
        match self {
            Importance::Uniform => [1.0; N],
            Importance::Size => x.map(|x| x.abs() + mean.sqrt()),
            Importance::Square => x.map(|x| x * x + mean),
            Importance::Pure => x.map(|x| x * x + 1e-3 * mean),
        }
    }
}

fn importance() -> Importance {
    static I: std::sync::OnceLock<Importance> = std::sync::OnceLock::new();
    *I.get_or_init(|| match std::env::var("IMP").as_deref() {
        Ok("size") => Importance::Size,
        Ok("square") => Importance::Square,
        Ok("pure") => Importance::Pure,
        _ => Importance::Uniform,
    })
}
