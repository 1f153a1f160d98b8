//! The multiplication of bytes with `dpbusd`: weights raised by 128, a bias that takes that back, nothing that saturates.

use super::super::load::load;
use super::super::vector256::{Columns, WIDTH, activations, multiply};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use std::arch::x86_64::*;

/// For formats with a scale per 32 columns.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(crate) fn multiply_scales32(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<8, false>(panel, tile, sums, |columns, half, x, part| {
        dots(columns, half, x, part * 8, |x| x.bias[part])
    });
}

/// For formats with a scale and an offset per 32 columns.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(crate) fn multiply_offsets32(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<8, true>(panel, tile, sums, |columns, half, x, part| {
        dots(columns, half, x, part * 8, |x| x.bias[part])
    });
}

/// For formats with a scale per 16 columns.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(crate) fn multiply_scales16(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, false>(panel, tile, sums, |columns, half, x, part| {
        dots(columns, half, x, part * 4, |x| x.bias16[part])
    });
}

/// For formats with a scale and an offset per 16 columns.
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
pub(crate) fn multiply_offsets16(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<16, true>(panel, tile, sums, |columns, half, x, part| {
        dots(columns, half, x, part * 4, |x| x.bias16[part])
    });
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn dots(
    columns: Columns<'_>,
    half: usize,
    x: [&ActGroup; WIDTH],
    first: usize,
    bias: impl Fn(&ActGroup) -> i32,
) -> [__m256i; WIDTH] {
    let mut sums = [_mm256_setzero_si256(); WIDTH];
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = _mm256_set1_epi32(bias(x));
    }
    for (i, weights) in columns.iter().enumerate() {
        let weights = load(&weights[half]);
        for (sum, x) in sums.iter_mut().zip(x) {
            *sum = _mm256_dpbusd_avx_epi32(*sum, weights, activations(x, first + i));
        }
    }
    sums
}
