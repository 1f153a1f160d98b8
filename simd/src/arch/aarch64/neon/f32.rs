//! F32 rows: floats, four bytes a weight, at any alignment.

use super::super::load::u8x16;
use super::float::dot_rows;
use crate::activation::Column;
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[target_feature(enable = "neon")]
pub(crate) fn dot(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<64>(rows, x, out, |w| {
        let w = w.as_chunks().0;
        [
            vreinterpretq_f32_u8(u8x16(&w[0])),
            vreinterpretq_f32_u8(u8x16(&w[1])),
            vreinterpretq_f32_u8(u8x16(&w[2])),
            vreinterpretq_f32_u8(u8x16(&w[3])),
        ]
    });
}
