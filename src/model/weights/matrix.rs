//! Weights in the file's mapping: matrices, and stacks of matrices of one shape.

use crate::gguf::Bytes;
use crate::tensor::QMatrix;
use siskin_simd::Format;
use std::ops::Range;

/// A weight matrix in the file's mapping.
#[derive(Clone, Debug)]
pub struct Matrix {
    pub(super) bytes: Bytes,
    pub(super) format: Format,
    pub(super) rows: usize,
    pub(super) cols: usize,
}

impl Matrix {
    /// The matrix as operations take it.
    pub fn view(&self) -> QMatrix<'_> {
        QMatrix::new(self.format, self.rows, self.cols, &self.bytes)
            .expect("sizes were checked when the weight was found")
    }

    /// Some of the rows, as a matrix.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub(super) fn row_range(&self, rows: Range<usize>) -> Matrix {
        let row = self.bytes.len() / self.rows;
        let bytes = self.bytes.part(rows.start * row..rows.end * row).expect("rows of the matrix");
        Matrix { bytes, rows: rows.len(), ..self.clone() }
    }
}

/// Matrices of one shape, one after the other: those of the experts. Each may be a part of the rows of what lies there.
#[derive(Clone, Debug)]
pub struct Stack {
    /// All that lies there as one matrix, `(count * rows) x cols`.
    pub(super) all: Matrix,
    pub(super) count: usize,
    /// Which of the rows.
    pub(super) part: Range<usize>,
}

impl Stack {
    /// Its matrices cut after so many rows.
    pub(super) fn cut(self, rows: usize) -> [Stack; 2] {
        let Range { start, end } = self.part.clone();
        [start..start + rows, start + rows..end].map(|part| Stack { part, ..self.clone() })
    }

    /// Whether it begins with the first of the rows that lie there.
    pub(super) fn is_first(&self) -> bool {
        self.part.start == 0
    }

    /// One of the matrices, as operations take it.
    ///
    /// # Panics
    ///
    /// If there are fewer.
    pub fn view(&self, index: usize) -> QMatrix<'_> {
        let Matrix { bytes, format, rows, cols } = &self.all;
        let (size, row) = (bytes.len() / self.count, bytes.len() / rows);
        let bytes = &bytes[index * size..][self.part.start * row..self.part.end * row];
        QMatrix::new(*format, self.part.len(), *cols, bytes)
            .expect("sizes were checked when the weight was found")
    }
}
