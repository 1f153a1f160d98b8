//! Addition of vectors: residual connections, biases, and weighted sums of rows.

use crate::block::{BlockF32, blocks};
use pulp::{Simd, WithSimd};

/// `x[i] += y[i]`.
pub(crate) struct Add<'a> {
    pub x: &'a mut [f32],
    pub y: &'a [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x += y;
        }
    }
}

/// `x[i] += weight * y[i]`.
pub(crate) struct AddScaled<'a> {
    pub x: &'a mut [f32],
    pub weight: f32,
    pub y: &'a [f32],
}

impl WithSimd for AddScaled<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (x, y) in self.x.iter_mut().zip(self.y) {
            *x += self.weight * y;
        }
    }
}

/// `out[i] += sum_r weights[r] * rows[r][i]`, rows of F32.
pub(crate) struct AddRows32<'a> {
    pub rows: &'a [u8],
    pub weights: &'a [f32],
    pub out: &'a mut [f32],
}

impl WithSimd for AddRows32<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let rows = blocks::<BlockF32>(self.rows).chunks_exact(self.out.len());
        for (row, weight) in rows.zip(self.weights) {
            for (out, x) in self.out.iter_mut().zip(row) {
                *out += weight * x.get();
            }
        }
    }
}
