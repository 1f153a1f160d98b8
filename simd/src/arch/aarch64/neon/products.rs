//! Panels for `smull` and `smlal`: four rows after each other, and their products with vectors.
//!
//! The sums stay in 16-bit lanes as long as the weights allow. Folding four rows into one vector shares what is done with floats.

use super::super::load::i8x16;
use super::super::multiply::{Products, Quants, Sums};
use super::super::panels::Layout;
use super::dots::Neon;
use std::arch::aarch64::*;

impl Layout for Neon {
    #[inline(always)]
    fn arrange(self, [a, b, c, d]: [[int8x16_t; 2]; 4]) -> [int8x16_t; 8] {
        [a[0], a[1], b[0], b[1], c[0], c[1], d[0], d[1]]
    }
}

/// Products of weights of which `PER / 2` fit in a 16-bit sum: -16..=16 for 32 columns a scale, -32..=32 for 16.
#[derive(Clone, Copy)]
pub(super) struct Narrow(pub Neon);

/// Products of any int8 weights.
#[derive(Clone, Copy)]
pub(super) struct Wide(pub Neon);

impl Products for Narrow {
    #[inline(always)]
    fn products<const PER: usize, const W: usize, const FOURS: usize>(
        self,
        w: &[Quants; FOURS],
        x: [&[i8; 32]; W],
    ) -> Sums<W, FOURS> {
        // SAFETY: `self` was made where NEON instructions may run.
        unsafe { narrow::<PER, W, FOURS>(w, x) }
    }
}

impl Products for Wide {
    #[inline(always)]
    fn products<const PER: usize, const W: usize, const FOURS: usize>(
        self,
        w: &[Quants; FOURS],
        x: [&[i8; 32]; W],
    ) -> Sums<W, FOURS> {
        // SAFETY: as above.
        unsafe { wide::<PER, W, FOURS>(w, x) }
    }
}

/// Per 32 columns, a product is at most 16 * 127 = 2,032; a lane takes four, and two pairwise additions make that 32,512. Per 16 columns,
/// it is at most 32 * 127 = 4,064; a lane takes two, and the same.
#[inline]
#[target_feature(enable = "neon")]
fn narrow<const PER: usize, const W: usize, const FOURS: usize>(
    w: &[Quants; FOURS],
    x: [&[i8; 32]; W],
) -> Sums<W, FOURS> {
    let mut sums = [[[vdupq_n_f32(0.0); FOURS]; W]; 2];
    for v in 0..W {
        let x = [i8x16(&x[v].as_chunks().0[0]), i8x16(&x[v].as_chunks().0[1])];
        for i in 0..FOURS {
            let [a0, a1, b0, b1, c0, c1, d0, d1] = &w[i];
            if PER == 32 {
                let ab = vpaddq_s16(products32(a0, a1, x), products32(b0, b1, x));
                let cd = vpaddq_s16(products32(c0, c1, x), products32(d0, d1, x));
                sums[0][v][i] = vcvtq_f32_s32(vpaddlq_s16(vpaddq_s16(ab, cd)));
            } else {
                sums[0][v][i] = vcvtq_f32_s32(sums16([a0, b0, c0, d0], x[0]));
                sums[1][v][i] = vcvtq_f32_s32(sums16([a1, b1, c1, d1], x[1]));
            }
        }
    }
    sums
}

/// Thirty-two products, four to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn products32(w0: &[i8; 16], w1: &[i8; 16], [x0, x1]: [int8x16_t; 2]) -> int16x8_t {
    let w1 = i8x16(w1);
    let sum = vmlal_s8(products16(w0, x0), vget_low_s8(w1), vget_low_s8(x1));
    vmlal_high_s8(sum, w1, x1)
}

/// Sixteen products, two to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn products16(w: &[i8; 16], x: int8x16_t) -> int16x8_t {
    let w = i8x16(w);
    vmlal_high_s8(vmull_s8(vget_low_s8(w), vget_low_s8(x)), w, x)
}

/// Four rows of sixteen products.
#[inline]
#[target_feature(enable = "neon")]
fn sums16([a, b, c, d]: [&[i8; 16]; 4], x: int8x16_t) -> int32x4_t {
    let ab = vpaddq_s16(products16(a, x), products16(b, x));
    let cd = vpaddq_s16(products16(c, x), products16(d, x));
    vpaddlq_s16(vpaddq_s16(ab, cd))
}

/// A product is at most 128 * 127 = 16,256; a lane takes two, 32,512, and is widened at once.
#[inline]
#[target_feature(enable = "neon")]
fn wide<const PER: usize, const W: usize, const FOURS: usize>(
    w: &[Quants; FOURS],
    x: [&[i8; 32]; W],
) -> Sums<W, FOURS> {
    let mut sums = [[[vdupq_n_f32(0.0); FOURS]; W]; 2];
    for v in 0..W {
        let x = [i8x16(&x[v].as_chunks().0[0]), i8x16(&x[v].as_chunks().0[1])];
        for i in 0..FOURS {
            let [a0, a1, b0, b1, c0, c1, d0, d1] = &w[i];
            if PER == 32 {
                let ab = vpaddq_s32(widened32(a0, a1, x), widened32(b0, b1, x));
                let cd = vpaddq_s32(widened32(c0, c1, x), widened32(d0, d1, x));
                sums[0][v][i] = vcvtq_f32_s32(vpaddq_s32(ab, cd));
            } else {
                sums[0][v][i] = vcvtq_f32_s32(widened16([a0, b0, c0, d0], x[0]));
                sums[1][v][i] = vcvtq_f32_s32(widened16([a1, b1, c1, d1], x[1]));
            }
        }
    }
    sums
}

/// Thirty-two products, eight to a lane.
#[inline]
#[target_feature(enable = "neon")]
fn widened32(w0: &[i8; 16], w1: &[i8; 16], [x0, x1]: [int8x16_t; 2]) -> int32x4_t {
    vpadalq_s16(vpaddlq_s16(products16(w0, x0)), products16(w1, x1))
}

/// Four rows of sixteen products.
#[inline]
#[target_feature(enable = "neon")]
fn widened16([a, b, c, d]: [&[i8; 16]; 4], x: int8x16_t) -> int32x4_t {
    let ab = vpaddq_s32(vpaddlq_s16(products16(a, x)), vpaddlq_s16(products16(b, x)));
    let cd = vpaddq_s32(vpaddlq_s16(products16(c, x)), vpaddlq_s16(products16(d, x)));
    vpaddq_s32(ab, cd)
}
