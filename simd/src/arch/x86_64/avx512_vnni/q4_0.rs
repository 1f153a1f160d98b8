//! Q4_0 on AVX-512 with VNNI. A block is 18 bytes: f16 `d`, then 16 bytes of nibbles, weights 0..16 low and 16..32 high;
//! `w = d * (q - 8)`.
//!
//! Quants stay unsigned (0..16) and four products add up to at most 4 * 15 * 127 in an i32. The -8 is taken off through the sum of the
//! activations, once for eight blocks.

use super::super::load::{floats, heads};
use super::rows::{dot, dot_rows, nibbles, pair, quarter, spread};
use crate::activation::Column;
use crate::block::BlockQ4_0;
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q4_0(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let none = BlockQ4_0::zeroed();
    dot_rows::<BlockQ4_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some((a, b)) = pair(blocks, i, &none) else { break };
            sums.add(i, dot(nibbles(&a.qs, &b.qs), quarter(group, i)), spread(scales, i));
        }
        sums.offset(_mm256_mul_ps(d, _mm256_set1_ps(-8.0)), floats(&group.sum));
    });
}
