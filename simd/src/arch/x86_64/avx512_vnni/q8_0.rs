//! Q8_0 on AVX-512 with VNNI. A block is 34 bytes: f16 `d`, then 32 signed quants; `w = d * q`.
//!
//! `dpbusd` wants unsigned weights, so the sign of each weight moves to its activation: `|q| * (sign(q) * x)`. `|-128|` is 128 as an
//! unsigned byte, and activations are never -128, so four products add up to at most 4 * 128 * 127 in an i32. (Adding 128 to the
//! weights instead is one instruction shorter, but then large sums cancel in floats.)

use super::super::load::{floats, heads, load};
use super::rows::{dot, dot_rows, pair, quarter, spread};
use crate::activation::Column;
use crate::block::BlockQ8_0;
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q8_0(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let none = BlockQ8_0::zeroed();
    dot_rows::<BlockQ8_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some((a, b)) = pair(blocks, i, &none) else { break };
            let q = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(load(&a.qs)), load(&b.qs));
            let signed = negate_where(quarter(group, i), _mm512_movepi8_mask(q));
            sums.add(i, dot(_mm512_abs_epi8(q), signed), spread(scales, i));
        }
    });
}

/// Changes the sign of the bytes whose bit is set.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn negate_where(x: __m512i, bits: __mmask64) -> __m512i {
    _mm512_mask_sub_epi8(x, bits, _mm512_setzero_si512(), x)
}
