//! Matrices of weights as the operations see them: bytes of a format, rows x columns, borrowed from wherever they lie.

use siskin_simd::Format;

/// A weight matrix, `rows x cols`, in place: each row is `cols` weights in blocks of `format`, rows follow each other.
#[derive(Clone, Copy, Debug)]
pub struct QMatrix<'a> {
    format: Format,
    rows: usize,
    cols: usize,
    row_bytes: usize,
    bytes: &'a [u8],
}

impl<'a> QMatrix<'a> {
    /// A matrix over bytes; `None` if they are not exactly `rows x cols` weights of the format, in whole blocks per row.
    pub fn new(format: Format, rows: usize, cols: usize, bytes: &'a [u8]) -> Option<Self> {
        let row_bytes = format.row_bytes(cols)?;
        (row_bytes.checked_mul(rows)? == bytes.len()).then_some(QMatrix {
            format,
            rows,
            cols,
            row_bytes,
            bytes,
        })
    }

    /// The format of the weights.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Rows: outputs of a projection, entries of an embedding.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: inputs of a projection, values of an embedding.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The bytes of `count` rows from row `first` on.
    ///
    /// # Panics
    ///
    /// If the matrix does not have them.
    pub fn row_range(&self, first: usize, count: usize) -> &'a [u8] {
        &self.bytes[first * self.row_bytes..(first + count) * self.row_bytes]
    }

    /// Decodes row `row` to `cols` floats.
    ///
    /// # Panics
    ///
    /// If there is no such row, or `out` does not hold `cols` values.
    pub fn decode_row(&self, row: usize, out: &mut [f32]) {
        self.format.decode(self.row_range(row, 1), out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_must_agree() {
        let bytes = [0u8; 34 * 2];
        assert!(QMatrix::new(Format::Q8_0, 2, 32, &bytes).is_some());
        assert!(QMatrix::new(Format::Q8_0, 1, 32, &bytes).is_none());
        assert!(QMatrix::new(Format::Q8_0, 2, 33, &bytes).is_none());
        assert!(QMatrix::new(Format::F32, usize::MAX, 2, &bytes).is_none());
    }

    #[test]
    fn a_row_is_decoded_alone() {
        let bytes: Vec<u8> = [1.0f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let matrix = QMatrix::new(Format::F32, 2, 2, &bytes).unwrap();
        let mut row = [0.0; 2];
        matrix.decode_row(1, &mut row);
        assert_eq!(row, [3.0, 4.0]);
    }
}
