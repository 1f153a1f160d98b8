//! Softmax in place, with the largest value subtracted so that nothing overflows.

use super::exp::exp_in_place;
use pulp::{Simd, WithSimd};

/// `x[i] = e^(x[i] - max) / sum_j e^(x[j] - max)`; the result is that maximum and that sum.
pub(crate) struct Softmax<'a>(pub &'a mut [f32]);

impl WithSimd for Softmax<'_> {
    type Output = (f32, f32);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f32, f32) {
        let x = self.0;
        let largest = largest(simd, x);
        let max = simd.splat_f32s(largest);
        exp_in_place(simd, x, max);
        let sum = sum(simd, x);
        let scale = 1.0 / sum;
        x.iter_mut().for_each(|x| *x *= scale);
        (largest, sum)
    }
}

#[inline(always)]
fn largest<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (head, tail) = S::as_simd_f32s(x);
    let max = head.iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |max, &x| simd.max_f32s(max, x));
    tail.iter().fold(simd.reduce_max_f32s(max), |max, &x| max.max(x))
}

#[inline(always)]
fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (head, tail) = S::as_simd_f32s(x);
    let sum = head.iter().fold(simd.partial_load_f32s(tail), |sum, &x| simd.add_f32s(sum, x));
    simd.reduce_sum_f32s(sum)
}
