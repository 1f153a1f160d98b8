//! Q4_K on AVX2. A block is 144 bytes: f16 `d` and `dmin`, eight 6-bit scales and minima in 12 bytes, then 128 bytes of nibbles: the low
//! nibbles of 32 bytes are one part of 32 weights, the high nibbles the next; `w = d * scale * q - dmin * min`.
//!
//! Quants stay unsigned (0..16) and two products reach 3810 in an i16. Scales and minima become floats for all eight parts at once;
//! the minima multiply the sums of the activations.

use super::super::k_scales::scales_mins;
use super::load::{floats, half, load};
use super::rows::{Sums, dot, dot_rows, part, spread};
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ4K;
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q4_k(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let low = _mm256_set1_epi8(15);
    dot_rows::<BlockQ4K, 1>(rows, x, out, |sums, [block], group| {
        let scales = scales_and_minima(sums, block.d, block.dmin, &block.scales, group);
        for (i, packed) in bytemuck::cast_ref::<_, [[u8; 32]; 4]>(&block.qs).iter().enumerate() {
            let packed = load(packed);
            let (even, odd) =
                (_mm256_and_si256(packed, low), _mm256_and_si256(_mm256_srli_epi16::<4>(packed), low));
            sums.add(i, dot(even, part(group, i * 2)), spread(scales, i * 2));
            sums.add(i + 2, dot(odd, part(group, i * 2 + 1)), spread(scales, i * 2 + 1));
        }
    });
}

/// Takes the minima off `sums`, and returns the factors of the eight parts: weight scale times activation scale.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn scales_and_minima(
    sums: &mut Sums,
    d: [u8; 2],
    dmin: [u8; 2],
    scales: &[u8; 12],
    group: &ActGroup,
) -> __m256 {
    let (scales, mins) = scales_mins(scales);
    let min = _mm256_mul_ps(bytes_to_floats(mins), half(dmin));
    sums.subtract(min, floats(&group.sum));
    let scale = _mm256_mul_ps(bytes_to_floats(scales), half(d));
    _mm256_mul_ps(scale, floats(&group.scale))
}

/// Eight unsigned bytes, the lowest first, as floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn bytes_to_floats(bytes: u64) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64)))
}
