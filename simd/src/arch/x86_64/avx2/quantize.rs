//! Quantizing activations on AVX2: the same bits as the scalar code, for all inputs.
//!
//! A part is 32 floats. `scale = max |x| / 127`, and `q = x / scale` as `x * (1 / scale)`, rounded to nearest, ties to even, which is
//! how the conversion rounds. What scalar code does with odd values is done here by hand: a NaN is no maximum and becomes 0,
//! and products are clamped before the conversion, which would turn anything too large into its most negative value.

use super::super::load::{floats, store};
use crate::activation::{ActGroup, SCALE_LEN};
use std::arch::x86_64::*;

/// Quantizes a vector into its groups.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn quantize(x: &[f32], groups: &mut [ActGroup]) {
    for (group, x) in groups.iter_mut().zip(x.chunks(ActGroup::LEN)) {
        if x.len() < ActGroup::LEN {
            *group = ActGroup::ZERO;
        }
        let (parts, rest) = x.as_chunks::<SCALE_LEN>();
        for (i, x) in parts.iter().enumerate() {
            fill(group, i, x);
        }
        if !rest.is_empty() {
            group.fill(parts.len(), rest);
        }
    }
}

/// Quantizes one part.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn fill(group: &mut ActGroup, part: usize, x: &[f32; SCALE_LEN]) {
    let x = bytemuck::cast_ref::<_, [[f32; 8]; 4]>(x).each_ref();
    let [a, b, c, d] = [floats(x[0]), floats(x[1]), floats(x[2]), floats(x[3])];
    let scale = peak([a, b, c, d]) / 127.0;
    let inverse = _mm256_set1_ps(if scale > 0.0 { 1.0 / scale } else { 0.0 });
    let low = _mm256_packs_epi32(round(a, inverse), round(b, inverse));
    let high = _mm256_packs_epi32(round(c, inverse), round(d, inverse));
    // packing works within 128-bit lanes: this puts the groups of four back in order
    let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    let q = _mm256_permutevar8x32_epi32(_mm256_packs_epi16(low, high), order);
    store(&mut bytemuck::cast_mut::<_, [[i8; 32]; 8]>(&mut group.q)[part], q);
    set_sums(group, part, scale, q);
}

/// The largest magnitude; a NaN counts for nothing, as `max` gives back its second operand for it.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn peak(x: [__m256; 4]) -> f32 {
    let sign = _mm256_set1_ps(-0.0);
    let mut peak = _mm256_setzero_ps();
    for x in x {
        peak = _mm256_max_ps(_mm256_andnot_ps(sign, x), peak);
    }
    let four = _mm_max_ps(_mm256_castps256_ps128(peak), _mm256_extractf128_ps::<1>(peak));
    let two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)))
}

/// `x * inverse` in -127..=127, rounded; 0 for NaN.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn round(x: __m256, inverse: __m256) -> __m256i {
    let x = _mm256_mul_ps(x, inverse);
    let number = _mm256_and_ps(x, _mm256_cmp_ps::<_CMP_ORD_Q>(x, x));
    let limit = _mm256_set1_ps(127.0);
    let clamped = _mm256_max_ps(_mm256_min_ps(number, limit), _mm256_set1_ps(-127.0));
    _mm256_cvtps_epi32(clamped)
}

/// The scale and the sums of a part whose quants are `q`. Sums of 16 are at most 2032 in magnitude: exact in an i16.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn set_sums(group: &mut ActGroup, part: usize, scale: f32, q: __m256i) {
    let pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), q);
    let fours = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    let eights = _mm256_add_epi32(fours, _mm256_shuffle_epi32::<0b10_11_00_01>(fours));
    let sixteens = _mm256_add_epi32(eights, _mm256_shuffle_epi32::<0b01_00_11_10>(eights));
    let low = _mm256_cvtsi256_si32(sixteens) as i16;
    let high = _mm256_extract_epi32::<4>(sixteens) as i16;
    group.set_sums(part, scale, low, high);
}
