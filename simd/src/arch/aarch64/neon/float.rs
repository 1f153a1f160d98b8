//! The dot product that the float formats share: rows of values that become four float vectors by the sixteen.

use super::super::load::{f32x4, prefetch_after};
use crate::activation::Column;
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`, sixteen values (`BYTES` bytes) at a time, into four vectors of partial sums, so that one addition need not
/// wait for the last. The end of a row that is no multiple of sixteen is filled up with zeros.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_rows<const BYTES: usize>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    widen: impl Fn(&[u8; BYTES]) -> [float32x4_t; 4],
) {
    let row_bytes = x.cols() * (BYTES / 16);
    let (x16, x_rest) = x.x.as_chunks::<16>();
    let mut x_last = [0.0; 16];
    x_last[..x_rest.len()].copy_from_slice(x_rest);
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let (w16, rest) = row.as_chunks::<BYTES>();
        let mut sums = [vdupq_n_f32(0.0); 4];
        let ((w32, w16), (x32, x16)) = (w16.as_chunks::<2>(), x16.as_chunks::<2>());
        for (w, x) in w32.iter().zip(x32) {
            prefetch_after(w);
            sums = multiply_add(multiply_add(sums, widen(&w[0]), &x[0]), widen(&w[1]), &x[1]);
        }
        for (w, x) in w16.iter().zip(x16) {
            sums = multiply_add(sums, widen(w), x);
        }
        if !rest.is_empty() {
            let mut last = [0; BYTES];
            last[..rest.len()].copy_from_slice(rest);
            sums = multiply_add(sums, widen(&last), &x_last);
        }
        *out = vaddvq_f32(vaddq_f32(vaddq_f32(sums[0], sums[1]), vaddq_f32(sums[2], sums[3])));
    }
}

/// `sums + w * x`.
#[inline]
#[target_feature(enable = "neon")]
fn multiply_add(sums: [float32x4_t; 4], w: [float32x4_t; 4], x: &[f32; 16]) -> [float32x4_t; 4] {
    let x = x.as_chunks().0;
    [
        vfmaq_f32(sums[0], w[0], f32x4(&x[0])),
        vfmaq_f32(sums[1], w[1], f32x4(&x[1])),
        vfmaq_f32(sums[2], w[2], f32x4(&x[2])),
        vfmaq_f32(sums[3], w[3], f32x4(&x[3])),
    ]
}
