//! The file itself, through `ggus`.
//!
//! Its `GGufFileWriter` keeps a buffer for every tensor and needs each whole, so this uses the `GGufWriter` below it and writes a tensor
//! in pieces. That one buffers what it writes and drops the errors of the last flush: [`Sink`] sees them.

use std::io::{self, Write};

use ggus::{GGufFileHeader, GGufWriter};
use siskin_simd::Format;

use super::Tensor;
use super::meta::{Entry, string_bytes};

/// GGUF's default alignment of tensor data, in bytes.
pub const ALIGNMENT: usize = 32;

/// Takes the bytes of a tensor, piece by piece.
pub type Emit<'a> = &'a mut dyn FnMut(&[u8]) -> io::Result<()>;

/// Counts what reaches the output and keeps the first error.
struct Sink<W> {
    out: W,
    written: u64,
    failed: Option<io::Error>,
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.out.write(bytes) {
            Ok(count) => {
                self.written += count as u64;
                Ok(count)
            }
            Err(error) => {
                let kind = error.kind();
                if kind != io::ErrorKind::Interrupted {
                    self.failed.get_or_insert(error);
                }
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes header, metadata, tensor table and the data that `fill` makes; returns the length of the file in bytes.
///
/// # Errors
///
/// Those of `out`.
///
/// # Panics
///
/// If `fill` emits more or fewer bytes than the tensor has.
pub fn write<W: Write>(
    out: W,
    entries: &[Entry],
    tensors: &[Tensor],
    fill: impl Fn(&Tensor, Emit) -> io::Result<()>,
) -> io::Result<u64> {
    let mut sink = Sink { out, written: 0, failed: None };
    let outcome = write_to(&mut sink, entries, tensors, fill);
    if let Some(error) = sink.failed {
        return Err(error);
    }
    assert_eq!(outcome? as u64, sink.written, "all that was written has reached the output");
    sink.out.flush()?;
    Ok(sink.written)
}

fn write_to(
    sink: impl Write,
    entries: &[Entry],
    tensors: &[Tensor],
    fill: impl Fn(&Tensor, Emit) -> io::Result<()>,
) -> io::Result<usize> {
    let mut writer = GGufWriter::new(sink);
    writer.write_header(GGufFileHeader::new(3, tensors.len() as u64, entries.len() as u64))?;
    for entry in entries {
        writer.write_meta_kv(&entry.key, entry.ty, &entry.value)?;
    }
    let mut offset = 0u64;
    for tensor in tensors {
        writer.write_data(&tensor_info(tensor, offset))?;
        offset += tensor.bytes().next_multiple_of(ALIGNMENT as u64);
    }
    writer.write_padding(ALIGNMENT)?;
    for tensor in tensors {
        let end = writer.written_bytes() as u64 + tensor.bytes();
        fill(tensor, &mut |bytes| writer.write_data(bytes))?;
        assert_eq!(writer.written_bytes() as u64, end, "bytes of {}", tensor.name);
        writer.write_padding(ALIGNMENT)?;
    }
    Ok(writer.written_bytes())
}

/// An entry of the tensor table, by hand: `ggus` does not know the newest formats.
fn tensor_info(tensor: &Tensor, offset: u64) -> Vec<u8> {
    let dims = tensor.dims();
    let mut bytes = string_bytes(&tensor.name);
    bytes.extend((dims.len() as u32).to_le_bytes());
    dims.iter().for_each(|dim| bytes.extend(dim.to_le_bytes()));
    bytes.extend(type_code(tensor.format).to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

/// ggml's number of a format.
fn type_code(format: Format) -> u32 {
    match format {
        Format::F32 => 0,
        Format::F16 => 1,
        Format::Q4_0 => 2,
        Format::Q4_1 => 3,
        Format::Q5_0 => 6,
        Format::Q5_1 => 7,
        Format::Q8_0 => 8,
        Format::Q2_K => 10,
        Format::Q3_K => 11,
        Format::Q4_K => 12,
        Format::Q5_K => 13,
        Format::Q6_K => 14,
        Format::IQ2_XXS => 16,
        Format::IQ2_XS => 17,
        Format::IQ3_XXS => 18,
        Format::IQ1_S => 19,
        Format::IQ4_NL => 20,
        Format::IQ3_S => 21,
        Format::IQ2_S => 22,
        Format::IQ4_XS => 23,
        Format::IQ1_M => 29,
        Format::BF16 => 30,
        Format::TQ1_0 => 34,
        Format::TQ2_0 => 35,
        Format::MXFP4 => 39,
        other => unreachable!("format {} is not written here", other.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::{Mix, Model, SHAPES, Shape, fnv1a};

    /// What was written, read back by the reader of `ggus`.
    #[test]
    fn ggus_reads_it_back() {
        let shape = Shape::named("tiny").unwrap();
        for format in Format::ALL {
            if format.name().starts_with("IQ") || type_code(format) > 30 {
                continue; // ggus does not know these, or not how large they are
            }
            let mix = Mix::named(format.name()).unwrap();
            let mut bytes = Vec::new();
            let len = Model::new(shape, mix.clone(), 1).write(&mut bytes).unwrap();
            assert_eq!(len, bytes.len() as u64);
            let file = ggus::GGuf::new(&bytes).unwrap();
            for tensor in crate::synth::tensors(&shape, &mix) {
                let info = file.tensors[tensor.name.as_str()].to_info();
                assert_eq!(info.ty() as u32, type_code(tensor.format), "{}", tensor.name);
                assert_eq!(info.shape(), tensor.dims(), "{}", tensor.name);
                assert_eq!(info.nbytes() as u64, tensor.bytes(), "{}", tensor.name);
            }
        }
    }

    #[test]
    fn bytes_depend_on_shape_format_and_seed_alone() {
        let hash = |format: &str, seed| {
            let mut bytes = Vec::new();
            Model::new(SHAPES[0], Mix::named(format).unwrap(), seed).write(&mut bytes).unwrap();
            fnv1a(&bytes)
        };
        assert_eq!(hash("Q4_K", 1), hash("Q4_K", 1));
        assert_ne!(hash("Q4_K", 1), hash("Q4_K", 2));
        assert_ne!(hash("Q4_K", 1), hash("Q5_K", 1));
    }

    /// An output with room for so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_disk_is_an_error_even_at_the_last_byte() {
        let model = Model::new(SHAPES[0], Mix::named("Q4_0").unwrap(), 1);
        let len = model.write(io::sink()).unwrap() as usize;
        assert_eq!(model.write(Full(len)).unwrap(), len as u64);
        for room in [0, 100, len / 2, len - 1] {
            assert_eq!(model.write(Full(room)).unwrap_err().kind(), io::ErrorKind::StorageFull);
        }
    }
}
