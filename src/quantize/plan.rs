//! What the new file will hold: a format and a place for each tensor, and the header.

use super::Error;
use super::recipe::{self, Model, Recipe};
use crate::gguf::{self, Array, ErrorKind, GgmlType, Gguf, Metadata, TensorInfo, Value, ValueType};
use ggus::{GGufFileHeader, GGufWriter};
use siskin_simd::Format;
use std::collections::BTreeMap;
use std::fmt;

/// Of the encodings of the blocks, which has not changed since 2023.
const QUANTIZATION_VERSION: u32 = 2;
/// Keys of a split model's parts; the new file is whole.
const SPLIT_KEYS: [&str; 3] = ["split.no", "split.count", "split.tensors.count"];

/// A tensor of the new file.
#[derive(Clone, Copy, Debug)]
pub struct Planned<'f> {
    /// The tensor it is made from.
    pub tensor: &'f TensorInfo,
    /// Its new type.
    pub ty: GgmlType,
    /// The format that the recipe wanted, if its rows are no whole number of such blocks.
    pub instead_of: Option<Format>,
}

impl Planned<'_> {
    /// Size in bytes.
    pub fn bytes(&self) -> u64 {
        let blocks = self.tensor.elements() / self.ty.block_len() as u64;
        blocks * self.ty.block_bytes() as u64
    }

    /// The formats to decode from and to encode to; `None` for a tensor that is copied.
    pub(super) fn conversion(&self) -> Option<(Format, Format)> {
        (self.ty != self.tensor.ty()).then_some(())?;
        Some((self.tensor.ty().format()?, self.ty.format()?))
    }
}

/// A file that is going to be made.
pub struct Plan<'f> {
    pub(super) file: &'f Gguf,
    pub(super) tensors: Vec<Planned<'f>>,
    pub(super) header: Vec<u8>,
    pub(super) alignment: u64,
}

impl fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("file", &self.file.path()).finish_non_exhaustive()
    }
}

impl<'f> Plan<'f> {
    /// Chooses the formats. Nothing but the header is read.
    ///
    /// # Errors
    ///
    /// If there are no weights, they are quantized already, or the file was made for machines of another byte order.
    pub fn new(file: &'f Gguf, recipe: &Recipe) -> Result<Plan<'f>, Error> {
        file.require_native()?;
        if file.tensors().is_empty() {
            return Err(Error::NoTensors { path: file.path().to_owned() });
        }
        let model = Model::of(file);
        let plan = |tensor: &'f TensorInfo| planned(file, tensor, recipe, &model);
        let tensors: Vec<Planned<'f>> = file.tensors().iter().map(plan).collect::<Result<_, _>>()?;
        let alignment = file.metadata().u64("general.alignment")?.unwrap_or(32);
        let header = header(file, &tensors, recipe.file_type, alignment)?;
        Ok(Plan { file, tensors, header, alignment })
    }

    /// The tensors, in the order of the file.
    pub fn tensors(&self) -> &[Planned<'f>] {
        &self.tensors
    }

    /// Size of the new file in bytes.
    pub fn bytes(&self) -> u64 {
        let data = self.tensors.iter().map(|tensor| tensor.bytes().next_multiple_of(self.alignment));
        self.header.len() as u64 + data.sum::<u64>()
    }
}

/// The type of a tensor of the new file.
fn planned<'f>(
    file: &Gguf,
    tensor: &'f TensorInfo,
    recipe: &Recipe,
    model: &Model,
) -> Result<Planned<'f>, Error> {
    if !recipe::is_quantized(tensor) {
        return Ok(Planned { tensor, ty: tensor.ty(), instead_of: None });
    }
    if !tensor.ty().format().is_some_and(Format::is_float) {
        let (path, name) = (file.path().to_owned(), tensor.name().to_owned());
        return Err(Error::AlreadyQuantized { path, tensor: name, found: tensor.ty() });
    }
    let wanted = recipe::wanted(recipe, model, tensor.name());
    let format = recipe::fitting(wanted, tensor.cols() as usize);
    let ty = GgmlType::all().find(|ty| ty.format() == Some(format)).unwrap_or(tensor.ty());
    Ok(Planned { tensor, ty, instead_of: (format != wanted).then_some(wanted) })
}

