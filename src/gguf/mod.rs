//! The GGUF file: mapped into memory, validated once at open, then trusted.
//!
//! Anybody may read through [`Gguf`]; nobody else sees an offset or parses a byte of the header. The rooms inside:
//!
//! | file | what lives there |
//! |---|---|
//! | `map.rs`, `bytes.rs` | the mapping; [`Bytes`], which are a part of it |
//! | `fault.rs` | the end of a process whose mapped file is shortened |
//! | `cursor.rs` | bounds-checked reading of integers and strings in either byte order |
//! | `reader.rs` | the header from first byte to last: magic, version, counts, entries |
//! | `value.rs`, `array.rs`, `metadata.rs` | metadata values, arrays and typed getters |
//! | `types.rs`, `tensors.rs` | tensor types, and the validated tensor table |
//! | `split.rs` | models split over several files |
//! | `error.rs` | one variant for each way a file can be bad |
//!
//! # The format
//!
//! ```text
//! "GGUF"  version u32
//! tensor count, key count                           u64 each (u32 in version 1)
//! for each key:     name string, type u32, value
//! for each tensor:  name string, n_dims u32, dims, type u32, offset u64
//! padding to a multiple of general.alignment (32 unless the key says otherwise)
//! tensor data; every offset counts from here
//! ```
//!
//! A string is a length in bytes and the bytes, without a terminator. An array is an element type (u32), a count, and the
//! elements; arrays may nest. Lengths, counts and dims are u64, but u32 in version 1. All integers have one byte order, the one in
//! which the version reads as 1, 2 or 3. Dims stand fastest first: `dims[0]` is the number of columns of a matrix.
//!
//! # What is promised
//!
//! A file is hostile until proven: lengths are compared with the bytes that are left before anything is allocated, sums and
//! products are checked, type codes go through a `match`. Memory taken at open grows with the entries really present in the
//! header, never with a count that the file merely claims. After [`Gguf::open`] returned, every tensor lies inside its file,
//! and no getter panics.

mod array;
mod bytes;
mod cursor;
mod error;
#[allow(unsafe_code)]
mod fault;
#[allow(unsafe_code)]
mod map;
mod metadata;
mod reader;
mod split;
mod tensors;
mod types;
mod value;

use std::path::{Path, PathBuf};

pub use array::Array;
pub use bytes::Bytes;
pub use cursor::ByteOrder;
pub use error::{Error, ErrorKind};
pub use fault::exit_on_lost_page;
pub use metadata::Metadata;
pub use tensors::TensorInfo;
pub use types::GgmlType;
pub use value::{Value, ValueType};

use map::Source;

/// One model: one GGUF file, or all the files of a split one.
///
/// Cheap to keep: the header is a table of ranges into the mapped file. Metadata strings and tensor data stay where they are.
///
/// ```
/// use siskin::gguf::Gguf;
///
/// let empty = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"; // version 3, no tensors, no keys
/// let model = Gguf::from_static(empty)?;
/// assert_eq!(model.version(), 3);
/// assert_eq!(model.metadata().str("general.architecture")?, None);
/// # Ok::<(), siskin::gguf::Error>(())
/// ```
#[derive(Debug)]
pub struct Gguf {
    path: PathBuf,
    version: u32,
    byte_order: ByteOrder,
    file_bytes: u64,
    metadata: Metadata,
    tensors: Vec<TensorInfo>,
    by_name: Vec<u32>,
}

impl Gguf {
    /// Maps the model at `path` and validates its header.
    ///
    /// If the file is a part of a split model (`NAME-00001-of-00003.gguf`, any part), all parts are opened from the same folder.
    /// The file is opened read-only and its tensors are not read, so this takes milliseconds whatever the size.
    ///
    /// If another process shortens a mapped file, touching the lost pages raises `SIGBUS`, which ends the process: no check
    /// at open can prevent that. [`exit_on_lost_page`] makes it an end with a message. Where files may change under a running program use
    /// [`Gguf::read`].
    ///
    /// # Errors
    /// When the file cannot be opened ([`Error::is_io`]), or is not a valid GGUF file: [`ErrorKind`] has a variant for each damage.
    pub fn open<P: AsRef<Path>>(path: P) -> Result<Gguf, Error> {
        split::open(path.as_ref(), |path| reader::read(Source::map(path)?))
    }

    /// Like [`Gguf::open`], but reads the whole file into memory instead of mapping it.
    ///
    /// # Errors
    /// As [`Gguf::open`]; also when the file shrinks while it is read, or the memory cannot be had.
    pub fn read<P: AsRef<Path>>(path: P) -> Result<Gguf, Error> {
        split::open(path.as_ref(), |path| reader::read(Source::read(path)?))
    }

