//! Weight rows into a panel, for all block formats: what a format brings along is how the quants and factors of one row are read.
//!
//! Vectors of a row become vectors of a column by transposing 16 x 16 words of 32 bits. For quants a word is four columns, so each vector
//! of the panel holds four columns of 16 rows; for the factors (scales, and offsets behind them) it is one float.

use super::load::store;
use crate::activation::ActGroup;
use crate::block::Block;
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::x86_64::*;

/// Unpacks rows of a format whose `N` blocks of type `B` hold the 256 weights of a group.
///
/// `quarter(blocks, i)` gives 64 quants, to which `raise` is added so that a weight is its quant less 128; `factors(blocks)` gives the scales of
/// `SCALES` parts (8 or 16) and then as many offsets, in one vector or two. Both give zeros for blocks that are missing.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn unpack<B: Block, const N: usize, const SCALES: usize, const VECTORS: usize>(
    source: Source<'_>,
    panel: &mut [PanelGroup],
    raise: u8,
    quarter: impl Fn(&[B], usize) -> __m512i,
    factors: impl Fn(&[B]) -> [__m512; VECTORS],
) {
    const { assert!(B::LEN * N == ActGroup::LEN) };
    let raise = _mm512_set1_epi8(raise as i8);
    for (g, group) in panel.iter_mut().enumerate() {
        // Whole rows nearly always: then nothing has to be looked for.
        match source.whole::<B, N>((source.first + g) * N) {
            Some(rows) => unpack_group::<B, _, SCALES, VECTORS>(rows, group, raise, &quarter, &factors),
            None => {
                let rows = source.parts((source.first + g) * N, N);
                unpack_group::<B, _, SCALES, VECTORS>(rows, group, raise, &quarter, &factors);
            }
        }
    }
}

/// A group of 256 weights of each row.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn unpack_group<B, R: AsRef<[B]>, const SCALES: usize, const VECTORS: usize>(
    rows: [R; PANEL_ROWS],
    group: &mut PanelGroup,
    raise: __m512i,
    quarter: impl Fn(&[B], usize) -> __m512i,
    factors: impl Fn(&[B]) -> [__m512; VECTORS],
) {
    // Loops, not `map`: code that is handed vectors must be compiled for them.
    let mut lanes = [_mm512_setzero_si512(); PANEL_ROWS];
    let quarters = group.q.as_chunks_mut::<64>().0.as_chunks_mut::<16>().0;
    for (i, out) in quarters.iter_mut().enumerate() {
        for (lane, row) in lanes.iter_mut().zip(&rows) {
            *lane = _mm512_add_epi8(quarter(row.as_ref(), i), raise);
        }
        for (out, column) in out.iter_mut().zip(transpose(lanes)) {
            store(out, column);
        }
    }
    for v in 0..VECTORS {
        for (lane, row) in lanes.iter_mut().zip(&rows) {
            *lane = _mm512_castps_si512(factors(row.as_ref())[v]);
        }
        let (scales, offsets) = (&mut group.scale[..SCALES], &mut group.offset);
        for (out, part) in scales.iter_mut().chain(offsets).skip(v * 16).zip(transpose(lanes)) {
            store(out, part);
        }
    }
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
    let mut fours = [_mm512_setzero_si512(); 16];
    for (x, out) in x.as_chunks::<4>().0.iter().zip(fours.as_chunks_mut::<4>().0) {
        let (a, b) = (_mm512_unpacklo_epi32(x[0], x[1]), _mm512_unpackhi_epi32(x[0], x[1]));
        let (c, d) = (_mm512_unpacklo_epi32(x[2], x[3]), _mm512_unpackhi_epi32(x[2], x[3]));
        *out = [
            _mm512_unpacklo_epi64(a, c),
            _mm512_unpackhi_epi64(a, c),
            _mm512_unpacklo_epi64(b, d),
            _mm512_unpackhi_epi64(b, d),
        ];
    }
    let mut out = [_mm512_setzero_si512(); 16];
    for i in 0..4 {
        let [a, b, c, d] = [fours[i], fours[4 + i], fours[8 + i], fours[12 + i]];
        let (low, high) = (_mm512_shuffle_i32x4::<0x44>(a, b), _mm512_shuffle_i32x4::<0xee>(a, b));
        let (low2, high2) = (_mm512_shuffle_i32x4::<0x44>(c, d), _mm512_shuffle_i32x4::<0xee>(c, d));
        out[i] = _mm512_shuffle_i32x4::<0x88>(low, low2);
        out[4 + i] = _mm512_shuffle_i32x4::<0xdd>(low, low2);
        out[8 + i] = _mm512_shuffle_i32x4::<0x88>(high, high2);
        out[12 + i] = _mm512_shuffle_i32x4::<0xdd>(high, high2);
    }
    out
}
