//! Q3_K and Q6_K: 256 weights in sixteen parts, each with an integer scale, and a scale of the scales: `x = d * scale * q`.
//!
//! Each part's best scale is found alone. The one that is farthest from zero gets the integer that is, which gives `d`; then, in turn, each part
//! takes the integer near its scale that has the least error, and `d` the regression of all weights on `scale * q`.

use super::{half, importance};
use crate::quantize::fit::{self, Levels, Line};
use siskin_simd::block::{BlockQ3K, BlockQ6K};

const STARTS_3: [f32; 16] =
    [-2.6, -2.9, -3.2, -3.5, -3.75, -4.0, -4.25, -4.5, -4.9, -5.4, 2.2, 2.5, 2.8, 3.1, 3.4, 3.8];
const STARTS_6: [f32; 10] = [-30.6, -31.0, -31.4, -31.8, -32.2, -32.6, -33.0, -33.5, -34.2, 31.2];

/// Turns of the refinement.
const TURNS: usize = 3;

/// What a block stores, apart from its quants.
struct Scales {
    d: [u8; 2],
    scales: [i8; 16],
    /// `d * scale`, as a decoder computes it.
    parts: [f32; 16],
}

/// A block's weights, and how much each counts.
struct Weights<'a> {
    x: &'a [[f32; 16]; 16],
    w: [[f32; 16]; 16],
    levels: Levels,
}

impl Weights<'_> {
    /// The scales with the least error that were found; integers from `lowest` to `-lowest - 1`.
    fn scales(&self, starts: &[f32], lowest: i8) -> Scales {
        let wanted: [f32; 16] =
            std::array::from_fn(|part| fit::scale(&self.x[part], &self.w[part], self.levels, starts));
        let extreme =
            wanted.iter().fold(0.0f32, |extreme, &s| if s.abs() > extreme.abs() { s } else { extreme });
        let mut d = extreme / f32::from(lowest);
        let mut best = (f32::INFINITY, Scales { d: [0; 2], scales: [0; 16], parts: [0.0; 16] });
        for _ in 0..TURNS {
            let (error, found) = self.integers(&wanted, d, lowest);
            d = self.refit(&found);
            if error < best.0 {
                best = (error, found);
            }
        }
        best.1
    }

    /// For a scale of the scales, each part's best integer; and the error of the whole.
    fn integers(&self, wanted: &[f32; 16], d: f32, lowest: i8) -> (f32, Scales) {
        let (bytes, d) = half(d);
        let mut found = Scales { d: bytes, scales: [0; 16], parts: [0.0; 16] };
        let mut total = 0.0;
        let range = Levels { lo: f32::from(lowest), hi: -f32::from(lowest) - 1.0 };
        for (part, wanted) in wanted.iter().enumerate() {
            let near = range.quant(*wanted, fit::inverse(d));
            let mut best = (f32::INFINITY, 0.0);
            for step in [0.0, -1.0, 1.0] {
                let scale = (near + step).clamp(range.lo, range.hi);
                let line = Line { scale: d * scale, offset: 0.0 };
                let error = fit::error(&self.x[part], &self.w[part], self.levels, line);
                if error < best.0 {
                    best = (error, scale);
                }
            }
            total += best.0;
            found.scales[part] = best.1 as i8;
            found.parts[part] = d * best.1;
        }
        (total, found)
    }

    /// The best scale of the scales for the quants that it now gives.
    fn refit(&self, found: &Scales) -> f32 {
        let (mut xq, mut qq) = (0.0, 0.0);
        for part in 0..16 {
            let (inverse, scale) = (fit::inverse(found.parts[part]), f32::from(found.scales[part]));
            let (x, w) = (&self.x[part], &self.w[part]);
            let sums = fit::sums::<16, 2>(|i| {
                let q = scale * self.levels.quant(x[i], inverse);
                [w[i] * x[i] * q, w[i] * q * q]
            });
            xq += sums[0];
            qq += sums[1];
        }
        xq * fit::inverse(qq)
    }
}

/// Scales, and quants that count from the lowest level.
fn scaled(x: &[f32; 256], levels: Levels, starts: &[f32], lowest: i8) -> (Scales, [u8; 256]) {
    let w = importance(x);
    let (x_parts, w_parts) = (parts(x), parts(&w));
    let scales = Weights { x: &x_parts, w: w_parts, levels }.scales(starts, lowest);
    let inverse = scales.parts.map(fit::inverse);
    let quants = std::array::from_fn(|i| (levels.quant(x[i], inverse[i / 16]) - levels.lo) as u8);
    (scales, quants)
}

/// The block in sixteen parts.
fn parts(x: &[f32; 256]) -> [[f32; 16]; 16] {
    std::array::from_fn(|part| std::array::from_fn(|i| x[part * 16 + i]))
}

/// Quants from -4 to 3, scales from -32 to 31.
pub fn q3_k(x: &[f32; 256]) -> BlockQ3K {
    let (found, q) = scaled(x, Levels { lo: -4.0, hi: 3.0 }, &STARTS_3, -32);
    let mut block = BlockQ3K { hmask: [0; 32], qs: [0; 64], scales: [0; 12], d: found.d };
    for (i, q) in q.iter().enumerate() {
        block.hmask[i % 32] |= (q >> 2) << (i / 32);
        block.qs[i / 128 * 32 + i % 32] |= (q & 3) << (2 * (i % 128 / 32));
    }
    for (i, scale) in found.scales.iter().enumerate() {
        let scale = (scale + 32) as u8;
        block.scales[i % 8] |= (scale & 15) << (4 * (i / 8));
        block.scales[8 + i % 4] |= (scale >> 4) << (2 * (i / 4));
    }
    block
}

/// Quants from -32 to 31, scales from -128 to 127.
pub fn q6_k(x: &[f32; 256]) -> BlockQ6K {
    let (found, q) = scaled(x, Levels { lo: -32.0, hi: 31.0 }, &STARTS_6, -128);
    let mut block = BlockQ6K { ql: [0; 128], qh: [0; 64], scales: found.scales, d: found.d };
    for (i, q) in q.iter().enumerate() {
        let (half, i) = (i / 128, i % 128);
        block.ql[half * 64 + i % 64] |= (q & 15) << (4 * (i / 64));
        block.qh[half * 32 + i % 32] |= (q >> 4) << (2 * (i / 32));
    }
    block
}