    /// A model that is part of the program; errors name it "built-in model".
    ///
    /// # Errors
    /// When the bytes are not a valid GGUF file.
    pub fn from_static(bytes: &'static [u8]) -> Result<Gguf, Error> {
        split::single(reader::read(Source::from_static(bytes))?)
    }

    /// A model that was read or made in memory; errors name it "model in memory".
    ///
    /// # Errors
    /// When the bytes are not a valid GGUF file.
    pub fn from_vec(bytes: Vec<u8>) -> Result<Gguf, Error> {
        split::single(reader::read(Source::from_vec(bytes))?)
    }

    /// Validates the header of a model and touches nothing else of it: the data of tensors reads as zeros and takes no memory. Address space is taken for
    /// the header and the largest tensor. The file may be cut off anywhere behind its header, as one that is being downloaded. Of a split model all
    /// parts are looked at.
    ///
    /// # Errors
    /// As [`Gguf::open`], but for what is wrong with the data; [`ErrorKind::HeaderCutOff`] if not even all of the header is there.
    pub fn open_header<P: AsRef<Path>>(path: P) -> Result<Gguf, Error> {
        split::open(path.as_ref(), reader::read_header)
    }

    /// Validates the header of a file of which only the first bytes are there, such as one that is being downloaded; `None` if the
    /// header is longer than these bytes. The data of tensors reads as zeros and takes no memory. A part of a split model is
    /// opened alone: its metadata are complete only in the first part, its tensors only in all of them.
    ///
    /// # Errors
    /// When no file of `file_bytes` bytes that begins like this is a valid GGUF file.
    pub fn from_prefix(path: &Path, prefix: &[u8], file_bytes: u64) -> Result<Option<Gguf>, Error> {
        let part = reader::read_prefix(path, prefix, file_bytes)?;
        part.map(|part| Gguf::join(part, Vec::new())).transpose()
    }

    /// As [`Gguf::from_prefix`], for all parts of a model in order: of each its path, its first bytes, and how long it is.
    ///
    /// # Errors
    /// As there.
    pub fn from_prefixes(parts: &[(&Path, &[u8], u64)]) -> Result<Option<Gguf>, Error> {
        let mut read = Vec::with_capacity(parts.len());
        for &(path, prefix, file_bytes) in parts {
            let Some(part) = reader::read_prefix(path, prefix, file_bytes)? else { return Ok(None) };
            read.push(part);
        }
        if read.is_empty() {
            return Ok(None);
        }
        let first = read.remove(0);
        Gguf::join(first, read).map(Some)
    }

    /// Joins validated parts; the first one gives path, version and metadata.
    fn join(first: reader::Part, rest: Vec<reader::Part>) -> Result<Gguf, Error> {
        let file_bytes = first.file_bytes() + rest.iter().map(reader::Part::file_bytes).sum::<u64>();
        let mut tensors = first.tensors;
        tensors.extend(rest.into_iter().flat_map(|part| part.tensors));
        Ok(Gguf {
            path: first.source.path().to_path_buf(),
            version: first.version,
            byte_order: first.metadata.byte_order(),
            file_bytes,
            metadata: first.metadata,
            by_name: tensors::index(&tensors)?,
            tensors,
        })
    }

    /// The metadata: of the first part, if the model is split.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Every tensor, in the order of the file (of the files, if split).
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// The tensor with this name.
    pub fn tensor(&self, name: &str) -> Option<&TensorInfo> {
        let compare = |&i: &u32| self.tensors.get(i as usize).map_or("", TensorInfo::name).cmp(name);
        let at = self.by_name.binary_search_by(compare).ok()?;
        self.tensors.get(*self.by_name.get(at)? as usize)
    }

    /// The data of a tensor, in the file's byte order: check [`Gguf::require_native`] before computing with it.
    pub fn bytes(&self, tensor: &TensorInfo) -> Bytes {
        tensor.data().clone()
    }

    /// The file that was opened (the first part, if split).
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// GGUF version: 1, 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The byte order of the file: of its header and of its tensor data.
    pub fn byte_order(&self) -> ByteOrder {
        self.byte_order
    }

    /// Size of the file in bytes, of all files if split.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Refuses a model whose tensor data has the other byte order than this machine.
    ///
    /// Such a file can be inspected, but nothing here swaps the bytes of its weights.
    ///
    /// # Errors
    /// [`ErrorKind::ForeignByteOrder`].
    pub fn require_native(&self) -> Result<(), Error> {
        if self.byte_order == ByteOrder::NATIVE {
            return Ok(());
        }
        Err(Error::new(&self.path, ErrorKind::ForeignByteOrder { found: self.byte_order }))
    }
}
