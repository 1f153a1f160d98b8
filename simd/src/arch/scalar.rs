//! Kernels in portable Rust, written once for all formats over [`Block`] and [`QuantBlock`].
//!
//! A dot product of a block format unpacks each block to int8 and multiplies in integers; scales and offsets meet the exact sums in `f32`.

use crate::activation::{ActGroup, Column, SCALE_LEN};
use crate::block::{Block, QuantBlock, Unpacked, blocks, f16_to_f32, f32_to_f16};
use crate::panel::{PANEL_ROWS, PanelGroup, Source, part_of};

/// Partial sums that a float row is added up in, so that the order does not depend on the compiler's mood.
const LANES: usize = 8;

/// A block format: what its functions hand to the loops, which are compiled once for all formats.
#[derive(Clone, Copy)]
struct Layout {
    /// Weights of a block.
    len: usize,
    /// Bytes of a block.
    bytes: usize,
    /// Unpacks the bytes of a block.
    unpack: fn(&[u8], &mut Unpacked),
}

impl Layout {
    const fn of<B: QuantBlock>() -> Layout {
        let unpack = |block: &[u8], out: &mut Unpacked| bytemuck::from_bytes::<B>(block).unpack(out);
        Layout { len: B::LEN, bytes: size_of::<B>(), unpack }
    }
}

/// `out[r] = rows[r] . x` for rows of a block format.
pub(crate) fn dot_quant<B: QuantBlock>(rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    dot_blocks(Layout::of::<B>(), rows, x, out);
}

#[inline(never)]
fn dot_blocks(Layout { len, bytes, unpack }: Layout, rows: &[u8], x: Column<'_>, out: &mut [f32]) {
    let mut unpacked = Unpacked::ZERO;
    for (row, out) in rows.chunks_exact(x.cols() / len * bytes).zip(out) {
        *out = 0.0;
        for (i, block) in row.chunks_exact(bytes).enumerate() {
            unpack(block, &mut unpacked);
            *out += dot_block(&unpacked, len, &x.groups[i * len / ActGroup::LEN], i * len % ActGroup::LEN);
        }
    }
}

/// An unpacked block of `len` weights times the activations of `group` from value `start` on.
fn dot_block(w: &Unpacked, len: usize, group: &ActGroup, start: usize) -> f32 {
    let mut sum = 0.0;
    for i in 0..len / 16 {
        let at = start + i * 16;
        let products = w.q[i * 16..][..16].iter().zip(&group.q[at..at + 16]);
        let dot: i32 = products.map(|(&w, &x)| i32::from(w) * i32::from(x)).sum();
        let terms = w.scale[i] * dot as f32 + w.offset[i] * f32::from(group.sum16[at / 16]);
        sum += group.scale[at / SCALE_LEN] * terms;
    }
    sum
}

/// Unpacks up to [`PANEL_ROWS`] rows into a panel: byte `row * 256 + column` of a group is the
/// signed quant, and scales and offsets stand per 16 columns. Rows and blocks that are missing become zeros.
pub(crate) fn unpack<B: QuantBlock>(source: Source<'_>, panel: &mut [PanelGroup]) {
    unpack_blocks(Layout::of::<B>(), source, panel);
}

#[inline(never)]
fn unpack_blocks(Layout { len, bytes, unpack }: Layout, source: Source<'_>, panel: &mut [PanelGroup]) {
    let per_group = ActGroup::LEN / len;
    let mut unpacked = Unpacked::ZERO;
    for (g, group) in panel.iter_mut().enumerate() {
        group.q.fill(0);
        group.scale = [[0.0; PANEL_ROWS]; 16];
        group.offset = [[0.0; PANEL_ROWS]; 16];
        for r in 0..PANEL_ROWS {
            let row = source.row(r).chunks_exact(bytes).skip((source.first + g) * per_group);
            for (b, block) in row.take(per_group).enumerate() {
                unpack(block, &mut unpacked);
                put(group, r, b * len, len, &unpacked);
            }
        }
    }
}

/// Writes `len` unpacked weights of row `r` to columns `at..at + len`.
fn put(group: &mut PanelGroup, r: usize, at: usize, len: usize, w: &Unpacked) {
    let q = &mut group.q[r * ActGroup::LEN + at..][..len];
    q.copy_from_slice(bytemuck::cast_slice(&w.q[..len]));
    for i in 0..len / 16 {
        group.scale[at / 16 + i][r] = w.scale[i];
        group.offset[at / 16 + i][r] = w.offset[i];
    }
}

/// Adds the products of a panel and a tile of activations to `sums`, a vector's [`PANEL_ROWS`] sums to an element.
pub(crate) fn multiply(panel: &[PanelGroup], tile: &[ActGroup], sums: &mut [[f32; PANEL_ROWS]]) {
    for (group, tile) in panel.iter().zip(tile.chunks_exact(sums.len())) {
        for (x, sums) in tile.iter().zip(&mut *sums) {
            for (r, sum) in sums.iter_mut().enumerate() {
                *sum += multiply_row(group, r, x);
            }
        }
    }
}

/// 256 columns of row `r` times their activations.
fn multiply_row(group: &PanelGroup, r: usize, x: &ActGroup) -> f32 {
    let (weights, activations) = (&group.q[r * ActGroup::LEN..][..ActGroup::LEN], x.q.as_chunks::<16>().0);
    let mut sum = 0.0;
    for (i, (w, x_q)) in weights.as_chunks::<16>().0.iter().zip(activations).enumerate() {
        let dot: i32 = w.iter().zip(x_q).map(|(&w, &x)| i32::from(w as i8) * i32::from(x)).sum();
        let terms = group.scale[i][r] * dot as f32 + group.offset[i][r] * f32::from(x.sum16[i]);
        sum += x.scale[part_of(i)] * terms;
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

/// Widens F16 to floats.
pub(crate) fn widen_f16(x: &[u8], out: &mut [f32]) {
    for (half, x) in x.as_chunks::<2>().0.iter().zip(out) {
        *x = f16_to_f32(*half);
    }
}

/// Leaves prefetching to the CPU.
pub(crate) fn prefetch(_: &[u8]) {}
