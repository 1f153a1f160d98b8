//! Q6_K on vectors of 256 bits. A block is 210 bytes: 128 bytes of low nibbles, 64 bytes of high bit pairs, sixteen signed scales, f16 `d`;
//! `w = d * scale * (q - 32)`, a scale per 16 weights. Half a block (128 weights) is four parts of 32:
//!
//! ```text
//! part 0: low nibbles of bytes  0..32   bits 0..2 of the 32 high bytes
//! part 1: low nibbles of bytes 32..64   bits 2..4
//! part 2: high nibbles of bytes  0..32  bits 4..6
//! part 3: high nibbles of bytes 32..64  bits 6..8
//! ```
//!
//! Quants stay unsigned (0..64): two products reach 2 * 63 * 127 = 16002 in an i16. The -32 is taken off through the sums of 16 activations.

use super::super::load::{floats, half, load, load_half};
use super::panel::{Quants, unpack};
use super::rows::{Dot, Sums, dot_rows, part, spread_pair};
use crate::activation::{ActGroup, Column};
use crate::block::BlockQ6K;
use crate::panel::{PanelGroup, Source};
use std::arch::x86_64::*;

/// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dot_rows_q6_k(rows: &[u8], x: Column<'_>, out: &mut [f32], dot: impl Dot) {
    dot_rows::<BlockQ6K, 1>(rows, x, out, |sums, blocks, group| {
        let [block] = blocks else { return };
        let scales = scales_and_offsets(sums, block, group);
        for i in 0..8 {
            sums.add(i, dot(quants(block, i), part(group, i)), spread_pair(scales[i / 4], i % 4 * 2));
        }
    });
}

/// Up to 16 rows into a panel.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn unpack_q6_k(source: Source<'_>, panel: &mut [PanelGroup], style: Quants) {
    let part = |blocks: &[BlockQ6K], i| Some(quants(blocks.first()?, i));
    unpack::<BlockQ6K, 1, 16>(source, panel, (style, 32), part, |blocks| {
        let Some(block) = blocks.first() else { return [_mm256_setzero_ps(); 2] };
        let (d, [low, high]) = (half(block.d), scales(block));
        [_mm256_mul_ps(d, low), _mm256_mul_ps(d, high)]
    });
}

/// The quants of part `i` (0..8).
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn quants(block: &BlockQ6K, i: usize) -> __m256i {
    let low = load(&bytemuck::cast_ref::<_, [[[u8; 32]; 2]; 2]>(&block.ql)[i / 4][i % 2]);
    let high = load(&bytemuck::cast_ref::<_, [[u8; 32]; 2]>(&block.qh)[i / 4]);
    let (low, high) = match i % 4 {
        0 => (low, _mm256_slli_epi16::<4>(high)),
        1 => (low, _mm256_slli_epi16::<2>(high)),
        2 => (_mm256_srli_epi16::<4>(low), high),
        _ => (_mm256_srli_epi16::<4>(low), _mm256_srli_epi16::<2>(high)),
    };
    let (low, high) =
        (_mm256_and_si256(low, _mm256_set1_epi8(15)), _mm256_and_si256(high, _mm256_set1_epi8(0x30)));
    _mm256_or_si256(low, high)
}

/// The sixteen scales.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scales(block: &BlockQ6K) -> [__m256; 2] {
    let scales = load_half(&block.scales);
    let low = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(scales));
    [low, _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(scales, scales)))]
}

/// Takes the offsets off `sums`, and returns the factors per 16 weights, in two halves: weight scale times activation scale.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn scales_and_offsets(sums: &mut Sums, block: &BlockQ6K, group: &ActGroup) -> [__m256; 2] {
    let d = _mm256_mul_ps(floats(&group.scale), half(block.d));
    let twice = |from| _mm256_permutevar8x32_ps(d, from);
    let low = twice(_mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    let high = twice(_mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7));
    let [scales_low, scales_high] = scales(block);
    let (low, high) = (_mm256_mul_ps(low, scales_low), _mm256_mul_ps(high, scales_high));

    // integers are exact here: 16 * 127 * 128 * 2 fits in 20 bits
    let by_part = _mm256_madd_epi16(load(&group.sum16), _mm256_cvtepi8_epi16(load_half(&block.scales)));
    sums.subtract(_mm256_cvtepi32_ps(_mm256_slli_epi32::<5>(by_part)), d);
    [low, high]
}
