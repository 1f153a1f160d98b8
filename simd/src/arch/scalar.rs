//! Kernels in portable Rust, written once for all formats over [`Block`] and [`QuantBlock`].
//!
//! A dot product of a block format unpacks each block to int8 and multiplies in integers; scales and offsets meet the exact sums in `f32`.

use crate::activation::{ActGroup, Column, SCALE_LEN};
use crate::block::{Block, QuantBlock, Unpacked, blocks, f16_to_f32, f32_to_f16};

/// Partial sums that a float row is added up in, so that the order does not depend on the compiler's mood.
const LANES: usize = 8;

/// `out[r] = rows[r] . x` for rows of a block format.
pub(crate) fn dot_quant<B: QuantBlock>(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let row_bytes = x.cols() / B::LEN * size_of::<B>();
    let mut unpacked = Unpacked::ZERO;
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        *out = 0.0;
        for (i, block) in blocks::<B>(row).iter().enumerate() {
            block.unpack(&mut unpacked);
            *out +=
                dot_block::<B>(&unpacked, &x.groups[i * B::LEN / ActGroup::LEN], i * B::LEN % ActGroup::LEN);
        }
    }
}

/// An unpacked block times the activations of `group` from value `start` on.
fn dot_block<B: QuantBlock>(w: &Unpacked, group: &ActGroup, start: usize) -> f32 {
    let mut sum = 0.0;
    for i in 0..B::LEN / 16 {
        let at = start + i * 16;
        let products = w.q[i * 16..][..16].iter().zip(&group.q[at..at + 16]);
        let dot: i32 = products.map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        let terms = w.scale[i] * dot as f32 + w.offset[i] * f32::from(group.sum16[at / 16]);
        sum += group.scale[at / SCALE_LEN] * terms;
    }
    sum
}

/// `out[r] = rows[r] . x` for rows of a float format.
pub(crate) fn dot_float<B: Block>(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let row_bytes = x.cols() * size_of::<B>();
    for (row, out) in rows.chunks_exact(row_bytes).zip(out) {
        let mut sums = [0.0f32; LANES];
        let weights = blocks::<B>(row).chunks(LANES);
        for (weights, x) in weights.zip(x.x.chunks(LANES)) {
            for ((sum, weight), x) in sums.iter_mut().zip(weights).zip(x) {
                let mut w = [0.0];
                weight.decode(&mut w);
                *sum += w[0] * x;
            }
        }
        *out = sums.iter().sum();
    }
}

/// Quantizes a vector into its groups.
pub(crate) fn quantize(x: &[f32], groups: &mut [ActGroup]) {
    for (group, x) in groups.iter_mut().zip(x.chunks(ActGroup::LEN)) {
        if x.len() < ActGroup::LEN {
            *group = ActGroup::ZERO;
        }
        for (part, x) in x.chunks(SCALE_LEN).enumerate() {
            group.fill(part, x);
        }
    }
}

/// `out += weights[r] * rows[r]` for F16 rows of `out.len()` values.
pub(crate) fn add_rows_f16(rows: &[u8], weights: &[f32], out: &mut [f32]) {
    for (row, weight) in rows.chunks_exact(out.len() * 2).zip(weights) {
        for (out, half) in out.iter_mut().zip(row.as_chunks::<2>().0) {
            *out += weight * f16_to_f32(*half);
        }
    }
}

/// Narrows floats to F16.
pub(crate) fn narrow_f16(x: &[f32], out: &mut [u8]) {
    for (half, x) in out.as_chunks_mut::<2>().0.iter_mut().zip(x) {
        *half = f32_to_f16(*x);
    }
}
