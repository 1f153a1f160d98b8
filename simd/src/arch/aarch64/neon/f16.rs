//! F16 rows: half-precision floats, two bytes a weight, at any alignment: dot products, weighted sums of rows (attention), and narrowing.

use super::super::convert;
use super::super::load::{f32x4, store_f32x4, u8x16};
use super::float::dot_rows;
use crate::activation::Column;
use crate::arch::scalar;
use crate::block::{f16_to_f32, f32_to_f16};
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[target_feature(enable = "neon")]
pub(crate) fn dot(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<32>(rows, x, out, |w| {
        let w = w.as_chunks().0;
        let ([a, b], [c, d]) = (widen8(&w[0]), widen8(&w[1]));
        [a, b, c, d]
    });
}

/// Widens eight halves.
#[inline]
#[target_feature(enable = "neon")]
fn widen8(halves: &[u8; 16]) -> [float32x4_t; 2] {
    let halves = vreinterpretq_u16_u8(u8x16(halves));
    [convert::widen(vget_low_u16(halves)), convert::widen(vget_high_u16(halves))]
}

/// `out[i] += sum_r weights[r] * rows[r][i]` for rows of `out.len()` values, added row by row.
///
/// Columns are taken 32 at a time (then eight, then one), so that their sums stay in registers while all rows go by.
#[target_feature(enable = "neon")]
pub(crate) fn add_rows(rows: &[u8], weights: &[f32], out: &mut [f32]) {
    let row_bytes = out.len() * 2;
    let (eights, rest) = out.as_chunks_mut::<8>();
    let (tiles, eights) = eights.as_chunks_mut::<4>();
    let mut at = 0;
    for tile in tiles {
        add_columns(rows, row_bytes, at, weights, tile);
        at += 64;
    }
    for eight in eights {
        add_columns(rows, row_bytes, at, weights, std::array::from_mut(eight));
        at += 16;
    }
    for out in rest {
        for (row, weight) in rows.chunks_exact(row_bytes).zip(weights) {
            *out = weight.mul_add(f16_to_f32([row[at], row[at + 1]]), *out);
        }
        at += 2;
    }
}

/// The part of [`add_rows`] for `N` times eight columns, whose halves start at byte `at` of each row.
#[inline]
#[target_feature(enable = "neon")]
fn add_columns<const N: usize>(
    rows: &[u8],
    row_bytes: usize,
    at: usize,
    weights: &[f32],
    out: &mut [[f32; 8]; N],
) {
    let mut sums = [[vdupq_n_f32(0.0); 2]; N];
    for (sum, out) in sums.iter_mut().zip(&*out) {
        let out = out.as_chunks().0;
        *sum = [f32x4(&out[0]), f32x4(&out[1])];
    }
    for (row, &weight) in rows.chunks_exact(row_bytes).zip(weights) {
        for (sum, halves) in sums.iter_mut().zip(row[at..][..N * 16].as_chunks().0) {
            let [low, high] = widen8(halves);
            *sum = [vfmaq_n_f32(sum[0], low, weight), vfmaq_n_f32(sum[1], high, weight)];
        }
    }
    for (sum, out) in sums.iter().zip(out) {
        let out = out.as_chunks_mut().0;
        store_f32x4(&mut out[0], sum[0]);
        store_f32x4(&mut out[1], sum[1]);
    }
}

/// Narrows floats to F16 bytes, to nearest, ties to even.
#[target_feature(enable = "neon")]
pub(crate) fn narrow(x: &[f32], out: &mut [u8]) {
    let (fours, rest) = x.as_chunks::<4>();
    let (out_fours, out_rest) = out.as_chunks_mut::<8>();
    for (out, x) in out_fours.iter_mut().zip(fours) {
        let halves = vreinterpret_u64_u16(convert::narrow(f32x4(x)));
        *out = vget_lane_u64::<0>(halves).to_le_bytes();
    }
    for (out, x) in out_rest.as_chunks_mut::<2>().0.iter_mut().zip(rest) {
        *out = f32_to_f16(*x);
    }
}

/// Widens F16 bytes to floats.
#[target_feature(enable = "neon")]
pub(crate) fn widen(x: &[u8], out: &mut [f32]) {
    let (eights, rest) = out.as_chunks_mut::<8>();
    let (x, last) = x.split_at(eights.len() * 16);
    for (out, x) in eights.iter_mut().zip(x.as_chunks::<16>().0) {
        let ([low, high], out) = (widen8(x), out.as_chunks_mut().0);
        store_f32x4(&mut out[0], low);
        store_f32x4(&mut out[1], high);
    }
    scalar::widen_f16(last, rest);
}

#[cfg(test)]
mod tests {
    use crate::{Isa, Kernels};

    /// Every half and its neighbours between halves, ties among them, narrowed as the half crate does it.
    #[test]
    fn every_half_is_narrowed_to_nearest_even() {
        let Ok(neon) = Kernels::new(Isa::Neon) else { return };
        for bits in 0..=u16::MAX {
            let half = half::f16::from_bits(bits).to_f32();
            let x =
                [-3, -1, 0, 1].map(|step| f32::from_bits(half.to_bits().wrapping_add_signed(step * 0x400)));
            let mut narrow = [0; 8];
            neon.narrow_f16(&x, &mut narrow);
            for (x, got) in x.iter().zip(narrow.as_chunks::<2>().0) {
                let expected = half::f16::from_f32_const(*x).to_le_bytes();
                assert_eq!(*got, expected, "{x:e} ({:08x})", x.to_bits());
            }
        }
    }
}
