//! What is done with rows of keys and values: storing them, products with them, sums of them. They meet floats as they are, whatever they are
//! stored as; F32, F16, Q8_0 and Q4_0 are what they can be.

use super::Kernels;
use crate::activation::Column;
use crate::block::{BlockQ4_0, BlockQ8_0, Format};
use crate::generic::{AddCached, AddRows32, DotCached, NarrowCached, WidenCached};
use std::marker::PhantomData;

impl Kernels {
    /// `out[r] = rows[r] . x`: rows of F32, F16, Q8_0 or Q4_0, `out.len()` rows x `x.len()` columns. Unlike in [`Kernels::dot_rows`], `x` is
    /// not quantized for it.
    ///
    /// # Panics
    ///
    /// If `rows` is not exactly that many bytes, or `format` is another.
    pub fn dot_floats(&self, format: Format, rows: &[u8], x: &[f32], out: &mut [f32]) {
        check(format, rows, out.len(), x.len());
        if rows.is_empty() {
            return out.fill(0.0);
        }
        match format {
            Format::F32 | Format::F16 => self.dot_rows(format, rows, Column::floats(x), out),
            Format::Q8_0 => self.level.run(DotCached { rows, x, out, format: PhantomData::<BlockQ8_0> }),
            Format::Q4_0 => self.level.run(DotCached { rows, x, out, format: PhantomData::<BlockQ4_0> }),
            other => panic!("products of floats and {} rows", other.name()),
        }
    }

    /// `out[i] += sum_r weights[r] * rows[r][i]`: rows of F32, F16, Q8_0 or Q4_0, `weights.len()` rows x `out.len()` columns.
    ///
    /// # Panics
    ///
    /// If `rows` is not exactly that many bytes, or `format` is another.
    pub fn add_rows(&self, format: Format, rows: &[u8], weights: &[f32], out: &mut [f32]) {
        check(format, rows, weights.len(), out.len());
        if rows.is_empty() {
            return;
        }
        match format {
            Format::F32 => self.level.run(AddRows32 { rows, weights, out }),
            // SAFETY: as in `quantize`.
            Format::F16 => unsafe { (self.add_rows_f16)(rows, weights, out) },
            Format::Q8_0 => {
                self.level.run(AddCached { rows, weights, out, format: PhantomData::<BlockQ8_0> })
            }
            Format::Q4_0 => {
                self.level.run(AddCached { rows, weights, out, format: PhantomData::<BlockQ4_0> })
            }
            other => panic!("sums of {} rows", other.name()),
        }
    }

    /// Floats of rows of F32, F16, BF16, Q8_0 or Q4_0.
    ///
    /// # Panics
    ///
    /// If `rows` does not hold exactly `out.len()` values, or `format` is another.
    pub fn widen(&self, format: Format, rows: &[u8], out: &mut [f32]) {
        check(format, rows, 1, out.len());
        match format {
            Format::F32 | Format::BF16 => format.decode(rows, out),
            // SAFETY: as in `quantize`.
            Format::F16 => unsafe { (self.widen_f16)(rows, out) },
            Format::Q8_0 => self.level.run(WidenCached { rows, out, format: PhantomData::<BlockQ8_0> }),
            Format::Q4_0 => self.level.run(WidenCached { rows, out, format: PhantomData::<BlockQ4_0> }),
            other => panic!("widening of {}", other.name()),
        }
    }

    /// Stores floats as F32, F16, Q8_0 or Q4_0; the same bytes on every instruction set. In a block format, what is no number or too large for a
    /// scale in half precision makes no number of its whole block.
    ///
    /// # Panics
    ///
    /// If `out` is not exactly as many bytes as the values take, or `format` is another.
    pub fn narrow(&self, format: Format, x: &[f32], out: &mut [u8]) {
        check(format, out, 1, x.len());
        match format {
            Format::F32 => {
                out.as_chunks_mut().0.iter_mut().zip(x).for_each(|(out, x)| *out = x.to_le_bytes());
            }
            Format::F16 => self.narrow_f16(x, out),
            Format::Q8_0 => self.level.run(NarrowCached { x, out, format: PhantomData::<BlockQ8_0> }),
            Format::Q4_0 => self.level.run(NarrowCached { x, out, format: PhantomData::<BlockQ4_0> }),
            other => panic!("storing of {}", other.name()),
        }
    }

    /// Narrows floats to F16 bytes, to nearest, ties to even.
    ///
    /// # Panics
    ///
    /// If `out` does not hold two bytes a value.
    pub fn narrow_f16(&self, x: &[f32], out: &mut [u8]) {
        assert_eq!(out.len(), x.len() * 2, "bytes of {} values", x.len());
        // SAFETY: as in `quantize`.
        unsafe { (self.narrow_f16)(x, out) }
    }
}

/// Panics unless `bytes` are those of `rows` rows of `cols` values.
fn check(format: Format, bytes: &[u8], rows: usize, cols: usize) {
    let expected = format.row_bytes(cols).and_then(|bytes| bytes.checked_mul(rows));
    assert_eq!(Some(bytes.len()), expected, "{rows} rows x {cols} columns of {}", format.name());
}
