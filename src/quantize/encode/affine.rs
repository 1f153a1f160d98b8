//! Q2_K, Q4_K and Q5_K: 256 weights in parts, each with an integer scale and minimum, and a scale for each of the two:
//! `x = d * scale * q - dmin * min`.
//!
//! Each part's best line is found alone. The largest scale and the largest minimum get the largest integer, which gives `d` and `dmin`; then, in
//! turn, each part takes the pair of integers near its line that has the least error, and `d` and `dmin` the regression of all weights on
//! `scale * q` and `-min`.

use super::{half, importance};
use crate::quantize::fit::{self, Levels, Line, Offset};
use siskin_simd::block::{BlockQ2K, BlockQ4K, BlockQ5K};

const SPANS_2: [f32; 14] = [2.0, 2.3, 2.5, 2.7, 2.85, 3.0, 3.15, 3.3, 3.5, 3.7, 3.9, 4.2, 4.6, 5.0];
const SPANS_4: [f32; 12] = [14.0, 14.5, 14.8, 15.0, 15.2, 15.5, 15.8, 16.2, 16.6, 17.1, 17.7, 18.5];
const SPANS_5: [f32; 10] = [30.3, 30.7, 31.0, 31.3, 31.6, 32.0, 32.5, 33.1, 34.0, 35.0];

/// Turns of the refinement.
const TURNS: usize = 3;

/// What a block stores, apart from its quants.
#[derive(Clone, Copy)]
struct Scales<const PARTS: usize> {
    d: [u8; 2],
    dmin: [u8; 2],
    /// Scale and minimum of each part.
    pairs: [(u8, u8); PARTS],
    /// The lines that a decoder computes from them.
    lines: [Line; PARTS],
}

/// A block's weights, and how much each counts, in `PARTS` parts of `N`.
struct Weights<'a, const N: usize, const PARTS: usize> {
    x: &'a [[f32; N]; PARTS],
    w: &'a [[f32; N]; PARTS],
    levels: Levels,
    /// Largest scale and minimum of a part.
    largest: f32,
}

impl<const N: usize, const PARTS: usize> Weights<'_, N, PARTS> {
    /// The scales with the least error that were found.
    fn scales(&self, spans: &[f32]) -> Scales<PARTS> {
        let line = |part| fit::line(&self.x[part], &self.w[part], self.levels.hi, Offset::NotPositive, spans);
        let wanted: [Line; PARTS] = std::array::from_fn(line);
        let largest = |of: fn(&Line) -> f32| wanted.iter().map(of).fold(0.0, f32::max) / self.largest;
        let mut steps = (largest(|line| line.scale), largest(|line| -line.offset));
        let mut best = self.integers(&wanted, steps);
        for _ in 1..TURNS {
            steps = self.refit(&best.1, steps);
            let found = self.integers(&wanted, steps);
            if found.0 >= best.0 {
                break;
            }
            best = found;
        }
        best.1
    }

    /// For steps of the scales and of the minima, each part's best pair of integers; and the error of the whole.
    fn integers(&self, wanted: &[Line; PARTS], steps: (f32, f32)) -> (f32, Scales<PARTS>) {
        let ((d, step), (dmin, min_step)) = (half(steps.0), half(steps.1));
        let mut found = Scales { d, dmin, pairs: [(0, 0); PARTS], lines: [Line::default(); PARTS] };
        let mut total = 0.0;
        for (part, wanted) in wanted.iter().enumerate() {
            // zeros are better than steps that are too small for f16
            let mut best = (fit::power(&self.x[part], &self.w[part]), (0.0, 0.0));
            for scale in self.near(wanted.scale, step) {
                for min in self.near(-wanted.offset, min_step) {
                    let line = Line { scale: step * scale, offset: -min_step * min };
                    let error = fit::error(&self.x[part], &self.w[part], self.levels, line);
                    if error < best.0 {
                        best = (error, (scale, min));
                        found.lines[part] = line;
                    }
                }
            }
            total += best.0;
            found.pairs[part] = (best.1.0 as u8, best.1.1 as u8);
        }
        (total, found)
    }

    /// The integer nearest to `value / step`, and its neighbours.
    fn near(&self, value: f32, step: f32) -> [f32; 3] {
        let range = Levels { lo: 0.0, hi: self.largest };
        let nearest = range.quant(value, fit::inverse(step));
        [nearest, (nearest - 1.0).max(0.0), (nearest + 1.0).min(self.largest)]
    }

    /// The best steps for the quants that `found` gives; the old ones if they are not determined.
    fn refit(&self, found: &Scales<PARTS>, old: (f32, f32)) -> (f32, f32) {
        // x = step * a + min_step * b, with a = scale * q and b = -min
        let (mut aa, mut ab, mut bb, mut xa, mut xb) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for part in 0..PARTS {
            let (x, w, line) = (&self.x[part], &self.w[part], found.lines[part]);
            let inverse = fit::inverse(line.scale);
            let [w, q, qq, x, xq] = fit::sums::<N, 5>(|i| {
                let q = self.levels.quant(x[i] - line.offset, inverse);
                [w[i], w[i] * q, w[i] * q * q, w[i] * x[i], w[i] * x[i] * q]
            });
            let (scale, min) = (f32::from(found.pairs[part].0), -f32::from(found.pairs[part].1));
            aa += scale * scale * qq;
            ab += scale * min * q;
            bb += min * min * w;
            xa += scale * xq;
            xb += min * x;
        }
        let determinant = aa * bb - ab * ab;
        let steps = if determinant > 1e-5 * aa * bb {
            ((xa * bb - xb * ab) / determinant, (xb * aa - xa * ab) / determinant)
        } else {
            ((xa - old.1 * ab) / aa, old.1)
        };
        if steps.0 >= 0.0 && steps.1 >= 0.0 { steps } else { old }
    }
}

