//! Addition of vectors: residual connections and biases.

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
