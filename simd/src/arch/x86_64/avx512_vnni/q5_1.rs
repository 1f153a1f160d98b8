//! Q5_1 on AVX-512 with VNNI. A block is 24 bytes: f16 `d` and `m`, 32 high bits, then 16 bytes of low nibbles, weights 0..16 low and
//! 16..32 high; `w = d * q + m`.
//!
//! Quants are unsigned (0..32) and four products add up to at most 4 * 31 * 127 in an i32. The minima multiply the sums of the
//! activations, once for eight blocks. The high bits of two blocks are a mask that selects the bytes to add 16 to.

use super::super::load::{floats, heads};
use super::panel::{factors, unpack};
use super::rows::{dot, dot_rows, nibbles, pair, quarter, spread, with_fifth_bits};
use crate::activation::Column;
use crate::block::BlockQ5_1;
use crate::panel::{PanelGroup, Source};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q5_1(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ5_1, 8>(rows, x, out, |sums, blocks, group| {
        let (d, m) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some(quants) = quants(blocks, i) else { break };
            sums.add(i, dot(quants, quarter(group, i)), spread(scales, i));
        }
        sums.offset(m, floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q5_1(source: Source<'_>, panel: &mut [PanelGroup]) {
    let quants = |blocks: &[BlockQ5_1; 8], i| quants(blocks, i).unwrap_or(_mm512_setzero_si512());
    unpack::<BlockQ5_1, 8, 8, 1>(source, panel, 128, quants, |blocks| {
        let (d, m) = heads(blocks);
        [factors(d, m)]
    });
}

/// The quants of blocks `2 * i` and `2 * i + 1`, if there is the first of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(blocks: &[BlockQ5_1], i: usize) -> Option<__m512i> {
    let none = BlockQ5_1::zeroed();
    let (a, b) = pair(blocks, i, &none)?;
    Some(with_fifth_bits(nibbles(&a.qs, &b.qs), a.qh, b.qh))
}