/// Scales and quants from 0 to `top`.
fn scaled<const N: usize, const PARTS: usize>(
    x: &[f32; 256],
    top: f32,
    largest: f32,
    spans: &[f32],
) -> (Scales<PARTS>, [u8; 256]) {
    let w = importance(x);
    let (levels, parts) = (Levels { lo: 0.0, hi: top }, (parts::<N, PARTS>(x), parts::<N, PARTS>(&w)));
    let scales = Weights { x: &parts.0, w: &parts.1, levels, largest }.scales(spans);
    let inverse = scales.lines.map(|line| fit::inverse(line.scale));
    let quant = |i: usize| levels.quant(x[i] - scales.lines[i / N].offset, inverse[i / N]) as u8;
    (scales, std::array::from_fn(quant))
}

fn parts<const N: usize, const PARTS: usize>(x: &[f32; 256]) -> [[f32; N]; PARTS] {
    std::array::from_fn(|part| std::array::from_fn(|i| x[part * N + i]))
}

/// Quants from 0 to 3, scales and minima from 0 to 15, sixteen parts.
pub fn q2_k(x: &[f32; 256]) -> BlockQ2K {
    let (found, q) = scaled::<16, 16>(x, 3.0, 15.0, &SPANS_2);
    let scales = found.pairs.map(|(scale, min)| scale | min << 4);
    let mut block = BlockQ2K { scales, qs: [0; 64], d: found.d, dmin: found.dmin };
    for (i, q) in q.iter().enumerate() {
        block.qs[i / 128 * 32 + i % 32] |= q << (2 * (i % 128 / 32));
    }
    block
}

/// Quants from 0 to 15, scales and minima from 0 to 63, eight parts.
pub fn q4_k(x: &[f32; 256]) -> BlockQ4K {
    let (found, q) = scaled::<32, 8>(x, 15.0, 63.0, &SPANS_4);
    BlockQ4K { d: found.d, dmin: found.dmin, scales: packed(&found.pairs), qs: nibbles(&q) }
}

/// Quants from 0 to 31, scales and minima from 0 to 63, eight parts.
pub fn q5_k(x: &[f32; 256]) -> BlockQ5K {
    let (found, q) = scaled::<32, 8>(x, 31.0, 63.0, &SPANS_5);
    let mut qh = [0; 32];
    for (i, q) in q.iter().enumerate() {
        qh[i % 32] |= (q >> 4) << (i / 32);
    }
    BlockQ5K { d: found.d, dmin: found.dmin, scales: packed(&found.pairs), qh, qs: nibbles(&q) }
}

/// Low four bits: of each 64 quants, the second half beside the first.
fn nibbles(q: &[u8; 256]) -> [u8; 128] {
    std::array::from_fn(|i| {
        let first = i / 32 * 64 + i % 32;
        q[first] & 15 | q[first + 32] << 4
    })
}

/// Eight pairs of 6-bit numbers in twelve bytes: four of each with, in their upper bits, the upper bits of the other four, then the
/// lower bits of those.
fn packed(pairs: &[(u8, u8); 8]) -> [u8; 12] {
    let mut bytes = [0; 12];
    for j in 0..4 {
        let ((scale, min), (high_scale, high_min)) = (pairs[j], pairs[j + 4]);
        bytes[j] = scale | high_scale >> 4 << 6;
        bytes[j + 4] = min | high_min >> 4 << 6;
        bytes[j + 8] = high_scale & 15 | high_min << 4;
    }
    bytes
}