/// Everything before the data: metadata as it was, but for the kind of quantization, and the table of tensors. Written by `ggus` into memory; its
/// writer of whole files wants every tensor in memory at once, so the data is written here.
fn header(file: &Gguf, tensors: &[Planned<'_>], file_type: u32, alignment: u64) -> Result<Vec<u8>, Error> {
    let entries = entries(file.metadata(), file_type)?;
    let mut bytes = Vec::new();
    // the writer buffers, and hands everything to the vector when it is dropped; a vector takes what it is given
    let mut writer = GGufWriter::new(&mut bytes);
    let counts = GGufFileHeader::new(3, tensors.len() as u64, entries.len() as u64);
    let written = (|| {
        writer.write_header(counts)?;
        for (key, entry) in &entries {
            writer.write_str(key)?;
            writer.write_data(entry)?;
        }
        let mut offset = 0;
        for planned in tensors {
            writer.write_str(planned.tensor.name())?;
            writer.write(&[planned.tensor.dims().len() as u32])?;
            writer.write(planned.tensor.dims())?;
            writer.write(&[planned.ty.code()])?;
            writer.write(&[offset])?;
            offset += planned.bytes().next_multiple_of(alignment);
        }
        writer.write_padding(alignment as usize)
    })();
    written.map_err(|source| Error::Io { path: file.path().to_owned(), source })?;
    drop(writer);
    Ok(bytes)
}

/// Keys in their order, with type and value as they stand in a file.
fn entries(metadata: &Metadata, file_type: u32) -> Result<Vec<(&str, Vec<u8>)>, Error> {
    let mut changed = BTreeMap::from([
        ("general.file_type", file_type),
        ("general.quantization_version", QUANTIZATION_VERSION),
    ]);
    let mut entries = Vec::with_capacity(metadata.len() + changed.len());
    for (key, value) in metadata.iter().filter(|(key, _)| !SPLIT_KEYS.contains(key)) {
        let value = changed.remove(key).map_or(value, Value::U32);
        entries.push((key, entry(metadata, key, &value)?));
    }
    let added = changed
        .into_iter()
        .map(|(key, value)| (key, [(ValueType::U32 as u32).to_le_bytes(), value.to_le_bytes()].concat()));
    entries.extend(added);
    Ok(entries)
}

/// Type and value. A string that is not UTF-8 reads as an array of bytes, and is written as it was.
fn entry(metadata: &Metadata, key: &str, value: &Value<'_>) -> Result<Vec<u8>, Error> {
    let is_text = |error: &gguf::Error| matches!(error.kind(), ErrorKind::ValueUtf8 { .. });
    let mut bytes = Vec::new();
    match value {
        Value::Array(array) if metadata.str(key).is_err_and(|error| is_text(&error)) => {
            bytes.extend((ValueType::Str as u32).to_le_bytes());
            bytes.extend((array.len() as u64).to_le_bytes());
            array.iter().try_for_each(|byte| put(&mut bytes, &byte?))?;
        }
        value => {
            bytes.extend((value.value_type() as u32).to_le_bytes());
            put(&mut bytes, value)?;
        }
    }
    Ok(bytes)
}

/// Appends a value as it stands in a file of version 3.
fn put(out: &mut Vec<u8>, value: &Value<'_>) -> Result<(), Error> {
    match value {
        Value::U8(x) => out.push(*x),
        Value::I8(x) => out.extend(x.to_le_bytes()),
        Value::U16(x) => out.extend(x.to_le_bytes()),
        Value::I16(x) => out.extend(x.to_le_bytes()),
        Value::U32(x) => out.extend(x.to_le_bytes()),
        Value::I32(x) => out.extend(x.to_le_bytes()),
        Value::F32(x) => out.extend(x.to_le_bytes()),
        Value::Bool(x) => out.push(u8::from(*x)),
        Value::Str(text) => put_string(out, text.as_bytes()),
        Value::U64(x) => out.extend(x.to_le_bytes()),
        Value::I64(x) => out.extend(x.to_le_bytes()),
        Value::F64(x) => out.extend(x.to_le_bytes()),
        Value::Array(array) => put_array(out, array)?,
    }
    Ok(())
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text);
}

fn put_array(out: &mut Vec<u8>, array: &Array<'_>) -> Result<(), Error> {
    out.extend((array.element_type() as u32).to_le_bytes());
    out.extend((array.len() as u64).to_le_bytes());
    if array.element_type() == ValueType::Str {
        // tokens need not be UTF-8
        for text in array.strs()? {
            put_string(out, text?);
        }
        return Ok(());
    }
    for value in array.iter() {
        put(out, &value?)?;
    }
    Ok(())
}
