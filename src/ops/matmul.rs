//! Projections: weight matrices times a batch of activations, straight from the quantized blocks.

use super::{Cpu, floats};
use crate::tensor::QMatrix;
use crate::threads::{MAX_TARGETS, Target};
use siskin_simd::{ActGroup, Column, PANEL_ROWS, Panel, TILE, Tiles};

/// Bytes of weights in a strip that meets one vector after the other: small enough to stay in a core's first-level cache while every
/// token of the batch meets them, large enough that handing strips out costs nothing beside them.
const STRIP_BYTES: usize = 16 << 10;

/// The smallest batch that is worth unpacking weights for. Unpacking costs as much as two or three vectors; below that, one vector after
/// the other is faster. Of formats of floats, see [`floats::BATCH`].
const PANEL_BATCH: usize = 4;

/// The largest activations of a run.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rows.
    pub batch: usize,
    /// Values of a row.
    pub widest: usize,
    /// Values of a row that meets a matrix of floats; 0 if there is none.
    pub widest_float: usize,
}

/// What multiplications need beside their inputs and results; allocated once.
pub struct Workspace {
    /// Quantized activations of the widest row, for the largest batch.
    groups: Vec<ActGroup>,
    /// Activations that meet floats, turned.
    turned: Vec<f32>,
    /// What each thread needs.
    rooms: Vec<Room>,
    /// Smaller batches are multiplied in the manner of one of so many rows.
    as_many: usize,
}

/// What a thread needs.
struct Room {
    panel: Panel,
    floats: floats::Room,
}

impl Workspace {
    /// For activations of this extent at most.
    pub fn new(extent: Extent, threads: usize) -> Workspace {
        let Extent { batch, widest, widest_float } = extent;
        let room = |_| Room { panel: Panel::new(batch), floats: floats::Room::new(extent.float_batch()) };
        Workspace {
            groups: vec![ActGroup::ZERO; batch * ActGroup::count(widest)],
            turned: vec![0.0; floats::turned_len(extent.float_batch(), widest_float)],
            rooms: (0..threads).map(room).collect(),
            as_many: 1,
        }
    }

    /// Lets every batch, however small, be multiplied in the manner of large ones, so that a row's products are the same in any batch. To be
    /// made for batches of [`LANES`](siskin_simd::LANES) rows at least.
    pub fn round_alike(&mut self) {
        self.as_many = floats::BATCH.max(PANEL_BATCH);
    }

    /// Bytes that [`Workspace::new`] allocates; `None` if that does not fit in `usize`.
    pub fn bytes(extent: Extent, threads: usize) -> Option<usize> {
        let Extent { batch, widest, widest_float } = extent;
        let groups = batch.checked_mul(ActGroup::count(widest))?.checked_mul(size_of::<ActGroup>())?;
        let turned = floats::turned_len(extent.float_batch(), widest_float).checked_mul(size_of::<f32>())?;
        let room = Panel::bytes(batch) + floats::Room::bytes(extent.float_batch()) + size_of::<Room>();
        groups.checked_add(turned)?.checked_add(threads.checked_mul(room)?)
    }
}

impl Extent {
    /// The largest batch that is turned; 0 if none is.
    fn float_batch(self) -> usize {
        if self.widest_float > 0 && self.batch >= floats::BATCH { self.batch } else { 0 }
    }
}

/// A batch of activation vectors, `batch x cols`, in the forms that kernels read.
pub struct Activations<'a> {
    x: &'a [f32],
    cols: usize,
    /// Rows of the batches that it is multiplied in the manner of.
    as_many: usize,
    /// None if no reader wants them; in tiles for [`PANEL_BATCH`] rows and more, else row after row.
    groups: &'a [ActGroup],
    /// For [`floats::BATCH`] rows and more, if a reader is in a format of floats.
    turned: &'a [f32],
    rooms: &'a mut [Room],
}

