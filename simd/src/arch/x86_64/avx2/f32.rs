//! F32 on AVX2: little-endian, at any alignment. There are no integers to overflow.

use super::super::load::load;
use super::floats::dot_rows;
use crate::activation::Column;
use crate::block::BlockF32;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_f32(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockF32>(rows, x, out, |eight| _mm256_castsi256_ps(load(eight)));
}
