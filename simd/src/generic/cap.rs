//! Multiplication with a number, and soft caps: what some families do to scores and logits (Bello et al. 2016, arXiv:1611.09940, section 5.1).

use super::exp::exp;
use pulp::{Simd, WithSimd};

/// `x[i] *= factor`.
pub(crate) struct Scale<'a> {
    pub x: &'a mut [f32],
    pub factor: f32,
}

impl WithSimd for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.x.iter_mut().for_each(|x| *x *= self.factor);
    }
}

/// `x[i] = cap * tanh(x[i] / cap)`.
pub(crate) struct SoftCap<'a> {
    pub x: &'a mut [f32],
    pub cap: f32,
}

impl WithSimd for SoftCap<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let cap = simd.splat_f32s(self.cap);
        let (head, tail) = S::as_mut_simd_f32s(self.x);
        for x in head {
            *x = soft_cap(simd, *x, cap);
        }
        let y = soft_cap(simd, simd.partial_load_f32s(tail), cap);
        simd.partial_store_f32s(tail, y);
    }
}

/// `tanh(y) = 1 - 2 / (1 + e^2y)`; the difference loses digits near zero, but none that matter beside `cap`.
#[inline(always)]
fn soft_cap<S: Simd>(simd: S, x: S::f32s, cap: S::f32s) -> S::f32s {
    let two = simd.splat_f32s(2.0);
    let power = exp(simd, simd.div_f32s(simd.mul_f32s(x, two), cap));
    let fraction = simd.div_f32s(two, simd.add_f32s(simd.splat_f32s(1.0), power));
    simd.mul_f32s(cap, simd.sub_f32s(simd.splat_f32s(1.0), fraction))
}
