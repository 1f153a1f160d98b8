//! Root mean square normalization (Zhang and Sennrich 2019, arXiv:1910.07467) and layer normalization (Ba et al. 2016, arXiv:1607.06450).

use pulp::{Simd, WithSimd};

/// `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
pub(crate) struct RmsNorm<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub eps: f32,
    pub out: &'a mut [f32],
}

impl WithSimd for RmsNorm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scale = rms_scale(simd, self.x, self.eps);
        for ((out, x), weight) in self.out.iter_mut().zip(self.x).zip(self.weight) {
            *out = x * scale * weight;
        }
    }
}

/// `x[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
pub(crate) struct RmsNormInPlace<'a> {
    pub x: &'a mut [f32],
    pub weight: &'a [f32],
    pub eps: f32,
}

impl WithSimd for RmsNormInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scale = rms_scale(simd, self.x, self.eps);
        for (x, weight) in self.x.iter_mut().zip(self.weight) {
            *x = *x * scale * weight;
        }
    }
}

/// `x[i] = (x[i] - mean) / sqrt(variance + eps) * weight[i]`.
pub(crate) struct LayerNormInPlace<'a> {
    pub x: &'a mut [f32],
    pub weight: &'a [f32],
    pub eps: f32,
}

impl WithSimd for LayerNormInPlace<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let mean = sum(simd, self.x) / self.x.len() as f32;
        self.x.iter_mut().for_each(|x| *x -= mean);
        let scale = rms_scale(simd, self.x, self.eps);
        for (x, weight) in self.x.iter_mut().zip(self.weight) {
            *x = *x * scale * weight;
        }
    }
}

#[inline(always)]
fn rms_scale<S: Simd>(simd: S, x: &[f32], eps: f32) -> f32 {
    let mean = sum_of_squares(simd, x) / x.len() as f32;
    1.0 / (mean + eps).sqrt()
}

#[inline(always)]
fn sum<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (head, tail) = S::as_simd_f32s(x);
    let mut sum = simd.partial_load_f32s(tail);
    for &x in head {
        sum = simd.add_f32s(sum, x);
    }
    simd.reduce_sum_f32s(sum)
}

/// Four accumulators hide the latency of the addition.
#[inline(always)]
fn sum_of_squares<S: Simd>(simd: S, x: &[f32]) -> f32 {
    let (head, tail) = S::as_simd_f32s(x);
    let mut sums = [simd.splat_f32s(0.0); 4];
    for (i, &x) in head.iter().enumerate() {
        sums[i % 4] = simd.mul_add_f32s(x, x, sums[i % 4]);
    }
    let x = simd.partial_load_f32s(tail);
    sums[3] = simd.mul_add_f32s(x, x, sums[3]);
    let sum = simd.add_f32s(simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
    simd.reduce_sum_f32s(sum)
}
