//! Weight rows into a panel, for all block formats: what a format brings along is how the quants and factors of one row are read.
//!
//! Vectors of a row become vectors of a column by transposing 16 x 16 words of 32 bits. For quants a word is four columns, so each vector
//! of the panel holds four columns of 16 rows; for the factors (scales, and offsets behind them) it is one float.

use super::super::load::load_half;
use super::load::store;
use crate::activation::ActGroup;
use crate::block::Block;
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::x86_64::*;

/// Unpacks rows of a format whose `N` blocks of type `B` hold the 256 weights of a group.
///
/// `quarter(blocks, i)` gives 64 quants, to which `raise` is added so that a weight is its quant less 128; `factors(blocks)` gives the scales of
/// `SCALES` parts (8 or 16) and then as many offsets, in one vector or two.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn unpack<B: Block, const N: usize, const SCALES: usize, const VECTORS: usize>(
    source: Source<'_>,
    panel: &mut [PanelGroup],
    raise: u8,
    quarter: impl Fn(&[B; N], usize) -> __m512i,
    factors: impl Fn(&[B; N]) -> [__m512; VECTORS],
) {
    unpack_with::<B, N>(source, panel, raise, |rows, group, raise| {
        unpack_group::<B, N, SCALES, VECTORS>(rows, group, raise, &quarter, &factors);
    });
}

/// The same with a way of one's own for a group of all rows: `unpack_group(rows, group, raise)`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn unpack_with<B: Block, const N: usize>(
    source: Source<'_>,
    panel: &mut [PanelGroup],
    raise: u8,
    unpack_group: impl Fn([&[B; N]; PANEL_ROWS], &mut PanelGroup, __m512i),
) {
    const { assert!(B::LEN * N == ActGroup::LEN) };
    let raise = _mm512_set1_epi8(raise as i8);
    for (g, group) in panel.iter_mut().enumerate() {
        let start = (source.first + g) * N;
        let filled;
        // Whole rows nearly always: then nothing has to be looked for.
        let rows = match source.whole(start) {
            Some(rows) => rows,
            None => {
                filled = source.filled(start);
                filled.each_ref()
            }
        };
        unpack_group(rows, group, raise);
    }
}

/// A group of 256 weights of each row.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn unpack_group<B, const N: usize, const SCALES: usize, const VECTORS: usize>(
    rows: [&[B; N]; PANEL_ROWS],
    group: &mut PanelGroup,
    raise: __m512i,
    quarter: impl Fn(&[B; N], usize) -> __m512i,
    factors: impl Fn(&[B; N]) -> [__m512; VECTORS],
) {
    // Loops, not `map`: code that is handed vectors must be compiled for them.
    let mut lanes = [_mm512_setzero_si512(); PANEL_ROWS];
    let quarters = group.q.as_chunks_mut::<64>().0.as_chunks_mut::<16>().0;
    for (i, out) in quarters.iter_mut().enumerate() {
        for (lane, row) in lanes.iter_mut().zip(&rows) {
            *lane = _mm512_add_epi8(quarter(row, i), raise);
        }
        for (out, column) in out.iter_mut().zip(transpose(lanes)) {
            store(out, column);
        }
    }
    for v in 0..VECTORS {
        for (lane, row) in lanes.iter_mut().zip(&rows) {
            *lane = _mm512_castps_si512(factors(row)[v]);
        }
        let (scales, offsets) = (&mut group.scale[..SCALES], &mut group.offset);
        for (out, part) in scales.iter_mut().chain(offsets).skip(v * 16).zip(transpose(lanes)) {
            store(out, part);
        }
    }
}

/// Sixteen bytes of each row, which `row` gives, four to a vector, so that lane `r` of vector `j` has bytes `4 * j..4 * j + 4` of row `r`.
///
/// A quarter of a vector is loaded from each of four rows: then words only change places within quarters.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn columns<'a>(row: impl Fn(usize) -> &'a [u8; 16]) -> [__m512i; 4] {
    let mut x = [_mm512_setzero_si512(); 4];
    for (i, x) in x.iter_mut().enumerate() {
        let first = _mm512_castsi128_si512(load_half(row(i)));
        let two = _mm512_inserti32x4::<1>(first, load_half(row(i + 4)));
        let three = _mm512_inserti32x4::<2>(two, load_half(row(i + 8)));
        *x = _mm512_inserti32x4::<3>(three, load_half(row(i + 12)));
    }
    fours(x)
}

/// A half-precision float of each row, which `row` gives, widened.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn halves(row: impl Fn(usize) -> [u8; 2]) -> __m512i {
    let x = |r: usize| i16::from_le_bytes(row(r));
    let low = _mm_setr_epi16(x(0), x(1), x(2), x(3), x(4), x(5), x(6), x(7));
    let high = _mm_setr_epi16(x(8), x(9), x(10), x(11), x(12), x(13), x(14), x(15));
    _mm512_castps_si512(_mm512_cvtph_ps(_mm256_set_m128i(high, low)))
}

/// Eight scales and eight offsets.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn factors(scales: __m256, offsets: __m256) -> __m512 {
    _mm512_insertf32x8::<1>(_mm512_castps256_ps512(scales), offsets)
}

/// Word `j` of vector `i` becomes word `i` of vector `j`.
///
/// Pairs of words, then pairs of those, change places within 128 bits; then the 128-bit lanes do the same among four vectors.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn transpose(x: [__m512i; 16]) -> [__m512i; 16] {
    let mut turned = [_mm512_setzero_si512(); 16];
    for (x, out) in x.as_chunks::<4>().0.iter().zip(turned.as_chunks_mut::<4>().0) {
        *out = fours(*x);
    }
    let mut out = [_mm512_setzero_si512(); 16];
    for i in 0..4 {
        let [a, b, c, d] = [turned[i], turned[4 + i], turned[8 + i], turned[12 + i]];
        let (low, high) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
        let (low2, high2) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
        out[i] = _mm512_shuffle_i32x4::<0x88>(low, low2);
        out[4 + i] = _mm512_shuffle_i32x4::<0xdd>(low, low2);
        out[8 + i] = _mm512_shuffle_i32x4::<0x88>(high, high2);
        out[12 + i] = _mm512_shuffle_i32x4::<0xdd>(high, high2);
    }
    out
}

/// In each quarter, word `j` of vector `i` becomes word `i` of vector `j`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn fours(x: [__m512i; 4]) -> [__m512i; 4] {
    let (a, b) = (_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
    let (c, d) = (_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
    [
        _mm512_unpacklo_epi64(a, c),
        _mm512_unpackhi_epi64(a, c),
        _mm512_unpacklo_epi64(b, d),
        _mm512_unpackhi_epi64(b, d),
    ]
}
