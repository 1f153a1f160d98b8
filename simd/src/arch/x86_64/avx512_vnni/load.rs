//! Loads and stores of 512 bits. Each takes a reference to exactly the bytes that it touches; see also `../load.rs`.

use bytemuck::Pod;
use std::arch::x86_64::*;
use std::ptr::{from_mut, from_ref};

/// 64 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn load<T: Pod>(x: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: `x` is 64 bytes without padding, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from_ref(x).cast()) }
}

/// Writes 64 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn store<T: Pod>(out: &mut T, x: __m512i) {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: `out` is 64 bytes for which any value is valid, and the store needs no alignment.
    unsafe { _mm512_storeu_si512(from_mut(out).cast(), x) }
}
