//! Weight rows into a panel, for all block formats: what a format brings along is how the quants and factors of one row are read.
//!
//! Vectors of a row become vectors of a column by transposing 8 x 8 words of 32 bits, for rows 0..8 and rows 8..16. For quants a word is four
//! columns, so each 64 bytes of the panel hold four columns of 16 rows; for the factors (scales, offsets) a word is one float.

use super::super::load::store;
use crate::activation::ActGroup;
use crate::block::Block;
use crate::panel::{PANEL_ROWS, PanelGroup, Source};
use std::arch::x86_64::*;

/// How an instruction set wants its quants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quants {
    /// As the blocks have them, unsigned and small; what a format takes off them becomes an offset.
    Small,
    /// Raised, so that a weight is its quant less 128.
    Raised,
}

/// Unpacks rows of a format whose `N` blocks of type `B` hold the 256 weights of a group.
///
/// `part(blocks, i)` gives 32 quants, of which each weight is one less `zero`; `factors(blocks)` gives the scales of `SCALES` parts (8 or 16)
/// and then as many offsets, eight to a vector.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn unpack<B: Block, const N: usize, const SCALES: usize, const VECTORS: usize>(
    source: Source<'_>,
    panel: &mut [PanelGroup],
    (quants, zero): (Quants, u8),
    part: impl Fn(&[B; N], usize) -> __m256i,
    factors: impl Fn(&[B; N]) -> [__m256; VECTORS],
) {
    const { assert!(B::LEN * N == ActGroup::LEN) };
    let raise = if quants == Quants::Raised { 128 - zero } else { 0 };
    let fold = if quants == Quants::Small && SCALES == 8 { f32::from(zero) } else { 0.0 };
    let (raise, fold) = (_mm256_set1_epi8(raise as i8), _mm256_set1_ps(fold));
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
        unpack_group::<B, N, SCALES, VECTORS>(rows, group, (raise, fold), &part, &factors);
    }
}

/// A group of 256 weights of each row.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn unpack_group<B, const N: usize, const SCALES: usize, const VECTORS: usize>(
    rows: [&[B; N]; PANEL_ROWS],
    group: &mut PanelGroup,
    (raise, fold): (__m256i, __m256),
    part: impl Fn(&[B; N], usize) -> __m256i,
    factors: impl Fn(&[B; N]) -> [__m256; VECTORS],
) {
    // Loops, not `map`: code that is handed vectors must be compiled for them.
    let mut lanes = [_mm256_setzero_si256(); 8];
    for (half, rows) in rows.as_chunks::<8>().0.iter().enumerate() {
        for (i, out) in group.q.as_chunks_mut::<64>().0.as_chunks_mut::<8>().0.iter_mut().enumerate() {
            for (lane, row) in lanes.iter_mut().zip(rows) {
                *lane = _mm256_add_epi8(part(row, i), raise);
            }
            for (out, column) in out.iter_mut().zip(transpose(lanes)) {
                store(&mut out.as_chunks_mut::<32>().0[half], column);
            }
        }
        for v in 0..VECTORS {
            for (lane, row) in lanes.iter_mut().zip(rows) {
                let factors = factors(row);
                let folded = if v == 0 { factors[v] } else { _mm256_fnmadd_ps(factors[0], fold, factors[v]) };
                *lane = _mm256_castps_si256(folded);
            }
            let parts = group.scale[..SCALES].iter_mut().chain(&mut group.offset).skip(v * 8);
            for (out, part) in parts.zip(transpose(lanes)) {
                store(&mut bytemuck::cast_mut::<_, [[f32; 8]; 2]>(out)[half], part);
            }
        }
    }
}

/// Word `j` of vector `i` becomes word `i` of vector `j`: pairs of words, then pairs of those, then halves change places.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn transpose(x: [__m256i; 8]) -> [__m256i; 8] {
    let mut fours = [_mm256_setzero_si256(); 8];
    for (x, out) in x.as_chunks::<4>().0.iter().zip(fours.as_chunks_mut::<4>().0) {
        let (a, b) = (_mm256_unpacklo_epi32(x[0], x[1]), _mm256_unpackhi_epi32(x[0], x[1]));
        let (c, d) = (_mm256_unpacklo_epi32(x[2], x[3]), _mm256_unpackhi_epi32(x[2], x[3]));
        *out = [
            _mm256_unpacklo_epi64(a, c),
            _mm256_unpackhi_epi64(a, c),
            _mm256_unpacklo_epi64(b, d),
            _mm256_unpackhi_epi64(b, d),
        ];
    }
    let mut out = [_mm256_setzero_si256(); 8];
    for i in 0..4 {
        out[i] = _mm256_permute2x128_si256::<0x20>(fours[i], fours[4 + i]);
        out[4 + i] = _mm256_permute2x128_si256::<0x31>(fours[i], fours[4 + i]);
    }
    out
}
