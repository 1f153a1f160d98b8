//! Q4_0 on AVX-512 with VNNI. A block is 18 bytes: f16 `d`, then 16 bytes of nibbles, weights 0..16 low and 16..32 high;
//! `w = d * (q - 8)`.
//!
//! Quants stay unsigned (0..16) and four products add up to at most 4 * 15 * 127 in an i32. The -8 is taken off through the sum of the
//! activations, once for eight blocks.

use super::super::load::{floats, heads};
use super::load::store;
use super::panel::{columns, halves, unpack_with};
use super::rows::{dot, dot_rows, nibbles, pair, quarter, spread};
use crate::activation::Column;
use crate::block::BlockQ4_0;
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q4_0(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ4_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some(quants) = quants(blocks, i) else { break };
            sums.add(i, dot(quants, quarter(group, i)), spread(scales, i));
        }
        sums.offset(_mm256_mul_ps(d, _mm256_set1_ps(-8.0)), floats(&group.sum));
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q4_0(source: Source<'_>, panel: &mut [PanelGroup]) {
    unpack_with::<BlockQ4_0, 8>(source, panel, 128 - 8, |rows, group, raise| {
        unpack_group(rows, group, raise)
    });
}

/// A group of all rows: turned before the nibbles are taken apart, when there is half as much to turn.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn unpack_group(rows: [&[BlockQ4_0; 8]; PANEL_ROWS], group: &mut PanelGroup, raise: __m512i) {
    let low = _mm512_set1_epi8(15);
    let parts = group.q.as_chunks_mut::<64>().0.as_chunks_mut::<8>().0;
    for (part, (out, scale)) in parts.iter_mut().zip(&mut group.scale).enumerate() {
        store(scale, halves(|r| rows[r][part].d));
        for (i, packed) in columns(|r| &rows[r][part].qs).into_iter().enumerate() {
            store(&mut out[i], _mm512_add_epi8(_mm512_and_si512(packed, low), raise));
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(packed), low);
            store(&mut out[4 + i], _mm512_add_epi8(high, raise));
        }
    }
}

/// The quants of blocks `2 * i` and `2 * i + 1`, if there is the first of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(blocks: &[BlockQ4_0], i: usize) -> Option<__m512i> {
    let none = BlockQ4_0::zeroed();
    let (a, b) = pair(blocks, i, &none)?;
    Some(nibbles(&a.qs, &b.qs))
}
