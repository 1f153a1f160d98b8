//! The product of a panel with a tile of activations: the same for all formats, which differ only in how many scales and offsets they have.
//!
//! A vector of 64 bytes holds four columns of each of the panel's 16 rows, raised by 128 to be unsigned; four activations are spread to all
//! rows, so that one instruction does 64 products and each lane is a row:
//!
//! ```text
//! for each part of 32 columns:          8 vectors of weights stay in registers
//!     for each activation vector:       integers  = bias;  8 times: integers += dot(weights, four activations)
//!                                       sums[v]  += float(integers) * (row scales * activation scale) + row offsets * activation sum
//! ```
//!
//! The bias, -128 times the sum of the activations, takes the 128 back. 32 * 255 * 127 is a 21-bit number: nothing overflows, and floats hold
//! the results exactly.

use super::load::{load, store};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup, TILE};
use std::arch::x86_64::*;

/// For formats with a scale per 32 columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn multiply_scales32(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<false, false>(panel, tile, sums);
}

/// For formats with a scale and an offset per 32 columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn multiply_offsets32(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<false, true>(panel, tile, sums);
}

/// For formats with a scale per 16 columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn multiply_scales16(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<true, false>(panel, tile, sums);
}

/// For formats with a scale and an offset per 16 columns.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(crate) fn multiply_offsets16(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    multiply::<true, true>(panel, tile, sums);
}

/// Chooses the code for the width of the tile.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn multiply<const BY_16: bool, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    const { assert!(TILE == 8) };
    match sums.len() {
        1 => multiply_tile::<1, BY_16, OFFSETS>(panel, tile, sums),
        2 => multiply_tile::<2, BY_16, OFFSETS>(panel, tile, sums),
        3 => multiply_tile::<3, BY_16, OFFSETS>(panel, tile, sums),
        4 => multiply_tile::<4, BY_16, OFFSETS>(panel, tile, sums),
        5 => multiply_tile::<5, BY_16, OFFSETS>(panel, tile, sums),
        6 => multiply_tile::<6, BY_16, OFFSETS>(panel, tile, sums),
        7 => multiply_tile::<7, BY_16, OFFSETS>(panel, tile, sums),
        _ => multiply_tile::<8, BY_16, OFFSETS>(panel, tile, sums),
    }
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn multiply_tile<const W: usize, const BY_16: bool, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    let sums: &mut [[f32; PANEL_ROWS]; W] = sums.try_into().expect("a sum for each vector of the tile");
    // Loops, not `map`: code that is handed vectors must be compiled for them.
    let mut total = [_mm512_setzero_ps(); W];
    for (total, sum) in total.iter_mut().zip(&*sums) {
        *total = _mm512_castsi512_ps(load(sum));
    }
    let mut weights = [_mm512_setzero_si512(); 8];
    for (group, x) in panel.iter().zip(tile.as_chunks::<W>().0) {
        let quants = group.q.as_chunks::<64>().0.as_chunks::<8>().0;
        for (part, quants) in quants.iter().enumerate() {
            for (weights, q) in weights.iter_mut().zip(quants) {
                *weights = load(q);
            }
            if BY_16 {
                let scales = [scales(group, part * 2), scales(group, part * 2 + 1)];
                let offsets = [offsets(group, part * 2), offsets(group, part * 2 + 1)];
                for (x, total) in x.iter().zip(&mut total) {
                    add_by_16::<OFFSETS>(weights, scales, offsets, x, part, total);
                }
            } else {
                let (scale, offset) = (scales(group, part), offsets(group, part));
                for (x, total) in x.iter().zip(&mut total) {
                    let products = _mm512_cvtepi32_ps(dot(x.bias[part], &weights, &activations(x)[part]));
                    *total = _mm512_fmadd_ps(
                        products,
                        _mm512_mul_ps(scale, _mm512_set1_ps(x.scale[part])),
                        *total,
                    );
                    if OFFSETS {
                        *total = _mm512_fmadd_ps(offset, _mm512_set1_ps(x.sum[part]), *total);
                    }
                }
            }
        }
    }
    for (sum, total) in sums.iter_mut().zip(total) {
        store(sum, _mm512_castps_si512(total));
    }
}

/// A part of 32 columns that has two scales.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn add_by_16<const OFFSETS: bool>(
    weights: [__m512i; 8],
    scales: [__m512; 2],
    offsets: [__m512; 2],
    x: &ActGroup,
    part: usize,
    total: &mut __m512,
) {
    let ([low, high], []) = weights.as_chunks::<4>() else { return };
    let [x_low, x_high] = bytemuck::cast_ref::<_, [[[i8; 4]; 4]; 2]>(&activations(x)[part]);
    let low = _mm512_cvtepi32_ps(dot(x.bias16[part * 2], low, x_low));
    let high = _mm512_cvtepi32_ps(dot(x.bias16[part * 2 + 1], high, x_high));
    let mut both = _mm512_fmadd_ps(low, scales[0], _mm512_mul_ps(high, scales[1]));
    if OFFSETS {
        both = _mm512_fmadd_ps(offsets[0], _mm512_set1_ps(f32::from(x.sum16[part * 2])), both);
        both = _mm512_fmadd_ps(offsets[1], _mm512_set1_ps(f32::from(x.sum16[part * 2 + 1])), both);
    }
    *total = _mm512_fmadd_ps(both, _mm512_set1_ps(x.scale[part]), *total);
}

/// `bias` plus the products of a vector of weights, and four activations, for each of `N`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn dot<const N: usize>(bias: i32, weights: &[__m512i; N], activations: &[[i8; 4]; N]) -> __m512i {
    let mut sum = _mm512_set1_epi32(bias);
    for (weights, x) in weights.iter().zip(activations) {
        sum = _mm512_dpbusd_epi32(sum, *weights, _mm512_set1_epi32(bytemuck::cast(*x)));
    }
    sum
}

/// The activations of a group, four by four, in its eight parts.
#[inline]
fn activations(x: &ActGroup) -> &[[[i8; 4]; 8]; 8] {
    bytemuck::cast_ref(&x.q)
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn scales(group: &PanelGroup, part: usize) -> __m512 {
    _mm512_castsi512_ps(load(&group.scale[part]))
}

#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
fn offsets(group: &PanelGroup, part: usize) -> __m512 {
    _mm512_castsi512_ps(load(&group.offset[part]))
}
