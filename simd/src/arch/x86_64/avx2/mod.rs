//! Kernels for AVX2 with FMA and F16C, on vectors of 256 bits: the float formats, quantizing, and the block formats of `../vector256`.
//!
//! Every function here is a safe `#[target_feature]` function: only a caller that has the features, or `unsafe` code that has
//! seen the CPU to have them, can reach it. Memory is touched by `../load.rs` alone, through references to arrays of the right size.

mod bf16;
mod f16;
mod f32;
mod floats;
mod multiply;
mod quantize;

pub(crate) use bf16::dot_rows_bf16;
pub(crate) use f16::{add_rows_f16, dot_rows_f16, narrow_f16, widen_f16};
pub(crate) use f32::dot_rows_f32;
pub(crate) use multiply::{
    multiply_2bit, multiply_3bit, multiply_4bit, multiply_5bit, multiply_6bit, multiply_8bit,
    multiply_8bit_by_16,
};
pub(crate) use quantize::quantize;

use std::arch::x86_64::*;

pub(crate) use super::load::prefetch;

super::vector256::instances!("avx2,fma,f16c", dot, super::vector256::Quants::Small);

/// Two neighbouring products meet in an i16 first: at most 2 * 128 * 127 = 32512, so it does not saturate.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot(weights: __m256i, activations: __m256i) -> __m256 {
    let pairs = _mm256_maddubs_epi16(weights, activations);
    _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
}
