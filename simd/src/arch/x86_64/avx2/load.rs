//! Loads, stores and prefetches: the only `unsafe` of this folder. Each takes a reference to exactly the bytes that it touches.

use bytemuck::Pod;
use std::arch::x86_64::*;
use std::ptr::{from_mut, from_ref};

/// How far ahead of the weights in use the next ones are asked for, in bytes: past the row into those that follow it, as rows
/// are shorter than the way to memory is long.
const AHEAD: usize = 4096;

/// Asks for what lies `AHEAD` bytes behind `x`, as many bytes as `x` has.
///
/// The address may lie past the end of the weights: a prefetch of an address that cannot be read does nothing.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn prefetch_after<T: Pod>(x: &T) {
    for line in (0..size_of::<T>()).step_by(64) {
        _mm_prefetch::<_MM_HINT_T0>(from_ref(x).cast::<i8>().wrapping_add(AHEAD + line));
    }
}

/// 32 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load<T: Pod>(x: &T) -> __m256i {
    const { assert!(size_of::<T>() == 32) };
    // SAFETY: `x` is 32 bytes without padding, and the load needs no alignment.
    unsafe { _mm256_loadu_si256(from_ref(x).cast()) }
}

/// 16 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn load_half<T: Pod>(x: &T) -> __m128i {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: `x` is 16 bytes without padding, and the load needs no alignment.
    unsafe { _mm_loadu_si128(from_ref(x).cast()) }
}

/// Eight floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn floats(x: &[f32; 8]) -> __m256 {
    _mm256_castsi256_ps(load(x))
}

/// Writes eight floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_floats(out: &mut [f32; 8], x: __m256) {
    // SAFETY: `out` is 32 bytes, and the store needs no alignment.
    unsafe { _mm256_storeu_ps(from_mut(out).cast(), x) }
}

/// Writes 16 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_half<T: Pod>(out: &mut T, x: __m128i) {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: `out` is 16 bytes for which any value is valid, and the store needs no alignment.
    unsafe { _mm_storeu_si128(from_mut(out).cast(), x) }
}

/// Eight half-precision floats, widened.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn halves(x: [[u8; 2]; 8]) -> __m256 {
    let [a, b, c, d, e, f, g, h] = x.map(i16::from_le_bytes);
    _mm256_cvtph_ps(_mm_setr_epi16(a, b, c, d, e, f, g, h))
}

/// A half-precision float, widened, in all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn half(x: [u8; 2]) -> __m256 {
    _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(u16::from_le_bytes(x)))))
}
