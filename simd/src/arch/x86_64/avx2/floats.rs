//! The walk along rows that the float formats share: eight weights widened at a time, in four chains of FMA.

use super::super::load::{floats, prefetch_after};
use super::super::vector256::Sums;
use crate::activation::Column;
use crate::block::{Block, blocks};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x` for a format of single weights of type `B`. The last weights, fewer than eight, are padded with zeros.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn dot_rows<B: Block>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    widen: impl Fn(&[B; 8]) -> __m256,
) {
    const { assert!(B::LEN == 1) };
    let (x, x_rest) = x.x.as_chunks::<8>();
    let x_last = padded(x_rest);
    for (row, out) in rows.chunks_exact(row_bytes::<B>(x, x_rest)).zip(out) {
        let (row, rest) = blocks::<B>(row).as_chunks::<8>();
        let mut sums = Sums::zero();
        let (row_wide, row) = row.as_chunks::<4>();
        let (x_wide, x) = x.as_chunks::<4>();
        for (weights, x) in row_wide.iter().zip(x_wide) {
            prefetch_after(weights);
            for (i, (weights, x)) in weights.iter().zip(x).enumerate() {
                sums.add(i, widen(weights), floats(x));
            }
        }
        for (weights, x) in row.iter().zip(x) {
            sums.add(0, widen(weights), floats(x));
        }
        if !rest.is_empty() {
            sums.add(1, widen(&padded(rest)), floats(&x_last));
        }
        *out = sums.total();
    }
}

#[inline]
fn row_bytes<B>(x: &[[f32; 8]], rest: &[f32]) -> usize {
    (x.len() * 8 + rest.len()) * size_of::<B>()
}

/// Fewer than eight values, filled up with zeros.
#[inline]
fn padded<T: Zeroable + Copy>(rest: &[T]) -> [T; 8] {
    let mut padded = [T::zeroed(); 8];
    padded[..rest.len()].copy_from_slice(rest);
    padded
}
