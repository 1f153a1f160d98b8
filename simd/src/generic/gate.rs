//! Activation functions of feed-forward layers, and their products with a gated branch (Shazeer 2020, arXiv:2002.05202).

use super::exp::exp;
use pulp::{Simd, WithSimd};

/// Which function gates the other branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// `silu(g) * u`, where `silu(g) = g * sigmoid(g)`: SwiGLU.
    Silu,
    /// `gelu(g) * u`, with the approximation of GELU by tanh (Hendrycks and Gimpel 2016, arXiv:1606.08415): GeGLU.
    Gelu,
    /// `g * sigmoid(1.702 g) * (u + 1)`, with `g` at most 7 and `u` in -7..=7: the gate of gpt-oss (OpenAI 2025, arXiv:2508.10925).
    ClampedSilu,
    /// `sigmoid(g) * u`: the gate of an attention's output (Qiu et al. 2025, arXiv:2505.06708).
    Sigmoid,
}

/// A function of each value by itself, in feed-forward layers without a gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// GELU, with its approximation by tanh as in [`Gate::Gelu`].
    Gelu,
    /// `max(x, 0)^2` (So et al. 2021, arXiv:2109.08668).
    ReluSquared,
    /// xIELU (Huang et al. 2024, arXiv:2411.13010): `beta x + positive x^2` above 0, `beta x + negative (e^x - 1 - x)` below.
    Xielu {
        /// Factor of the parabola.
        positive: f32,
        /// Factor of the exponential part.
        negative: f32,
        /// Factor of the line.
        beta: f32,
    },
}

/// `gate[i] = f(gate[i], up[i])`.
pub(crate) struct Gated<'a> {
    pub function: Gate,
    pub gate: &'a mut [f32],
    pub up: &'a [f32],
}

impl WithSimd for Gated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.function {
            Gate::Silu => each::<S, Silu>(simd, self.gate, self.up),
            Gate::Gelu => each::<S, Gelu>(simd, self.gate, self.up),
            Gate::ClampedSilu => each::<S, ClampedSilu>(simd, self.gate, self.up),
            Gate::Sigmoid => each::<S, Sigmoid>(simd, self.gate, self.up),
        }
    }
}

/// `x[i] = f(x[i])`.
pub(crate) struct Activated<'a> {
    pub function: Activation,
    pub x: &'a mut [f32],
}

impl WithSimd for Activated<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.function {
            Activation::Gelu => in_place(simd, self.x, |x| gelu(simd, x)),
            Activation::ReluSquared => in_place(simd, self.x, |x| {
                let x = simd.max_f32s(x, simd.splat_f32s(0.0));
                simd.mul_f32s(x, x)
            }),
            Activation::Xielu { positive, negative, beta } => {
                let [positive, negative, beta] = [positive, negative, beta].map(|v| simd.splat_f32s(v));
                in_place(simd, self.x, |x| xielu(simd, x, [positive, negative, beta]));
            }
        }
    }
}

/// `x[i] = silu(x[i])`.
pub(crate) struct SiluInPlace<'a>(pub &'a mut [f32]);

impl WithSimd for SiluInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        in_place(simd, self.0, |x| times_sigmoid(simd, x, x));
    }
}

#[inline(always)]
fn in_place<S: Simd>(simd: S, x: &mut [f32], function: impl Fn(S::f32s) -> S::f32s) {
    let (head, tail) = S::as_mut_simd_f32s(x);
    for x in head {
        *x = function(*x);
    }
    let y = function(simd.partial_load_f32s(tail));
    simd.partial_store_f32s(tail, y);
}

/// A function of two vectors.
trait Function {
    fn apply<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s;
}

#[inline(always)]
fn each<S: Simd, F: Function>(simd: S, gate: &mut [f32], up: &[f32]) {
    let (gate, gate_tail) = S::as_mut_simd_f32s(gate);
    let (up, up_tail) = S::as_simd_f32s(up);
    for (gate, &up) in gate.iter_mut().zip(up) {
        *gate = F::apply(simd, *gate, up);
    }
    let tail = F::apply(simd, simd.partial_load_f32s(gate_tail), simd.partial_load_f32s(up_tail));
    simd.partial_store_f32s(gate_tail, tail);
}

struct Silu;

impl Function for Silu {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s {
        simd.mul_f32s(times_sigmoid(simd, gate, gate), up)
    }
}

struct Gelu;

impl Function for Gelu {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s {
        simd.mul_f32s(gelu(simd, gate), up)
    }
}

struct ClampedSilu;

impl Function for ClampedSilu {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s {
        let limit = simd.splat_f32s(7.0);
        let gate = simd.min_f32s(gate, limit);
        let up = simd.max_f32s(simd.min_f32s(up, limit), simd.neg_f32s(limit));
        let swish = times_sigmoid(simd, gate, simd.mul_f32s(gate, simd.splat_f32s(1.702)));
        simd.mul_f32s(swish, simd.add_f32s(up, simd.splat_f32s(1.0)))
    }
}

struct Sigmoid;

impl Function for Sigmoid {
    #[inline(always)]
    fn apply<S: Simd>(simd: S, gate: S::f32s, up: S::f32s) -> S::f32s {
        times_sigmoid(simd, up, gate)
    }
}

/// `x / (1 + e^-y)`.
#[inline(always)]
fn times_sigmoid<S: Simd>(simd: S, x: S::f32s, y: S::f32s) -> S::f32s {
    let divisor = simd.add_f32s(simd.splat_f32s(1.0), exp(simd, simd.neg_f32s(y)));
    simd.div_f32s(x, divisor)
}

/// `x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))`, which is `x` times the sigmoid of twice that argument.
#[inline(always)]
fn gelu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const TWICE: f32 = 1.595_769;
    let cubic = simd.mul_f32s(simd.mul_f32s(x, x), simd.splat_f32s(0.044_715 * TWICE));
    let y = simd.mul_f32s(x, simd.add_f32s(cubic, simd.splat_f32s(TWICE)));
    times_sigmoid(simd, x, y)
}

/// Below 0 the parabola is 0, above 0 the exponential part: both are of one side of `x`.
#[inline(always)]
fn xielu<S: Simd>(simd: S, x: S::f32s, [positive, negative, beta]: [S::f32s; 3]) -> S::f32s {
    let zero = simd.splat_f32s(0.0);
    let (above, below) = (simd.max_f32s(x, zero), simd.min_f32s(x, zero));
    let rest = simd.sub_f32s(simd.sub_f32s(exp(simd, below), simd.splat_f32s(1.0)), below);
    let curved = simd.mul_add_f32s(simd.mul_f32s(above, above), positive, simd.mul_f32s(rest, negative));
    simd.mul_add_f32s(x, beta, curved)
}
