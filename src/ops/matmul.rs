//! Projections: weight matrices times a batch of activations, straight from the quantized blocks.

use super::Cpu;
use crate::tensor::QMatrix;
use crate::threads::{MAX_TARGETS, Target};
use siskin_simd::{ActGroup, Column};

/// Bytes of weights in a strip: small enough to stay in a core's first-level cache while every token of the batch meets them,
/// large enough that handing strips out costs nothing beside them.
const STRIP_BYTES: usize = 16 << 10;

/// A batch of activation vectors, `batch x cols`, in both forms that kernels read.
#[derive(Clone, Copy)]
pub struct Activations<'a> {
    x: &'a [f32],
    groups: &'a [ActGroup],
    cols: usize,
}

impl<'a> Activations<'a> {
    /// A batch over floats; when one of `readers` is in a block format, the floats are quantized into `groups` first, once for
    /// all of them.
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of rows, or `groups` is too short.
    pub fn new(
        cpu: &mut Cpu,
        x: &'a [f32],
        cols: usize,
        groups: &'a mut [ActGroup],
        readers: &[QMatrix<'_>],
    ) -> Self {
        assert!(cols > 0 && x.len().is_multiple_of(cols), "{} values in rows of {cols}", x.len());
        if readers.iter().all(|matrix| matrix.format().is_float()) {
            return Activations { x, groups: &[], cols };
        }
        let per_row = ActGroup::count(cols);
        let groups = &mut groups[..x.len() / cols * per_row];
        let kernels = &cpu.kernels;
        cpu.team
            .chunks_mut(groups, per_row, |row, groups| kernels.quantize(&x[row * cols..][..cols], groups));
        Activations { x, groups, cols }
    }

    /// Rows.
    fn batch(&self) -> usize {
        self.x.len() / self.cols
    }

    fn column(&self, row: usize) -> Column<'a> {
        let x = &self.x[row * self.cols..][..self.cols];
        if self.groups.is_empty() {
            return Column::floats(x);
        }
        let per_row = ActGroup::count(self.cols);
        Column::new(x, &self.groups[row * per_row..][..per_row])
    }
}

/// A matrix and where its products go: `batch x matrix.rows()`.
pub struct Projection<'a> {
    /// Weights.
    pub matrix: QMatrix<'a>,
    /// Products.
    pub out: &'a mut [f32],
}

/// Multiplies up to three matrices with the same activations in one job of the team: `out[b][r] = matrix[r] . x[b]`.
///
/// # Panics
///
/// If sizes do not fit, or there are more than [`MAX_TARGETS`] matrices.
pub fn project<const N: usize>(cpu: &mut Cpu, x: Activations<'_>, projections: [Projection<'_>; N]) {
    const { assert!(N <= MAX_TARGETS) };
    let matrices: [QMatrix<'_>; N] = std::array::from_fn(|i| projections[i].matrix);
    let mut targets = projections.map(|projection| target(x, projection));
    let kernels = &cpu.kernels;
    cpu.team.strips(&mut targets, |index, first, mut strip| {
        let matrix = &matrices[index];
        let count = strip.row(0).len();
        let weights = matrix.row_range(first, count);
        for row in 0..strip.height() {
            kernels.dot_rows(matrix.format(), weights, x.column(row), strip.row(row));
        }
    });
}

fn target<'a>(x: Activations<'_>, projection: Projection<'a>) -> Target<'a> {
    let Projection { matrix, out } = projection;
    assert_eq!(matrix.cols(), x.cols, "columns of the matrix and values of an activation row");
    assert_eq!(out.len(), x.batch() * matrix.rows(), "values of {} x {} products", x.batch(), matrix.rows());
    let row_bytes = matrix.row_range(0, 1).len();
    Target { out, width: matrix.rows(), strip: (STRIP_BYTES / row_bytes).max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Team;
    use siskin_simd::{Format, Kernels};

    /// Rows that are F32 and rows that are Q8_0, against a plain sum; the same bits for every number of threads and any batch.
    #[test]
    fn products_do_not_depend_on_threads_or_batch() {
        let (rows, cols, batch) = (700, 64, 5);
        let weights: Vec<u8> =
            (0..rows * cols).flat_map(|i| (((i * 37) % 101) as f32 / 50.0 - 1.0).to_le_bytes()).collect();
        let quants: Vec<u8> =
            (0..rows * 2 * 34).map(|i| if i % 34 == 1 { 0x2c } else { (i * 7 % 256) as u8 }).collect();
        let matrices = [
            QMatrix::new(Format::F32, rows, cols, &weights).unwrap(),
            QMatrix::new(Format::Q8_0, rows, cols, &quants).unwrap(),
        ];
        let x: Vec<f32> = (0..batch * cols).map(|i| ((i * 13) % 29) as f32 / 14.0 - 1.0).collect();

        let run = |threads: usize, x: &[f32]| {
            let mut cpu = Cpu { kernels: Kernels::best(), team: Team::new(threads).unwrap() };
            let mut groups = vec![ActGroup::ZERO; batch];
            let (mut a, mut b) = (vec![0.0; x.len() / cols * rows], vec![0.0; x.len() / cols * rows]);
            let act = Activations::new(&mut cpu, x, cols, &mut groups, &matrices);
            let [first, second] = matrices;
            project(
                &mut cpu,
                act,
                [Projection { matrix: first, out: &mut a }, Projection { matrix: second, out: &mut b }],
            );
            (a, b)
        };
        let whole = run(1, &x);
        assert_eq!(whole, run(3, &x));
        for row in 0..batch {
            let alone = run(2, &x[row * cols..][..cols]);
            assert_eq!(alone.0, whole.0[row * rows..][..rows]);
            assert_eq!(alone.1, whole.1[row * rows..][..rows]);
        }
        let mut decoded = vec![0.0; cols];
        matrices[0].decode_row(3, &mut decoded);
        let expected: f32 = decoded.iter().zip(&x).map(|(w, x)| w * x).sum();
        assert!((whole.0[3] - expected).abs() < 1e-4);
    }
}