impl<'a> Activations<'a> {
    /// A batch over floats; when one of `readers` is in a block format, the floats are quantized into `workspace` first, once for
    /// all of them.
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of rows, or `workspace` was made for less.
    pub fn new(
        cpu: &mut Cpu,
        x: &'a [f32],
        cols: usize,
        workspace: &'a mut Workspace,
        readers: &[QMatrix<'_>],
    ) -> Self {
        assert!(cols > 0 && x.len().is_multiple_of(cols), "{} values in rows of {cols}", x.len());
        let Workspace { groups, turned, rooms, as_many } = workspace;
        let (batch, per_row) = (x.len() / cols, ActGroup::count(cols));
        let as_many = batch.max(*as_many);
        let is_float = |matrix: &QMatrix<'_>| matrix.format().is_float();
        let turns = as_many >= floats::BATCH && readers.iter().any(is_float);
        let turned = &mut turned[..if turns { floats::turned_len(batch, cols) } else { 0 }];
        if turns {
            floats::turn(cpu, x, cols, turned);
        }
        if readers.iter().all(is_float) {
            return Activations { x, cols, as_many, groups: &[], turned, rooms };
        }
        let groups = &mut groups[..batch * per_row];
        let width = if as_many < PANEL_BATCH { 1 } else { TILE };
        let kernels = &cpu.kernels;
        cpu.team.chunks_mut(groups, width * per_row, |tile, groups| {
            let rows = groups.len() / per_row;
            kernels.quantize_tile(&x[tile * width * cols..][..rows * cols], cols, groups);
        });
        Activations { x, cols, as_many, groups, turned, rooms }
    }

    /// Rows.
    fn batch(&self) -> usize {
        self.x.len() / self.cols
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
    let mut targets = projections.map(|projection| target(&x, projection));
    let Activations { x, cols, as_many, groups, turned, rooms } = x;
    let (kernels, batch) = (&cpu.kernels, x.len() / cols);
    cpu.team.strips_with(rooms, &mut targets, |room, index, first, mut strip| {
        let matrix = &matrices[index];
        let weights = matrix.row_range(first, strip.row(0).len());
        match manner(matrix, as_many) {
            Manner::Panels => {
                let next = next_strip(matrix, first);
                let (x, panel) = (Tiles::new(groups, cols), &mut room.panel);
                let done = |row: usize, sums: &_| write(sums, strip.row(row));
                kernels.multiply(matrix.format(), weights, next, x, panel, done);
            }
            Manner::Floats => {
                floats::multiply(kernels, matrix, first, (turned, batch), &mut room.floats, &mut strip);
            }
            Manner::Dots => {
                let groups = |row: usize| if groups.is_empty() { groups } else { row_of(groups, batch, row) };
                for (row, x) in x.chunks_exact(cols).enumerate() {
                    kernels.dot_rows(matrix.format(), weights, Column::new(x, groups(row)), strip.row(row));
                }
            }
        }
    });
}

/// How a matrix meets a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// One vector after the other.
    Dots,
    /// Unpacked into panels of bytes.
    Panels,
    /// Widened, with turned activations.
    Floats,
}

fn manner(matrix: &QMatrix<'_>, batch: usize) -> Manner {
    match matrix.format().is_float() {
        true if batch >= floats::BATCH => Manner::Floats,
        false if batch >= PANEL_BATCH => Manner::Panels,
        _ => Manner::Dots,
    }
}

/// Row `row` of rows that follow each other.
fn row_of(groups: &[ActGroup], rows: usize, row: usize) -> &[ActGroup] {
    let per_row = groups.len() / rows;
    &groups[row * per_row..][..per_row]
}

/// What a thread will probably multiply after the strip of rows from `first` on: threads take neighbours.
fn next_strip<'a>(matrix: &QMatrix<'a>, first: usize) -> &'a [u8] {
    let next = first + PANEL_ROWS;
    if next < matrix.rows() { matrix.row_range(next, PANEL_ROWS.min(matrix.rows() - next)) } else { &[] }
}

/// Writes the sums of one vector; the last strip may want fewer.
#[inline]
fn write(sums: &[f32; PANEL_ROWS], out: &mut [f32]) {
    match out.first_chunk_mut() {
        Some(out) => *out = *sums,
        None => write_few(sums, out),
    }
}

/// Apart, because the compiler would join both copies into a call of `memcpy`, which takes longer than 64 bytes need.
#[cold]
#[inline(never)]
fn write_few(sums: &[f32; PANEL_ROWS], out: &mut [f32]) {
    out.copy_from_slice(&sums[..out.len()]);
}

