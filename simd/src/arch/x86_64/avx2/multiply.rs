//! The multiplication of bytes with `maddubs`, which adds two products of an unsigned and a signed byte in an i16.
//!
//! Small quants leave room there: with `bits` bits a pair of products is at most `2 * (2^bits - 1) * 127`, and several pairs are added up
//! before they are widened:
//!
//! ```text
//! 4 bits    3,810 a pair    8 pairs: 30,480
//! 5 bits    7,874           4 pairs: 31,496
//! 6 bits   16,002           2 pairs: 32,004
//! ```
//!
//! Signed bytes leave none. Their signs move to the activations, `|q| * (sign(q) * x)`: at most `2 * 128 * 127 = 32,512`, one pair at a time.

use super::super::load::load;
use super::super::vector256::{Columns, WIDTH, activations, multiply};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use std::arch::x86_64::*;

/// For quants of 4 bits with a scale and an offset per 32 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_4bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<8, true>(panel, tile, sums, |columns, half, x, part| dots::<8>(columns, half, x, part * 8));
}

/// For quants of 5 bits with a scale and an offset per 32 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_5bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<8, true>(panel, tile, sums, |columns, half, x, part| dots::<4>(columns, half, x, part * 8));
}

/// For quants of 2 bits with a scale and an offset per 16 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_2bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, true>(panel, tile, sums, |columns, half, x, part| dots::<4>(columns, half, x, part * 4));
}

/// For quants of 3 bits less 4, with a scale per 16 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_3bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, false>(panel, tile, sums, |columns, half, x, part| {
        less::<5>(dots::<4>(columns, half, x, part * 4), x, part)
    });
}

/// For quants of 6 bits less 32, with a scale per 16 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_6bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, false>(panel, tile, sums, |columns, half, x, part| {
        less::<2>(dots::<2>(columns, half, x, part * 4), x, part)
    });
}

/// Takes 128 shifted right by `SHIFT` times the activations of 16 columns off: the bias is -128 times them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn less<const SHIFT: i32>(
    mut sums: [__m256i; WIDTH],
    x: [&ActGroup; WIDTH],
    part: usize,
) -> [__m256i; WIDTH] {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = _mm256_add_epi32(*sum, _mm256_srai_epi32::<SHIFT>(_mm256_set1_epi32(x.bias16[part])));
    }
    sums
}

/// For signed bytes with a scale per 32 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_8bit(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<8, false>(panel, tile, sums, |columns, half, x, part| signed_dots(columns, half, x, part * 8));
}

/// For signed bytes with a scale per 16 columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply_8bit_by_16(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, false>(panel, tile, sums, |columns, half, x, part| {
        signed_dots(columns, half, x, part * 4)
    });
}

/// Sums of which `PAIRS` pairs fit in an i16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dots<const PAIRS: usize>(
    columns: Columns<'_>,
    half: usize,
    x: [&ActGroup; WIDTH],
    first: usize,
) -> [__m256i; WIDTH] {
    let mut sums = [_mm256_setzero_si256(); WIDTH];
    for (i, columns) in columns.chunks_exact(PAIRS).enumerate() {
        let mut narrow = [_mm256_setzero_si256(); WIDTH];
        for (j, weights) in columns.iter().enumerate() {
            let weights = load(&weights[half]);
            for (sum, x) in narrow.iter_mut().zip(x) {
                let pairs = _mm256_maddubs_epi16(weights, activations(x, first + i * PAIRS + j));
                *sum = _mm256_add_epi16(*sum, pairs);
            }
        }
        add_widened(&mut sums, narrow);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn signed_dots(columns: Columns<'_>, half: usize, x: [&ActGroup; WIDTH], first: usize) -> [__m256i; WIDTH] {
    let mut sums = [_mm256_setzero_si256(); WIDTH];
    for (i, weights) in columns.iter().enumerate() {
        let weights = load(&weights[half]);
        let magnitudes = _mm256_abs_epi8(weights);
        let mut narrow = [_mm256_setzero_si256(); WIDTH];
        for (sum, x) in narrow.iter_mut().zip(x) {
            *sum = _mm256_maddubs_epi16(magnitudes, _mm256_sign_epi8(activations(x, first + i), weights));
        }
        add_widened(&mut sums, narrow);
    }
    sums
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn add_widened(sums: &mut [__m256i; WIDTH], narrow: [__m256i; WIDTH]) {
    for (sum, narrow) in sums.iter_mut().zip(narrow) {
        *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(narrow, _mm256_set1_epi16(1)));
    }
}
