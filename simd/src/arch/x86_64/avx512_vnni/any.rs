//! Any format of 256 weights without offsets on AVX-512 with VNNI: a block is unpacked by portable code, and what is left are signed bytes and a
//! scale per 16 of them, which are multiplied as those of Q8_0 are. It serves the formats that have no kernels of their own.

use super::super::load::floats;
use super::load::load;
use super::panel::unpack_group;
use super::rows::{dot_rows, dot_signed, quarter, spread_sixteenths, twice};
use crate::activation::Column;
use crate::block::{QuantBlock, Unpacked};
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn dot_rows_any<B: QuantBlock>(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_rows::<B, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let mut w = Unpacked::ZERO;
        block.unpack(&mut w);
        let factors = _mm512_mul_ps(scales(&w), twice(floats(&group.scale)));
        for i in 0..4 {
            sums.add(i, dot_signed(quants(&w, i), quarter(group, i)), spread_sixteenths(factors, i));
        }
    });
}

/// Up to 16 rows into a panel.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn unpack_any<B: QuantBlock>(source: Source<'_>, panel: &mut [PanelGroup]) {
    let mut rows = [const { [Unpacked::ZERO] }; PANEL_ROWS];
    for (g, group) in panel.iter_mut().enumerate() {
        source.unpack_rows::<B>(source.first + g, &mut rows);
        unpack_unpacked(&rows, group);
    }
}

/// A group of all rows. It is the same function for all formats.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn unpack_unpacked(rows: &[[Unpacked; 1]; PANEL_ROWS], group: &mut PanelGroup) {
    let quarter = |[w]: &[Unpacked; 1], i| quants(w, i);
    let raise = _mm512_set1_epi8(-128);
    unpack_group::<Unpacked, 1, 16, 1>(rows.each_ref(), group, raise, quarter, |[w]| [scales(w)]);
}

/// The quants of quarter `i` (0..4).
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn quants(w: &Unpacked, i: usize) -> __m512i {
    load(&bytemuck::cast_ref::<_, [[i8; 64]; 4]>(&w.q)[i])
}

/// The sixteen scales.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn scales(w: &Unpacked) -> __m512 {
    _mm512_castsi512_ps(load(&w.scale))
}
