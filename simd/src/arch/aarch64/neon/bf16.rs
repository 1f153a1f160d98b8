//! BF16 rows: the upper halves of floats, two bytes a weight, at any alignment; widened by a shift, which is exact.

use super::super::load::u8x16;
use super::float::dot_rows;
use crate::activation::Column;
use std::arch::aarch64::*;

/// `out[r] = rows[r] . x`.
#[target_feature(enable = "neon")]
pub(crate) fn dot(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<32>(rows, x, out, |w| {
        let w = w.as_chunks().0;
        let (low, high) = (vreinterpretq_u16_u8(u8x16(&w[0])), vreinterpretq_u16_u8(u8x16(&w[1])));
        [
            vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(low))),
            vreinterpretq_f32_u32(vshll_high_n_u16::<16>(low)),
            vreinterpretq_f32_u32(vshll_n_u16::<16>(vget_low_u16(high))),
            vreinterpretq_f32_u32(vshll_high_n_u16::<16>(high)),
        ]
    });
}
