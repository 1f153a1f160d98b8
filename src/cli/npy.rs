//! A NumPy file of `f32` rows, written as they come; its header, which states their number, is finished at the end.
//!
//! The format is version 1.0 of <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of the header: room for any number of rows and columns.
const HEADER: usize = 128;

/// A matrix that grows by rows.
pub struct NpyWriter {
    file: BufWriter<File>,
    rows: usize,
    cols: usize,
}

impl NpyWriter {
    /// Creates the file.
    pub fn create(path: &Path, cols: usize) -> io::Result<NpyWriter> {
        let mut file = BufWriter::new(File::create(path)?);
        file.write_all(&header(0, cols))?;
        Ok(NpyWriter { file, rows: 0, cols })
    }

    /// Appends a row.
    ///
    /// # Panics
    ///
    /// If it does not have the columns of the matrix.
    pub fn row(&mut self, row: &[f32]) -> io::Result<()> {
        assert_eq!(row.len(), self.cols, "columns of a row");
        self.rows += 1;
        row.iter().try_for_each(|x| self.file.write_all(&x.to_le_bytes()))
    }

    /// Writes what is buffered and the number of rows.
    pub fn finish(mut self) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(&header(self.rows, self.cols))?;
        self.file.flush()
    }
}

fn header(rows: usize, cols: usize) -> [u8; HEADER] {
    let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let mut out = [b' '; HEADER];
    out[..8].copy_from_slice(b"\x93NUMPY\x01\x00");
    out[8..10].copy_from_slice(&((HEADER - 10) as u16).to_le_bytes());
    out[10..10 + text.len()].copy_from_slice(text.as_bytes());
    out[HEADER - 1] = b'\n';
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_and_rows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let mut npy = NpyWriter::create(&path, 2).unwrap();
        npy.row(&[1.0, 2.0]).unwrap();
        npy.row(&[3.0, 4.0]).unwrap();
        npy.row(&[5.0, 6.0]).unwrap();
        npy.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), HEADER + 3 * 2 * 4);
        assert!(String::from_utf8_lossy(&bytes[..HEADER]).contains("'shape': (3, 2), }"));
        assert_eq!(bytes[HEADER + 20..], 6.0f32.to_le_bytes());
    }

    #[test]
    fn the_largest_header_fits() {
        assert_eq!(header(usize::MAX, usize::MAX)[HEADER - 1], b'\n');
    }
}
