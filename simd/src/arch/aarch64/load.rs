//! Loads, stores and prefetching for the kernels of this folder: the array reference of each function is the proof that its access is in bounds.

use std::arch::aarch64::*;
use std::arch::asm;

/// Bytes in a cache line of every core that this is written for.
const LINE: usize = 64;

/// How far ahead of the weights being read the prefetches run, in bytes: about what one core draws from memory (5 GB/s) in the latency of
/// one access (200 ns).
const AHEAD: usize = 1024;

/// Sixteen bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn u8x16(from: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the reference covers the sixteen bytes that are read; no alignment is needed.
    unsafe { vld1q_u8(from.as_ptr()) }
}

/// Sixteen signed bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn i8x16(from: &[i8; 16]) -> int8x16_t {
    // SAFETY: as in `u8x16`.
    unsafe { vld1q_s8(from.as_ptr()) }
}

/// Eight signed bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn i8x8(from: &[i8; 8]) -> int8x8_t {
    // SAFETY: as in `u8x16`.
    unsafe { vld1_s8(from.as_ptr()) }
}

/// Eight 16-bit integers.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn i16x8(from: &[i16; 8]) -> int16x8_t {
    // SAFETY: as in `u8x16`.
    unsafe { vld1q_s16(from.as_ptr()) }
}

/// Four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn f32x4(from: &[f32; 4]) -> float32x4_t {
    // SAFETY: as in `u8x16`.
    unsafe { vld1q_f32(from.as_ptr()) }
}

/// Writes four floats.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_f32x4(to: &mut [f32; 4], x: float32x4_t) {
    // SAFETY: the reference covers the four floats that are written; no alignment above theirs is needed.
    unsafe { vst1q_f32(to.as_mut_ptr(), x) }
}

/// Writes sixteen signed bytes.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn store_i8x16(to: &mut [i8; 16], x: int8x16_t) {
    // SAFETY: as in `store_f32x4`.
    unsafe { vst1q_s8(to.as_mut_ptr(), x) }
}

/// Asks for the lines that will be read when the walk has come [`AHEAD`] bytes past `item`: as many as an item covers, rounded.
///
/// Rows are walked front to back and follow each other, so those bytes are mostly the same matrix. A line that is used once is not worth
/// keeping in the outer caches: hence the streaming hint. A line left out by the rounding is left to the core's own prefetcher.
#[inline]
pub(super) fn prefetch_after<T>(item: &T) {
    let ahead = std::ptr::from_ref(item).cast::<u8>().wrapping_add(AHEAD);
    for line in 0..(size_of::<T>() + LINE / 2) / LINE {
        let line = ahead.wrapping_add(line * LINE);
        // SAFETY: a prefetch is a hint: it neither faults on an address that is not mapped nor changes memory or flags.
        unsafe {
            asm!("prfm pldl1strm, [{line}]", line = in(reg) line, options(nostack, preserves_flags, readonly))
        }
    }
}
