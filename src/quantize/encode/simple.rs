//! Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0: 32 weights, one scale, and in the `_1` formats an offset.

use super::half;
use crate::quantize::fit::{self, Levels, Line, Offset};
use siskin_simd::block::{BlockQ4_0, BlockQ4_1, BlockQ5_0, BlockQ5_1, BlockQ8_0, f32_to_f16};

/// Levels between zero and the largest weight: a scale of either sign puts it at one end of the quants, and past the end, where it is cut off,
/// if that makes the rest better.
const STARTS_4: [f32; 16] =
    [-7.0, -7.3, -7.6, -7.8, -8.0, -8.2, -8.4, -8.7, -9.0, -9.4, -9.9, 6.7, 7.0, 7.3, 7.7, 8.2];
const STARTS_5: [f32; 12] = [-15.0, -15.4, -15.7, -16.0, -16.3, -16.6, -17.0, -17.5, -18.2, 14.8, 15.2, 15.7];

/// Levels that the weights span.
const SPANS_4: [f32; 12] = [14.0, 14.5, 14.8, 15.0, 15.2, 15.5, 15.8, 16.2, 16.6, 17.1, 17.7, 18.5];
const SPANS_5: [f32; 10] = [30.3, 30.7, 31.0, 31.3, 31.6, 32.0, 32.5, 33.1, 34.0, 35.0];

/// Every weight counts as much as any other.
const ALIKE: [f32; 32] = [1.0; 32];

/// Scale and quants: `x = d * q`.
fn scaled(x: &[f32; 32], levels: Levels, starts: &[f32]) -> ([u8; 2], [i8; 32]) {
    let scale = fit::scale(x, &ALIKE, levels, starts);
    let (bytes, scale) = half(scale);
    let inverse = fit::inverse(scale);
    (bytes, x.map(|x| levels.quant(x, inverse) as i8))
}

/// Scale, offset and quants from 0 to `top`: `x = d * q + m`.
fn lined(x: &[f32; 32], top: f32, starts: &[f32]) -> ([u8; 2], [u8; 2], [u8; 32]) {
    let levels = Levels { lo: 0.0, hi: top };
    // the mean alone is better than a scale that is too small for f16
    let mean = Line { scale: 0.0, offset: x.iter().sum::<f32>() / 32.0 };
    let [fitted, mean] = [fit::line(x, &ALIKE, top, Offset::Free, starts), mean].map(|line| {
        let ((d, scale), (m, offset)) = (half(line.scale), half(line.offset));
        let line = Line { scale, offset };
        (fit::error(x, &ALIKE, levels, line), d, m, line)
    });
    let (_, d, m, Line { scale, offset }) = if fitted.0 <= mean.0 { fitted } else { mean };
    let inverse = fit::inverse(scale);
    (d, m, x.map(|x| levels.quant(x - offset, inverse) as u8))
}

/// Low four bits, as all these formats store them: quant `i` beside quant `i + 16`.
fn nibbles(q: &[u8; 32]) -> [u8; 16] {
    std::array::from_fn(|i| q[i] & 15 | q[i + 16] << 4)
}

/// Fifth bits, the first quant's lowest.
fn fifth_bits(q: &[u8; 32]) -> [u8; 4] {
    let bits = q.iter().enumerate().fold(0u32, |bits, (i, q)| bits | u32::from(q >> 4 & 1) << i);
    bits.to_le_bytes()
}

/// Quants from -8 to 7.
pub fn q4_0(x: &[f32; 32]) -> BlockQ4_0 {
    let (d, q) = scaled(x, Levels { lo: -8.0, hi: 7.0 }, &STARTS_4);
    BlockQ4_0 { d, qs: nibbles(&q.map(|q| (q + 8) as u8)) }
}

/// Quants from 0 to 15.
pub fn q4_1(x: &[f32; 32]) -> BlockQ4_1 {
    let (d, m, q) = lined(x, 15.0, &SPANS_4);
    BlockQ4_1 { d, m, qs: nibbles(&q) }
}

/// Quants from -16 to 15.
pub fn q5_0(x: &[f32; 32]) -> BlockQ5_0 {
    let (d, q) = scaled(x, Levels { lo: -16.0, hi: 15.0 }, &STARTS_5);
    let q = q.map(|q| (q + 16) as u8);
    BlockQ5_0 { d, qh: fifth_bits(&q), qs: nibbles(&q) }
}

/// Quants from 0 to 31.
pub fn q5_1(x: &[f32; 32]) -> BlockQ5_1 {
    let (d, m, q) = lined(x, 31.0, &SPANS_5);
    BlockQ5_1 { d, m, qh: fifth_bits(&q), qs: nibbles(&q) }
}

/// Quants from -127 to 127, by rounding to nearest, halves away from zero: with the scale that puts the largest weight on 127, before that scale is
/// rounded. A search would take an eighth of the squared error away and change no prediction that can be measured; ggml's bytes are worth more.
pub fn q8_0(x: &[f32; 32]) -> BlockQ8_0 {
    let scale = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs())) / 127.0;
    let inverse = fit::inverse(scale);
    BlockQ8_0 { d: f32_to_f16(scale), qs: x.map(|x| (x * inverse).round() as i8) }
}
