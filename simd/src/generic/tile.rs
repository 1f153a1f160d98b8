//! Attention of many queries at once: a tile of [`LANES`] queries, a lane each, meets keys and values block by block with an online
//! softmax (Milakov and Gimelshein 2018, arXiv:1805.02867; Dao et al. 2022, arXiv:2205.14135).

use super::exp::exp;
use pulp::{Simd, WithSimd};

/// Queries of a tile, and columns of every matrix here; a multiple of twice the widest vector.
pub const LANES: usize = 32;

/// `c[i][j] += sum_l a[i * row + l * column] * b[l][j]`, where `b` is `l x LANES` and `c` is `i x LANES`. One of the strides is 1.
pub(crate) struct Accumulate<'a> {
    pub a: &'a [f32],
    pub row: usize,
    pub column: usize,
    pub b: &'a [f32],
    pub c: &'a mut [f32],
}

impl WithSimd for Accumulate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Accumulate { a, row, column, b, c } = self;
        let b = S::as_simd_f32s(b).0;
        let (fours, rest) = c.as_chunks_mut::<{ 4 * LANES }>();
        let done = fours.len() * 4;
        for (i, c) in fours.iter_mut().enumerate() {
            accumulate_rows::<S, 4>(simd, &a[i * 4 * row..], row, column, b, c);
        }
        for (i, c) in rest.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
            accumulate_rows::<S, 1>(simd, &a[(done + i) * row..], row, column, b, c);
        }
    }
}

/// `M` rows, two vectors of columns at a time, so that all sums stay in registers.
#[inline(always)]
fn accumulate_rows<S: Simd, const M: usize>(
    simd: S,
    a: &[f32],
    row: usize,
    column: usize,
    b: &[S::f32s],
    c: &mut [f32],
) {
    let per_row = LANES / S::F32_LANES;
    let c = S::as_mut_simd_f32s(c).0;
    let count = b.len() / per_row;
    for at in (0..per_row).step_by(2) {
        let mut sums = [[simd.splat_f32s(0.0); 2]; M];
        for (m, sums) in sums.iter_mut().enumerate() {
            *sums = [c[m * per_row + at], c[m * per_row + at + 1]];
        }
        let mut factors = [0.0; M];
        if column == 1 {
            let mut rows: [&[f32]; M] = [&[]; M];
            for (m, factors) in rows.iter_mut().enumerate() {
                *factors = &a[m * row..][..count];
            }
            for (l, b) in b.chunks_exact(per_row).enumerate().take(count) {
                for (factor, row) in factors.iter_mut().zip(rows) {
                    *factor = row[l];
                }
                add_products::<S, M>(simd, factors, [b[at], b[at + 1]], &mut sums);
            }
        } else {
            for (l, b) in b.chunks_exact(per_row).enumerate().take(count) {
                factors.copy_from_slice(&a[l * column..][..M]);
                add_products::<S, M>(simd, factors, [b[at], b[at + 1]], &mut sums);
            }
        }
        for (m, sums) in sums.iter().enumerate() {
            c[m * per_row + at] = sums[0];
            c[m * per_row + at + 1] = sums[1];
        }
    }
}

#[inline(always)]
fn add_products<S: Simd, const M: usize>(
    simd: S,
    a: [f32; M],
    b: [S::f32s; 2],
    sums: &mut [[S::f32s; 2]; M],
) {
    for m in 0..M {
        let a = simd.splat_f32s(a[m]);
        sums[m][0] = simd.mul_add_f32s(a, b[0], sums[m][0]);
        sums[m][1] = simd.mul_add_f32s(a, b[1], sums[m][1]);
    }
}

/// One step of the online softmax, each lane by itself: scores become `e^(score - max)`, where `max` is the largest so far; `sum` is what they
/// add up to with all before; `scale` is what results so far must be multiplied with, as `max` may have grown.
pub(crate) struct SoftmaxTile<'a> {
    pub scores: &'a mut [f32],
    pub max: &'a mut [f32; LANES],
    pub sum: &'a mut [f32; LANES],
    pub scale: &'a mut [f32; LANES],
}

impl WithSimd for SoftmaxTile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let per_row = LANES / S::F32_LANES;
        let scores = S::as_mut_simd_f32s(self.scores).0;
        let (max, sum) = (S::as_mut_simd_f32s(self.max).0, S::as_mut_simd_f32s(self.sum).0);
        let scale = S::as_mut_simd_f32s(self.scale).0;
        for at in 0..per_row {
            let before = max[at];
            for row in scores.chunks_exact(per_row) {
                max[at] = simd.max_f32s(max[at], row[at]);
            }
            scale[at] = exp(simd, simd.sub_f32s(before, max[at]));
            let mut total = simd.mul_f32s(sum[at], scale[at]);
            for row in scores.chunks_exact_mut(per_row) {
                row[at] = exp(simd, simd.sub_f32s(row[at], max[at]));
                total = simd.add_f32s(total, row[at]);
            }
            sum[at] = total;
        }
    }
}

/// `x[i][j] *= scale[j]`, where `x` is `i x LANES`.
pub(crate) struct ScaleColumns<'a> {
    pub x: &'a mut [f32],
    pub scale: &'a [f32; LANES],
}

impl WithSimd for ScaleColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for row in self.x.as_chunks_mut::<LANES>().0 {
            for (x, scale) in row.iter_mut().zip(self.scale) {
                *x *= scale;
            }
        }
    }
}
