//! Any format of 256 weights without offsets, on vectors of 256 bits: a block is unpacked by portable code, and what is left are signed bytes and a
//! scale per 16 of them. It serves the formats that have no kernels of their own.
//!
//! Signs move to the activations, as in Q8_0: two products in an i16 reach at most 2 * 128 * 127 = 32512, whatever the bytes are.

use super::super::load::{floats, load};
use super::panel::{Quants, unpack_group};
use super::rows::{Dot, dot_rows, dot_signed, part, spread_pair, twice};
use crate::activation::Column;
use crate::block::{QuantBlock, Unpacked};
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_any<B: QuantBlock>(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<B, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let mut w = Unpacked::ZERO;
        block.unpack(&mut w);
        let (scales, [low, high]) = (scales(&w), twice(floats(&group.scale)));
        let factors = [_mm256_mul_ps(scales[0], low), _mm256_mul_ps(scales[1], high)];
        for i in 0..8 {
            let products = dot_signed(&dot, quants(&w, i), part(group, i));
            sums.add(i, products, spread_pair(factors[i / 4], i % 4 * 2));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_any<B: QuantBlock>(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let raise = _mm256_set1_epi8(if style == Quants::Raised { -128 } else { 0 });
    let mut rows = [const { [Unpacked::ZERO] }; PANEL_ROWS];
    for (g, group) in panel.iter_mut().enumerate() {
        source.unpack_rows::<B>(source.first + g, &mut rows);
        unpack_unpacked(&rows, group, raise);
    }
}

/// A group of all rows. It is the same function for all formats.
#[inline(never)]
#[target_feature(enable = "avx2,fma,f16c")]
fn unpack_unpacked(rows: &[[Unpacked; 1]; PANEL_ROWS], group: &mut PanelGroup, raise: __m256i) {
    let part = |[w]: &[Unpacked; 1], i| quants(w, i);
    let raise = (raise, _mm256_setzero_ps());
    unpack_group::<Unpacked, 1, 16, 2>(rows.each_ref(), group, raise, part, |[w]| scales(w));
}

/// The quants of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(w: &Unpacked, i: usize) -> __m256i {
    load(&bytemuck::cast_ref::<_, [[i8; 32]; 8]>(&w.q)[i])
}

/// The sixteen scales.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scales(w: &Unpacked) -> [__m256; 2] {
    let [low, high] = bytemuck::cast_ref::<_, [[f32; 8]; 2]>(&w.scale);
    [floats(low), floats(high)]
}
