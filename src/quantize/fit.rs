//! Least squares on integers: the scale, or scale and offset, with which a few integers come nearest to a part of a block. Used by
//! the encoders.
//!
//! Given weights `x_i` and their importance `w_i`, the problem is
//!
//! ```text
//! minimize  E = sum of w_i (x_i - (scale q_i + offset))^2   over scale and offset, and q_i integers in lo..=hi
//! ```
//!
//! For fixed quants `q` it is linear regression; for a fixed line the best quant of each weight is the nearest. Neither step raises `E`, so
//! taking them in turn ends in a local minimum (Lloyd 1982, "Least squares quantization in PCM"). To end in a good one, the search
//! starts from a grid of scales, those at which the range of the quants spans somewhat less or more than the weights.
//!
//! What a regression takes away from `sum of w_i x_i^2` is its *gain*: the largest gain is the least error, and needs no second pass.

/// Sums run in this many lanes, which the compiler turns into vectors; the order, and with it the result, is the same on every CPU.
const LANES: usize = 8;
/// Variance of equal numbers, as a part of their mean square, at most.
const SAME: f32 = 1e-5;
/// Steps of the alternation after the grid.
const ROUNDS: usize = 6;

/// The integers that a quant may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// The smallest.
    pub lo: f32,
    /// The largest.
    pub hi: f32,
}

impl Levels {
    /// The quant nearest to `x * inverse`.
    #[inline(always)]
    pub fn quant(self, x: f32, inverse: f32) -> f32 {
        let x = x * inverse;
        // written out, because `f32::max` takes more instructions: it has a rule for numbers that are not
        let x = if x > self.lo { x } else { self.lo };
        nearest(if x < self.hi { x } else { self.hi })
    }
}

/// What quants mean: `x = scale * q + offset`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Line {
    /// Distance of two levels.
    pub scale: f32,
    /// The weight of quant 0.
    pub offset: f32,
}

/// The nearest integer, halves to even, of a number below 2^22: the sum has no bits left for a fraction.
#[inline(always)]
fn nearest(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0; // 1.5 * 2^23
    (x + SHIFT) - SHIFT
}

/// `1 / scale`; 0 where there is none, so that all quants are 0.
#[inline(always)]
pub fn inverse(scale: f32) -> f32 {
    let inverse = 1.0 / scale;
    if inverse.is_finite() { inverse } else { 0.0 }
}

