//! F16 on AVX2 with F16C: dot products with rows of weights or keys, weighted sums of rows of values, and narrowing.
//!
//! Values are little-endian and two bytes each, at any alignment. All arithmetic is in `f32`; there are no integers.

use super::super::load::{floats, load_half, store_floats, store_half};
use super::floats::dot_rows;
use crate::activation::Column;
use crate::arch::scalar;
use crate::block::{BlockF16, f32_to_f16};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_f16(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockF16>(rows, x, out, |eight| _mm256_cvtph_ps(load_half(eight)));
}

/// `out += weights[r] * rows[r]`: `weights.len()` rows x `out.len()` columns.
///
/// Columns are taken 64 at a time, so that their sums stay in registers while the rows go by.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add_rows_f16(rows: &[u8], weights: &[f32], out: &mut [f32]) {
    let row_bytes = out.len() * 2;
    let (wide, rest) = out.as_chunks_mut::<64>();
    let mut at = 0;
    for out in wide {
        add_columns::<8>(rows, row_bytes, at, weights, bytemuck::cast_mut(out));
        at += 128;
    }
    let (eights, rest) = rest.as_chunks_mut::<8>();
    for out in eights {
        add_columns::<1>(rows, row_bytes, at, weights, std::array::from_mut(out));
        at += 16;
    }
    if !rest.is_empty() {
        add_last_columns(rows, row_bytes, weights, rest);
    }
}

/// `8 * N` columns, which start at byte `at` of each row.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_columns<const N: usize>(
    rows: &[u8],
    row_bytes: usize,
    at: usize,
    weights: &[f32],
    out: &mut [[f32; 8]; N],
) {
    let mut sums = [_mm256_setzero_ps(); N];
    for (sum, out) in sums.iter_mut().zip(out.iter()) {
        *sum = floats(out);
    }
    for (row, weight) in rows.chunks_exact(row_bytes).zip(weights) {
        let weight = _mm256_set1_ps(*weight);
        let eights = row[at..][..N * 16].as_chunks::<16>().0;
        for (sum, eight) in sums.iter_mut().zip(eights) {
            *sum = _mm256_fmadd_ps(_mm256_cvtph_ps(load_half(eight)), weight, *sum);
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        store_floats(out, sum);
    }
}

/// The last columns, fewer than eight.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_last_columns(rows: &[u8], row_bytes: usize, weights: &[f32], out: &mut [f32]) {
    let mut sums = [0.0; 8];
    sums[..out.len()].copy_from_slice(out);
    for (row, weight) in rows.chunks_exact(row_bytes).zip(weights) {
        let mut eight = [0u8; 16];
        eight[..out.len() * 2].copy_from_slice(&row[row_bytes - out.len() * 2..]);
        let sum = _mm256_fmadd_ps(_mm256_cvtph_ps(load_half(&eight)), _mm256_set1_ps(*weight), floats(&sums));
        store_floats(&mut sums, sum);
    }
    out.copy_from_slice(&sums[..out.len()]);
}

/// Narrows floats to F16, to nearest, ties to even.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn narrow_f16(x: &[f32], out: &mut [u8]) {
    let (eights, rest) = x.as_chunks::<8>();
    let (out, last) = out.split_at_mut(eights.len() * 16);
    for (out, x) in out.as_chunks_mut::<16>().0.iter_mut().zip(eights) {
        store_half(out, _mm256_cvtps_ph::<_MM_FROUND_TO_NEAREST_INT>(floats(x)));
    }
    for (out, x) in last.as_chunks_mut::<2>().0.iter_mut().zip(rest) {
        *out = f32_to_f16(*x);
    }
}

/// Widens F16 to floats.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn widen_f16(x: &[u8], out: &mut [f32]) {
    let (eights, rest) = out.as_chunks_mut::<8>();
    let (x, last) = x.split_at(eights.len() * 16);
    for (out, x) in eights.iter_mut().zip(x.as_chunks::<16>().0) {
        store_floats(out, _mm256_cvtph_ps(load_half(x)));
    }
    scalar::widen_f16(last, rest);
}
