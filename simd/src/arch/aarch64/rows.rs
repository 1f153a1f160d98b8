//! How the recipes walk over rows: row by row, so that memory is read front to back, with the weights ahead being prefetched.
//!
//! A row's sum is taken in an order that depends on its length only, so it is the same bits alone and among others.

use super::dots::Dots;
use super::load::{f32x4, prefetch_after};
use crate::activation::{ActGroup, Column};
use crate::block::{Block, blocks};
use std::arch::aarch64::*;

/// The activations that meet four blocks of 32 weights, a block a lane.
pub(super) struct Half<'a> {
    /// Quantized values.
    pub q: &'a [i8; 128],
    /// Scales.
    pub scale: float32x4_t,
    /// Sums of the values, scaled.
    pub sum: float32x4_t,
}

impl<'a> Half<'a> {
    /// Half `i` of a vector's groups, counted from the start of the vector.
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(groups: &'a [ActGroup], i: usize) -> Self {
        let (group, i) = (&groups[i / 2], i % 2);
        Half {
            q: &group.q.as_chunks().0[i],
            scale: f32x4(&group.scale.as_chunks().0[i]),
            sum: f32x4(&group.sum.as_chunks().0[i]),
        }
    }
}

/// Walks over rows of blocks of 32 weights, four at a time: what is done once a block instead of once a weight (scales, conversion to
/// float) is then done once for four, a block a lane. `four` adds four blocks times their activations to the partial sums of the row.
///
/// The last one to three blocks of a row are filled up with zero blocks; their activations, past the end of the vector, are zeros too.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_rows32<B: Block>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    four: impl Fn(float32x4_t, &[B; 4], Half<'_>) -> float32x4_t,
) {
    let row_bytes = x.cols() / B::LEN * size_of::<B>();
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let (fours, rest) = blocks::<B>(row).as_chunks::<4>();
        let mut last = [B::zeroed(); 4];
        last[..rest.len()].copy_from_slice(rest);
        let mut sum = vdupq_n_f32(0.0);
        for i in 0..fours.len() + usize::from(!rest.is_empty()) {
            let blocks = fours.get(i).unwrap_or(&last);
            prefetch_after(blocks);
            sum = four(sum, blocks, Half::new(x.groups, i));
        }
        *out = vaddvq_f32(sum);
    }
}

/// Walks over rows of blocks of 256 weights; `block` adds a block times its activations to the partial sums of the row.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_rows256<B: Block>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    block: impl Fn(float32x4_t, &B, &ActGroup) -> float32x4_t,
) {
    let row_bytes = x.cols() / B::LEN * size_of::<B>();
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let mut sum = vdupq_n_f32(0.0);
        for (b, x) in blocks::<B>(row).iter().zip(x.groups) {
            prefetch_after(b);
            sum = block(sum, b, x);
        }
        *out = vaddvq_f32(sum);
    }
}

/// Half a block of 256 weights with a scale per 16, times its activations: four sums of 32 weights. The weights are as [`Dots::dot16`] wants
/// them; what the scales may be depends on them.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn scaled_sums(
    dots: impl Dots,
    [a, b, c, d]: [[int8x16_t; 2]; 4],
    x: &[i8; 128],
    scales: int16x8_t,
) -> int32x4_t {
    let x = x.as_chunks::<64>().0;
    let low = vmulq_s32(dots.dot16([a[0], a[1], b[0], b[1]], &x[0]), vmovl_s16(vget_low_s16(scales)));
    let high = vmulq_s32(dots.dot16([c[0], c[1], d[0], d[1]], &x[1]), vmovl_high_s16(scales));
    vpaddq_s32(low, high)
}
