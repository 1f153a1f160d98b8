//! The 6-bit scales and minima of Q4_K and Q5_K, all sixteen at once, in two general registers and then as floats.

use super::load::half;
use std::arch::x86_64::*;

/// The scales of the eight parts times `d`, and their minima times `-dmin`.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn scales_and_minima(d: [u8; 2], dmin: [u8; 2], packed: &[u8; 12]) -> (__m256, __m256) {
    let (scales, mins) = scales_mins(packed);
    let negative = _mm256_xor_ps(half(dmin), _mm256_set1_ps(-0.0));
    (_mm256_mul_ps(bytes_to_floats(scales), half(d)), _mm256_mul_ps(bytes_to_floats(mins), negative))
}

/// Eight unsigned bytes, the lowest first, as floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn bytes_to_floats(bytes: u64) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(bytes as i64)))
}

/// Eight scales and eight minima (0..64 each), a byte apiece, the first in the lowest byte.
///
/// Bytes 0..4 and 4..8 hold the first four scales and minima in their low six bits; their top two bits are the high bits of the last
/// four, whose low nibbles are in bytes 8..12: scales in the low halves, minima in the high ones.
#[inline]
fn scales_mins(packed: &[u8; 12]) -> (u64, u64) {
    let [a, b, c] = bytemuck::cast::<_, [[u8; 4]; 3]>(*packed).map(u32::from_le_bytes);
    let last = |high: u32, low: u32| (high >> 2 & 0x3030_3030) | (low & 0x0f0f_0f0f);
    let eight = |first: u32, last: u32| u64::from(first & 0x3f3f_3f3f) | u64::from(last) << 32;
    (eight(a, last(a, c)), eight(b, last(b, c >> 4)))
}

#[cfg(test)]
mod tests {
    use crate::block::scale_min;

    #[test]
    fn same_as_one_by_one() {
        let packed = std::array::from_fn(|i| (i * 89 + 37) as u8);
        let (scales, mins) = super::scales_mins(&packed);
        for i in 0..8 {
            assert_eq!((scales.to_le_bytes()[i], mins.to_le_bytes()[i]), scale_min(&packed, i));
        }
    }
}
