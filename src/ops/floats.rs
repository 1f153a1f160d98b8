//! Float matrices times many activation vectors: for `matmul.rs`, and nobody else.
//!
//! The activations are turned once, so that 32 vectors lie beside each other, a lane each. Every strip of weight rows is then widened to
//! floats, some columns at a time, and meets them; those columns of a tile stay in the first-level cache meanwhile.

use super::Cpu;
use crate::tensor::QMatrix;
use crate::threads::Strip;
use siskin_simd::{Kernels, LANES};
use std::ops::Range;

/// The smallest batch that is worth it: below, most lanes would be empty, and one vector after the other is faster.
pub(super) const BATCH: usize = 12;

/// Weight rows of a strip.
pub(super) const ROWS: usize = 16;

/// Columns that a strip meets at once: with 32 vectors 16 KiB.
const COLUMNS: usize = 128;

/// Room of a thread.
pub(super) struct Room {
    /// `ROWS x COLUMNS`.
    weights: Vec<f32>,
    /// `tiles x ROWS x LANES`.
    sums: Vec<f32>,
}

impl Room {
    /// For batches of up to `batch` vectors.
    pub fn new(batch: usize) -> Room {
        Room { weights: vec![0.0; Room::weights(batch)], sums: vec![0.0; turned_len(batch, ROWS)] }
    }

    /// Bytes that [`Room::new`] allocates.
    pub fn bytes(batch: usize) -> usize {
        (Room::weights(batch) + turned_len(batch, ROWS)) * size_of::<f32>()
    }

    fn weights(batch: usize) -> usize {
        if batch == 0 { 0 } else { ROWS * COLUMNS }
    }
}

/// Floats of `batch` turned vectors; `usize::MAX` if they do not fit in that.
pub(super) fn turned_len(batch: usize, cols: usize) -> usize {
    batch.div_ceil(LANES).saturating_mul(cols).saturating_mul(LANES)
}

/// Turns vectors, `batch x cols`, to `tiles x cols x LANES`; lanes without a vector are zero.
pub(super) fn turn(cpu: &mut Cpu, x: &[f32], cols: usize, turned: &mut [f32]) {
    cpu.team.chunks_mut(turned, cols * LANES, |tile, turned| {
        for (block, turned) in turned.chunks_mut(COLUMNS * LANES).enumerate() {
            let first = block * COLUMNS;
            for lane in 0..LANES {
                let column = turned.chunks_exact_mut(LANES).map(|row| &mut row[lane]);
                match x.chunks_exact(cols).nth(tile * LANES + lane) {
                    Some(x) => column.zip(&x[first..]).for_each(|(out, &x)| *out = x),
                    None => column.for_each(|out| *out = 0.0),
                }
            }
        }
    });
}

/// The products of the rows of `matrix` from `first` on, as many as the strip is wide, with all of `batch` turned vectors.
pub(super) fn multiply(
    kernels: &Kernels,
    matrix: &QMatrix<'_>,
    first: usize,
    (turned, batch): (&[f32], usize),
    room: &mut Room,
    strip: &mut Strip<'_>,
) {
    let (rows, cols) = (strip.row(0).len(), matrix.cols());
    let sums = &mut room.sums[..turned_len(batch, rows)];
    sums.fill(0.0);
    for from in (0..cols).step_by(COLUMNS) {
        let columns = from..cols.min(from + COLUMNS);
        let weights = &mut room.weights[..rows * columns.len()];
        for (row, out) in weights.chunks_exact_mut(columns.len()).enumerate() {
            kernels.widen(matrix.format(), part(matrix, first + row, &columns), out);
        }
        for (tile, sums) in sums.chunks_exact_mut(rows * LANES).enumerate() {
            let x = &turned[(tile * cols + from) * LANES..][..columns.len() * LANES];
            kernels.accumulate(weights, x, sums);
        }
    }
    for vector in 0..batch {
        let (tile, lane) = (vector / LANES, vector % LANES);
        let sums = sums[tile * rows * LANES..].chunks_exact(LANES);
        strip.row(vector).iter_mut().zip(sums).for_each(|(out, sums)| *out = sums[lane]);
    }
}

/// The bytes of some columns of a row.
fn part<'a>(matrix: &QMatrix<'a>, row: usize, columns: &Range<usize>) -> &'a [u8] {
    let bytes = matrix.row_range(row, 1);
    let size = bytes.len() / matrix.cols();
    &bytes[columns.start * size..columns.end * size]
}
