//! Panels for `sdot` by element: four columns of four rows to a vector, and their products with vectors.

use super::super::convert::{RAISED, lower};
use super::super::load::i8x16;
use super::super::multiply::{Products, Quants, Sums};
use super::super::panels::{Layout, transpose};
use super::dots::Dotprod;
use std::arch::aarch64::*;
use std::arch::asm;

impl Layout for Dotprod {
    #[inline(always)]
    fn arrange(self, [a, b, c, d]: [[int8x16_t; 2]; 4]) -> [int8x16_t; 8] {
        // SAFETY: `self` was made where NEON instructions may run.
        unsafe {
            let [e, f, g, h] = columns4([a[0], b[0], c[0], d[0]]);
            let [i, j, k, l] = columns4([a[1], b[1], c[1], d[1]]);
            [e, f, g, h, i, j, k, l]
        }
    }
}

/// Four rows of sixteen columns to four vectors, four columns of each row in each.
#[inline]
#[target_feature(enable = "neon")]
fn columns4([a, b, c, d]: [int8x16_t; 4]) -> [int8x16_t; 4] {
    let (a, b) = (vreinterpretq_f32_s8(a), vreinterpretq_f32_s8(b));
    let [a, b, c, d] = transpose([a, b, vreinterpretq_f32_s8(c), vreinterpretq_f32_s8(d)]);
    let (c, d) = (vreinterpretq_s8_f32(c), vreinterpretq_s8_f32(d));
    [vreinterpretq_s8_f32(a), vreinterpretq_s8_f32(b), c, d]
}

impl Products for Dotprod {
    #[inline(always)]
    fn products<const PER: usize, const W: usize, const FOURS: usize>(
        self,
        w: &[Quants; FOURS],
        x: [&[i8; 32]; W],
    ) -> Sums<W, FOURS> {
        // SAFETY: `self` was made where dot product instructions may run.
        unsafe { products::<PER, W, FOURS>(w, x) }
    }
}

/// Nothing can overflow: 32 products of magnitude at most 128 * 127 are 520,192, which may be raised.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn products<const PER: usize, const W: usize, const FOURS: usize>(
    w: &[Quants; FOURS],
    x: [&[i8; 32]; W],
) -> Sums<W, FOURS> {
    let mut sums = [[[vdupq_n_f32(0.0); FOURS]; W]; 2];
    let mut raised = [[vdupq_n_s32(RAISED); FOURS]; W];
    for (half, sums) in sums.iter_mut().enumerate() {
        raised = columns::<0, W, FOURS>(raised, w, x, half);
        raised = columns::<1, W, FOURS>(raised, w, x, half);
        raised = columns::<2, W, FOURS>(raised, w, x, half);
        raised = columns::<3, W, FOURS>(raised, w, x, half);
        if PER == 16 {
            *sums = lower_all(raised);
            raised = [[vdupq_n_s32(RAISED); FOURS]; W];
        }
    }
    if PER == 32 {
        sums[0] = lower_all(raised);
    }
    sums
}

/// Raised sums as floats.
#[inline]
#[target_feature(enable = "neon")]
fn lower_all<const W: usize, const FOURS: usize>(
    raised: [[int32x4_t; FOURS]; W],
) -> [[float32x4_t; FOURS]; W] {
    let mut sums = [[vdupq_n_f32(0.0); FOURS]; W];
    for (sum, raised) in sums.as_flattened_mut().iter_mut().zip(raised.as_flattened()) {
        *sum = lower(*raised);
    }
    sums
}

/// The four columns `16 * half + 4 * LANE..`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn columns<const LANE: usize, const W: usize, const FOURS: usize>(
    mut sum: [[int32x4_t; FOURS]; W],
    w: &[Quants; FOURS],
    x: [&[i8; 32]; W],
    half: usize,
) -> [[int32x4_t; FOURS]; W] {
    for i in 0..FOURS {
        let w = i8x16(&w[i][half * 4 + LANE]);
        for v in 0..W {
            sum[v][i] = sdot_lane::<LANE>(sum[v][i], w, i8x16(&x[v].as_chunks().0[half]));
        }
    }
    sum
}

/// Adds to each lane of `sum` the products of its four bytes of `w` with the four bytes `LANE` of `x`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn sdot_lane<const LANE: usize>(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: an instruction of the feature this function requires, which reads and writes the named registers only.
    unsafe {
        asm!("sdot {sum:v}.4s, {w:v}.16b, {x:v}.4b[{lane}]", sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x,
            lane = const LANE, options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