/// Sums of several terms over `N` weights.
#[inline(always)]
pub fn sums<const N: usize, const K: usize>(term: impl Fn(usize) -> [f32; K]) -> [f32; K] {
    let mut lanes = [[0.0f32; LANES]; K];
    for at in (0..N).step_by(LANES) {
        for lane in 0..LANES {
            let terms = term(at + lane);
            for (lanes, term) in lanes.iter_mut().zip(terms) {
                lanes[lane] += term;
            }
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

/// `E` of zeros.
pub fn power<const N: usize>(x: &[f32; N], w: &[f32; N]) -> f32 {
    let [power] = sums::<N, 1>(|i| [w[i] * x[i] * x[i]]);
    power
}

/// `E` of a line, each weight with its nearest quant.
#[inline(always)]
pub fn error<const N: usize>(x: &[f32; N], w: &[f32; N], levels: Levels, line: Line) -> f32 {
    let inverse = inverse(line.scale);
    let [error] = sums::<N, 1>(|i| {
        let x = x[i] - line.offset;
        let miss = x - line.scale * levels.quant(x, inverse);
        [w[i] * miss * miss]
    });
    error
}

/// The best scale for quants that have no offset, found from a grid: each start is the number of levels that the largest weight
/// is away from zero, with a sign.
pub fn scale<const N: usize>(x: &[f32; N], w: &[f32; N], levels: Levels, starts: &[f32]) -> f32 {
    let extreme = x.iter().fold(0.0f32, |extreme, &x| if x.abs() > extreme.abs() { x } else { extreme });
    let mut best = (0.0, 0.0);
    for start in starts {
        take_better(&mut best, proportion(x, w, levels, start / extreme));
    }
    for _ in 0..ROUNDS {
        let next = proportion(x, w, levels, inverse(best.1));
        if !take_better(&mut best, next) {
            break;
        }
    }
    best.1
}

/// Keeps the candidate, a gain and what it is for, if its gain is larger; whether it was.
#[inline(always)]
fn take_better<T>(best: &mut (f32, T), candidate: (f32, T)) -> bool {
    let better = candidate.0 > best.0; // false for one that is not a number
    if better {
        *best = candidate;
    }
    better
}

/// Gain and scale of the regression through the origin, with the quants that `inverse` gives.
#[inline(always)]
fn proportion<const N: usize>(x: &[f32; N], w: &[f32; N], levels: Levels, inverse: f32) -> (f32, f32) {
    let [xq, qq] = sums::<N, 2>(|i| {
        let q = levels.quant(x[i], inverse);
        [w[i] * x[i] * q, w[i] * q * q]
    });
    (xq * xq / qq, xq / qq)
}

/// Which offsets a format can store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offset {
    /// Any.
    Free,
    /// None above 0.
    NotPositive,
}

/// The best line for quants from 0 to `top`, found from a grid: each start is the number of levels that the weights span,
/// from either end.
pub fn line<const N: usize>(x: &[f32; N], w: &[f32; N], top: f32, offset: Offset, starts: &[f32]) -> Line {
    let (mut low, mut high) = x.iter().fold((x[0], x[0]), |(low, high), &x| (low.min(x), high.max(x)));
    if offset == Offset::NotPositive {
        (low, high) = (low.min(0.0), high.max(0.0));
    }
    if low == high {
        return Line { scale: 0.0, offset: low };
    }
    let fit = Regression {
        x,
        w,
        levels: Levels { lo: 0.0, hi: top },
        offset,
        plain: sums::<N, 2>(|i| [w[i], w[i] * x[i]]),
    };
    let mut best = (f32::NEG_INFINITY, Line { scale: 0.0, offset: low });
    for start in starts {
        let scale = (high - low) / start;
        // the first quant on the smallest weight, the last on the largest, or what is left shared between the two ends
        let last = high - scale * top;
        for offset in [low, last, 0.5 * (low + last)] {
            take_better(&mut best, fit.with(Line { scale, offset }));
        }
    }
    for _ in 0..ROUNDS {
        let next = fit.with(best.1);
        if !take_better(&mut best, next) {
            break;
        }
    }
    best.1
}

/// Linear regression of weights on their quants.
struct Regression<'a, const N: usize> {
    x: &'a [f32; N],
    w: &'a [f32; N],
    levels: Levels,
    offset: Offset,
    /// Sums of `w` and of `w x`.
    plain: [f32; 2],
}

impl<const N: usize> Regression<'_, N> {
    /// Gain and line of the regression with the quants that a line gives.
    #[inline(always)]
    fn with(&self, line: Line) -> (f32, Line) {
        let inverse = inverse(line.scale);
        let [q, qq, xq] = sums::<N, 3>(|i| {
            let (x, w) = (self.x[i], self.w[i]);
            let q = self.levels.quant(x - line.offset, inverse);
            [w * q, w * q * q, w * x * q]
        });
        let [w, x] = self.plain;
        let (covariance, variance) = (xq - x * q / w, qq - q * q / w);
        // quants that are all the same say nothing about a scale, and what is left of their variance is rounding
        let scale = if variance > SAME * qq { covariance / variance } else { 0.0 };
        let offset = (x - scale * q) / w;
        if self.offset == Offset::NotPositive && offset > 0.0 {
            return (xq * xq / qq, Line { scale: xq / qq, offset: 0.0 });
        }
        (x * x / w + covariance * scale, Line { scale, offset })
    }
}
