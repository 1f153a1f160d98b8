//! How the recipes walk over rows: row by row, so that memory is read front to back, with the weights ahead being prefetched.
//!
//! A row's sum is taken in an order that depends on its length only, so it is the same bits alone and among others.

use super::load::{f32x4, prefetch_after};
use crate::activation::{ActGroup, Column};
use crate::block::{Block, blocks};
use std::arch::aarch64::*;

/// The activations that meet four blocks of 32 weights.
#[derive(Clone, Copy)]
pub(super) struct Half<'a> {
    /// Quantized values.
    pub q: &'a [i8; 128],
    /// One scale per 32.
    pub scale: &'a [f32; 4],
    /// Scaled sums per 32.
    pub sum: &'a [f32; 4],
    /// Sums of `q` per 16.
    pub sum16: &'a [i16; 8],
}

impl<'a> Half<'a> {
    /// Half `i` of a vector's groups, counted from the start of the vector.
    #[inline(always)]
    fn new(groups: &'a [ActGroup], i: usize) -> Self {
        let (group, i) = (&groups[i / 2], i % 2);
        Half {
            q: &group.q.as_chunks().0[i],
            scale: &group.scale.as_chunks().0[i],
            sum: &group.sum.as_chunks().0[i],
            sum16: &group.sum16.as_chunks().0[i],
        }
    }
}

/// Four blocks times their activations, one block a lane: `sum[i / 32] = scale * activation scale * dot + offset * activation sum`.
pub(super) struct Four {
    /// Exact sums of products.
    pub dot: int32x4_t,
    /// Scales of the blocks.
    pub scale: float32x4_t,
    /// What a block adds to every weight, if the format has that.
    pub offset: Option<float32x4_t>,
}

/// Walks over rows of blocks of 32 weights, four at a time: what is done once a block instead of once a weight (scales, conversion to
/// float) is then done once for four, and the four sums are added up across lanes together.
///
/// The last one to three blocks of a row are filled up with zero blocks; their activations, past the end of the vector, are zeros too.
#[inline]
#[target_feature(enable = "neon")]
pub(super) fn dot_rows32<B: Block>(
    rows: &[u8],
    x: Column<'_>,
    out: &mut [f32],
    four: impl Fn(&[B; 4], Half<'_>) -> Four,
) {
    let row_bytes = x.cols() / B::LEN * size_of::<B>();
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let (fours, rest) = blocks::<B>(row).as_chunks::<4>();
        let mut last = [B::zeroed(); 4];
        last[..rest.len()].copy_from_slice(rest);
        let mut sum = vdupq_n_f32(0.0);
        let mut offsets = vdupq_n_f32(0.0);
        for i in 0..fours.len() + usize::from(!rest.is_empty()) {
            let blocks = fours.get(i).unwrap_or(&last);
            prefetch_after(blocks);
            let x = Half::new(x.groups, i);
            let four = four(blocks, x);
            sum = vfmaq_f32(sum, vcvtq_f32_s32(four.dot), vmulq_f32(four.scale, f32x4(x.scale)));
            if let Some(offset) = four.offset {
                offsets = vfmaq_f32(offsets, offset, f32x4(x.sum));
            }
        }
        *out = vaddvq_f32(vaddq_f32(sum, offsets));
    }
}

/// Walks over rows of blocks of 256 weights; `block` adds a block times its activations to the four partial sums of the row.
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
