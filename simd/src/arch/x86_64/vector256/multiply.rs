//! The product of a panel with a tile of activations, but for the integers: how bytes are multiplied is handed in.
//!
//! 32 bytes hold four columns of eight rows; four activations are spread to all rows, so each lane of a sum is a row. Eight rows meet four
//! activation vectors at a time: what sixteen registers can hold.

use super::super::load::{floats, store_floats};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use std::arch::x86_64::*;

/// Activation vectors that are multiplied at a time.
pub(crate) const WIDTH: usize = 4;

/// Columns of a panel, four by four, of all rows: what a multiplication of bytes reads.
pub(crate) type Columns<'a> = &'a [[[u8; 32]; 2]];

/// Integer sums of some columns of eight rows (`half` 0 or 1) for each vector. `part` counts the 32 (or 16) columns within the group.
pub(crate) trait Integers:
    Fn(Columns<'_>, usize, [&ActGroup; WIDTH], usize) -> [__m256i; WIDTH]
{
}

impl<F: Fn(Columns<'_>, usize, [&ActGroup; WIDTH], usize) -> [__m256i; WIDTH]> Integers for F {}

/// For formats with `PARTS` scales in 256 columns (8 or 16), and as many offsets or none.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn multiply<const PARTS: usize, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
    integers: impl Integers,
) {
    let width = sums.len();
    for at in (0..width).step_by(WIDTH) {
        // A missing vector is the last one once more; its sums are dropped.
        let last = width - 1;
        let vectors = [at, (at + 1).min(last), (at + 2).min(last), (at + 3).min(last)];
        for half in 0..2 {
            let mut total = [_mm256_setzero_ps(); WIDTH];
            for (total, v) in total.iter_mut().zip(vectors) {
                *total = floats(&sums[v].as_chunks().0[half]);
            }
            for (group, x) in panel.iter().zip(tile.chunks_exact(width)) {
                let x = [&x[vectors[0]], &x[vectors[1]], &x[vectors[2]], &x[vectors[3]]];
                let columns: Columns<'_> = bytemuck::cast_slice(&group.q);
                for (part, columns) in columns.chunks_exact(64 / PARTS).enumerate() {
                    let integers = integers(columns, half, x, part);
                    let scale = floats(&group.scale[part].as_chunks().0[half]);
                    let offset = floats(&group.offset[part].as_chunks().0[half]);
                    for ((total, x), integers) in total.iter_mut().zip(x).zip(integers) {
                        let scale = _mm256_mul_ps(scale, _mm256_set1_ps(x.scale[part * 8 / PARTS]));
                        *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), scale, *total);
                        if OFFSETS {
                            *total = _mm256_fmadd_ps(offset, sum::<PARTS>(x, part), *total);
                        }
                    }
                }
            }
            for (total, v) in total.into_iter().zip(vectors) {
                store_floats(&mut sums[v].as_chunks_mut().0[half], total);
            }
        }
    }
}

/// The sum of the activations of a part.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn sum<const PARTS: usize>(x: &ActGroup, part: usize) -> __m256 {
    _mm256_set1_ps(if PARTS == 8 { x.sum[part] } else { x.scale[part / 2] * f32::from(x.sum16[part]) })
}

/// Four activations of columns `4 * at..`, counted within the group, spread to all rows.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn activations(x: &ActGroup, at: usize) -> __m256i {
    let four = bytemuck::cast_ref::<_, [[i8; 4]; 64]>(&x.q)[at];
    _mm256_set1_epi32(bytemuck::cast(four))
}
