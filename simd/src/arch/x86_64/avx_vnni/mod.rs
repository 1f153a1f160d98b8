//! Kernels for AVX-VNNI, which has `dpbusd` for vectors of 256 bits: the block formats of `../vector256`. All else is that of AVX2.

mod multiply;

pub(crate) use multiply::{multiply_offsets16, multiply_offsets32, multiply_scales16, multiply_scales32};

use std::arch::x86_64::*;

super::vector256::instances!("avx2,fma,f16c,avxvnni", dot, super::vector256::Quants::Raised);

/// Four products go straight into an i32: nothing saturates.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avxvnni")]
fn dot(weights: __m256i, activations: __m256i) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_dpbusd_avx_epi32(_mm256_setzero_si256(), weights, activations))
}