fn target<'a>(x: &Activations<'_>, projection: Projection<'a>) -> Target<'a> {
    let Projection { matrix, out } = projection;
    assert_eq!(matrix.cols(), x.cols, "columns of the matrix and values of an activation row");
    assert_eq!(out.len(), x.batch() * matrix.rows(), "values of {} x {} products", x.batch(), matrix.rows());
    let row_bytes = matrix.row_range(0, 1).len();
    let strip = match manner(&matrix, x.as_many) {
        Manner::Panels => PANEL_ROWS,
        Manner::Floats => floats::ROWS,
        Manner::Dots => (STRIP_BYTES / row_bytes).max(1),
    };
    Target { out, width: matrix.rows(), strip }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::threads::Team;
    use siskin_simd::{Format, Kernels};

    /// Rows that are F32 and rows that are Q8_0, against a plain sum; the same bits for every number of threads, and for every batch that
    /// is multiplied in the same manner.
    #[test]
    fn products_do_not_depend_on_threads_or_batch() {
        let (rows, cols, batch) = (700, 320, 45);
        let weights: Vec<u8> =
            (0..rows * cols).flat_map(|i| (((i * 37) % 101) as f32 / 50.0 - 1.0).to_le_bytes()).collect();
        let quants: Vec<u8> = (0..rows * cols / 32 * 34)
            .map(|i| if i % 34 == 1 { 0x2c } else { (i * 7 % 256) as u8 })
            .collect();
        let matrices = [
            QMatrix::new(Format::F32, rows, cols, &weights).unwrap(),
            QMatrix::new(Format::Q8_0, rows, cols, &quants).unwrap(),
        ];
        let x: Vec<f32> = (0..batch * cols).map(|i| ((i * 13) % 29) as f32 / 14.0 - 1.0).collect();

        let run_in = |threads: usize, alike: bool, x: &[f32]| {
            let mut cpu = Cpu { kernels: Kernels::best(), team: Team::new(threads).unwrap() };
            let mut workspace = Workspace::new(Extent { batch, widest: cols, widest_float: cols }, threads);
            if alike {
                workspace.round_alike();
            }
            let (mut a, mut b) = (vec![0.0; x.len() / cols * rows], vec![0.0; x.len() / cols * rows]);
            let act = Activations::new(&mut cpu, x, cols, &mut workspace, &matrices);
            let [first, second] = matrices;
            project(
                &mut cpu,
                act,
                [Projection { matrix: first, out: &mut a }, Projection { matrix: second, out: &mut b }],
            );
            (a, b)
        };
        let run = |threads: usize, x: &[f32]| run_in(threads, false, x);
        let whole = run(1, &x);
        assert_eq!(whole, run(3, &x));
        let last = |count: usize| run(2, &x[(batch - count) * cols..]);
        assert_eq!(last(floats::BATCH).0, whole.0[(batch - floats::BATCH) * rows..]);
        assert_eq!(last(PANEL_BATCH).1, whole.1[(batch - PANEL_BATCH) * rows..]);
        let few = run(1, &x[..(PANEL_BATCH - 1) * cols]);
        let alike = run_in(1, true, &x[cols..2 * cols]);
        assert_eq!((&alike.0[..], &alike.1[..]), (&whole.0[rows..2 * rows], &whole.1[rows..2 * rows]));
        for row in 0..PANEL_BATCH - 1 {
            let alone = run(2, &x[row * cols..][..cols]);
            assert_eq!(alone.0, few.0[row * rows..][..rows]);
            assert_eq!(alone.1, few.1[row * rows..][..rows]);
        }
        for (few, whole) in few.0.iter().zip(&whole.0).chain(few.1.iter().zip(&whole.1)) {
            assert!(
                (few - whole).abs() <= 1e-4 * whole.abs().max(100.0),
                "{few} one by one, {whole} together"
            );
        }
        let mut decoded = vec![0.0; cols];
        matrices[0].decode_row(3, &mut decoded);
        let expected: f32 = decoded.iter().zip(&x).map(|(w, x)| w * x).sum();
        assert!((whole.0[3] - expected).abs() < 1e-4);
    }
}
