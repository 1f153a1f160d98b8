//! IQ4_NL on AVX-512 with VNNI. A block is 18 bytes: f16 `d`, then 16 bytes of nibbles, weights 0..16 low and 16..32 high; a nibble chooses from
//! sixteen int8 values; `w = d * value`. From there on it is Q8_0: the sign of each weight moves to its activation.

use super::super::load::{floats, heads};
use super::panel::unpack;
use super::rows::{dot_rows, dot_signed, lookup, nibbles, pair, quarter, spread};
use crate::activation::Column;
use crate::block::{BlockIQ4NL, IQ4_VALUES};
use crate::panel::{PanelGroup, Source};
use bytemuck::Zeroable;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_iq4_nl(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<BlockIQ4NL, 8>(rows, x, out, |sums, blocks, group| {
        let (d, _) = heads(blocks);
        let scales = _mm256_mul_ps(d, floats(&group.scale));
        for i in 0..4 {
            let Some(values) = values(blocks, i) else { break };
            sums.add(i, dot_signed(values, quarter(group, i)), spread(scales, i));
        }
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_iq4_nl(source: Source<'_>, panel: &mut [PanelGroup]) {
    let values = |blocks: &[BlockIQ4NL; 8], i| values(blocks, i).unwrap_or(_mm512_setzero_si512());
    unpack::<BlockIQ4NL, 8, 8, 1>(source, panel, 128, values, |blocks| {
        [_mm512_zextps256_ps512(heads(blocks).0)]
    });
}

/// The values of blocks `2 * i` and `2 * i + 1`, if there is the first of them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn values(blocks: &[BlockIQ4NL], i: usize) -> Option<__m512i> {
    let none = BlockIQ4NL::zeroed();
    let (a, b) = pair(blocks, i, &none)?;
    Some(lookup(&IQ4_VALUES, nibbles(&a.qs, &b.qs)))
}
