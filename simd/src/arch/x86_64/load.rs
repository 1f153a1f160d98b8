//! Loads, stores and prefetches of up to 256 bits, which all x86-64 folders share. With `avx512_vnni/load.rs`, the only `unsafe`
//! of these kernels: each function takes a reference to exactly the bytes that it touches.

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
        let there = from_ref(x).cast::<i8>().wrapping_add(AHEAD + line);
        // SAFETY: nothing is read, whatever the address is; newer compilers call it safe.
        #[allow(unused_unsafe)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T0>(there);
        }
    }
}

/// Asks for the lines of some bytes, to be kept in the second-level cache.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn prefetch(bytes: &[u8]) {
    for line in bytes.chunks(64) {
        // SAFETY: as above.
        #[allow(unused_unsafe)]
        unsafe {
            _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast());
        }
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
    store(out, _mm256_castps_si256(x));
}

/// Writes 32 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store<T: Pod>(out: &mut T, x: __m256i) {
    const { assert!(size_of::<T>() == 32) };
    // SAFETY: `out` is 32 bytes for which any value is valid, and the store needs no alignment.
    unsafe { _mm256_storeu_si256(from_mut(out).cast(), x) }
}

/// Writes 16 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn store_half<T: Pod>(out: &mut T, x: __m128i) {
    const { assert!(size_of::<T>() == 16) };
    // SAFETY: `out` is 16 bytes for which any value is valid, and the store needs no alignment.
    unsafe { _mm_storeu_si128(from_mut(out).cast(), x) }
}

/// The first two half-precision floats of up to eight blocks, widened: all the first ones, and all the second ones; zero for the blocks
/// that are missing.
///
/// A format with one such float at the head of its blocks leaves the second result alone, and nothing is computed for it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn heads<B: Pod>(blocks: &[B]) -> (__m256, __m256) {
    let head = |i: usize| match blocks.get(i).and_then(|block| bytemuck::bytes_of(block).first_chunk()) {
        Some(bytes) => _mm_cvtsi32_si128(i32::from_le_bytes(*bytes)),
        None => _mm_setzero_si128(),
    };
    let pair = |i: usize| _mm_unpacklo_epi16(head(i), head(i + 1));
    let four = |i: usize| _mm_unpacklo_epi32(pair(i), pair(i + 2));
    let (a, b) = (four(0), four(4));
    (_mm256_cvtph_ps(_mm_unpacklo_epi64(a, b)), _mm256_cvtph_ps(_mm_unpackhi_epi64(a, b)))
}

/// Eight small numbers as floats.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn numbers(x: &[i8; 8]) -> __m256 {
    _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128(i64::from_le_bytes(x.map(|x| x as u8)))))
}

/// A half-precision float, widened, in all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn half(x: [u8; 2]) -> __m256 {
    _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(u16::from_le_bytes(x)))))
}

/// The sum of eight floats: the two halves, then pairs, then the last two.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) fn sum_lanes(x: __m256) -> f32 {
    let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
}
