//! Rotary position embedding (Su et al. 2021, arXiv:2104.09864): pairs of values turned by an angle that grows with the position.
//!
//! The two forms differ only in which values are a pair. The angles come as a table of cosines and sines, made once per position.

use pulp::{Simd, WithSimd};

/// Turns the neighbours `(x[2i], x[2i + 1])` of a head: llama's order in GGUF files.
pub(crate) struct RotatePairs<'a> {
    pub head: &'a mut [f32],
    pub cos: &'a [f32],
    pub sin: &'a [f32],
}

impl WithSimd for RotatePairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for ((pair, cos), sin) in self.head.chunks_exact_mut(2).zip(self.cos).zip(self.sin) {
            let (a, b) = (pair[0], pair[1]);
            pair[0] = a * cos - b * sin;
            pair[1] = a * sin + b * cos;
        }
    }
}

/// Turns the pairs `(x[i], x[i + n / 2])` of a head of `n` values: the order of GPT-NeoX and its heirs.
pub(crate) struct RotateHalves<'a> {
    pub head: &'a mut [f32],
    pub cos: &'a [f32],
    pub sin: &'a [f32],
}

impl WithSimd for RotateHalves<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (low, high) = self.head.split_at_mut(self.cos.len());
        for (((a, b), cos), sin) in low.iter_mut().zip(high).zip(self.cos).zip(self.sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}
