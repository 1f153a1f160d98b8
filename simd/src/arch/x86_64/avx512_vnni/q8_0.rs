//! Q8_0 on AVX-512 with VNNI. A block is 34 bytes: f16 `d`, then 32 signed quants; `w = d * q`.
//!
//! `dpbusd` wants unsigned weights, so the sign of each weight moves to its activation: `|q| * (sign(q) * x)`. `|-128|` is 128 as an
//! unsigned byte, and activations are never -128, so four products add up to at most 4 * 128 * 127 in an i32. (Adding 128 to the
//! weights instead is one instruction shorter, but then large sums cancel in floats.)

use super::super::load::{floats, heads, load};
use super::load::store;
use super::panel::{columns, halves, unpack_with};
use super::rows::{dot_rows, dot_signed, pair, quarter, spread};
use crate::activation::Column;
use crate::block::BlockQ8_0;
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_q8_0(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockQ8_0, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some(q) = quants(blocks, i) else { break };
            sums.add(i, dot_signed(q, quarter(group, i)), spread(scales, i));
        }
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_q8_0(source: Source<'_>, panel: &mut [PanelGroup]) {
    unpack_with::<BlockQ8_0, 8>(source, panel, 128, |rows, group, raise| unpack_group(rows, group, raise));
}

/// A group of all rows.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn unpack_group(rows: [&[BlockQ8_0; 8]; PANEL_ROWS], group: &mut PanelGroup, raise: __m512i) {
    let parts = group.q.as_chunks_mut::<64>().0.as_chunks_mut::<8>().0;
    for (i, (out, scale)) in parts.iter_mut().zip(&mut group.scale).enumerate() {
        store(scale, halves(|r| rows[r][i].d));
        for (half, out) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let row = |r: usize| &bytemuck::cast_ref::<_, [[u8; 16]; 2]>(&rows[r][i].qs)[half];
            for (out, quants) in out.iter_mut().zip(columns(row)) {
                store(out, _mm512_add_epi8(quants, raise));
            }
        }
    }
}

/// The quants of blocks `2 * i` and `2 * i + 1`, if there is the first of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(blocks: &[BlockQ8_0], i: usize) -> Option<__m512i> {
    let none = BlockQ8_0::zeroed();
    let (a, b) = pair(blocks, i, &none)?;
    Some(_mm512_inserti64x4::<1>(_mm512_castsi256_si512(load(&a.qs)), load(&b.qs)))
}
