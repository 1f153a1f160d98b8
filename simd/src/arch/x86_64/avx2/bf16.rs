//! BF16 on AVX2: the upper half of a float, little-endian, at any alignment; widened by a shift. There are no integers to overflow.

use super::super::load::load_half;
use super::floats::dot_rows;
use crate::activation::Column;
use crate::block::BlockBf16;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_bf16(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockBf16>(rows, x, out, |eight| {
        let bits = _mm256_slli_epi32::<16>(_mm256_cvtepu16_epi32(load_half(eight)));
        _mm256_castsi256_ps(bits)
    });
}
