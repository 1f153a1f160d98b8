//! Loads of 512 bits. Each takes a reference to exactly the bytes that it touches; see also `../load.rs`.

use bytemuck::Pod;
use std::arch::x86_64::*;
use std::ptr::from_ref;

/// 64 bytes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn load<T: Pod>(x: &T) -> __m512i {
    const { assert!(size_of::<T>() == 64) };
    // SAFETY: `x` is 64 bytes without padding, and the load needs no alignment.
    unsafe { _mm512_loadu_si512(from_ref(x).cast()) }
}
