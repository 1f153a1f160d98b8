//! Panels for `smmla`, which multiplies two rows with two vectors, eight columns at a time: two rows to a vector of weights, two vectors
//! side by side to a vector of activations.

use super::super::convert::{RAISED, lower};
use super::super::load::i8x16;
use super::super::multiply::{Products, Quants, Sums};
use super::super::panels::Layout;
use std::arch::aarch64::*;
use std::arch::asm;

/// Proof that int8 matrix multiplication instructions may run.
#[derive(Clone, Copy)]
pub(super) struct I8mm(());

impl I8mm {
    /// Callable only where int8 matrix multiplication instructions may run.
    #[inline]
    #[target_feature(enable = "neon,i8mm")]
    pub(super) fn new() -> Self {
        I8mm(())
    }
}

impl Layout for I8mm {
    #[inline(always)]
    fn arrange(self, [a, b, c, d]: [[int8x16_t; 2]; 4]) -> [int8x16_t; 8] {
        // SAFETY: `self` was made where NEON instructions may run.
        unsafe {
            let ([e, f], [g, h]) = (side_by_side(a[0], b[0]), side_by_side(a[1], b[1]));
            let ([i, j], [k, l]) = (side_by_side(c[0], d[0]), side_by_side(c[1], d[1]));
            [e, f, g, h, i, j, k, l]
        }
    }
}

/// The first eight bytes of two vectors, then the last eight.
#[inline]
#[target_feature(enable = "neon")]
fn side_by_side(a: int8x16_t, b: int8x16_t) -> [int8x16_t; 2] {
    let (a, b) = (vreinterpretq_s64_s8(a), vreinterpretq_s64_s8(b));
    [vreinterpretq_s8_s64(vzip1q_s64(a, b)), vreinterpretq_s8_s64(vzip2q_s64(a, b))]
}

impl Products for I8mm {
    #[inline(always)]
    fn products<const PER: usize, const W: usize, const FOURS: usize>(
        self,
        w: &[Quants; FOURS],
        x: [&[i8; 32]; W],
    ) -> Sums<W, FOURS> {
        // SAFETY: `self` was made where these instructions may run.
        unsafe { products::<PER, W, FOURS>(w, x) }
    }
}

/// Nothing can overflow: 32 products of magnitude at most 128 * 127 are 520,192, which may be raised. An odd vector is multiplied beside itself.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn products<const PER: usize, const W: usize, const FOURS: usize>(
    w: &[Quants; FOURS],
    x: [&[i8; 32]; W],
) -> Sums<W, FOURS> {
    let mut sums = [[[vdupq_n_f32(0.0); FOURS]; W]; 2];
    for v in (0..W).step_by(2) {
        let other = (v + 1).min(W - 1);
        for (half, sums) in sums.iter_mut().enumerate().take(32 / PER) {
            let mut sum = [[vdupq_n_s32(RAISED); 2]; FOURS];
            for sixteenth in half * (PER / 16)..(half + 1) * (PER / 16) {
                let from = |v: usize| i8x16(&x[v].as_chunks().0[sixteenth]);
                let x = side_by_side(from(v), from(other));
                for i in 0..FOURS {
                    let w = w[i].as_chunks::<4>().0;
                    for (eight, x) in x.into_iter().enumerate() {
                        let at = sixteenth * 2 + eight;
                        sum[i][0] = smmla(sum[i][0], i8x16(&w[0][at]), x);
                        sum[i][1] = smmla(sum[i][1], i8x16(&w[1][at]), x);
                    }
                }
            }
            for i in 0..FOURS {
                sums[v][i] = lower(vuzp1q_s32(sum[i][0], sum[i][1]));
                if other > v {
                    sums[other][i] = lower(vuzp2q_s32(sum[i][0], sum[i][1]));
                }
            }
        }
    }
    sums
}

/// Adds to the four lanes of `sum` the products, eight columns each, of row 0 and vector 0, row 0 and vector 1, row 1 and vector 0, row 1
/// and vector 1. Written out because the intrinsic is not in stable Rust.
#[inline]
#[target_feature(enable = "neon,i8mm")]
fn smmla(mut sum: int32x4_t, w: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: an instruction of the feature this function requires, which reads and writes the named registers only.
    unsafe {
        asm!("smmla {sum:v}.4s, {w:v}.16b, {x:v}.16b", sum = inout(vreg) sum, w = in(vreg) w, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    sum
}
