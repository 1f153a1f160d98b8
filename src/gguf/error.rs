//! Every way in which a model file can be bad, and what to try.
//!
//! A message reads: file: what is wrong, found X, expected Y. Try Z.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::cursor::ByteOrder;
use super::types::GgmlType;
use super::value::ValueType;

/// A model file that could not be opened or is not valid, or a metadata value that is not what was asked for.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    kind: ErrorKind,
}

impl Error {
    pub(super) fn new(file: &Path, kind: ErrorKind) -> Error {
        Error(Box::new(Inner { file: file.to_path_buf(), kind }))
    }

    /// The file that is meant; of a split model, the part.
    pub fn file(&self) -> &Path {
        &self.0.file
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Whether the file could not be had at all (missing, not readable, not a file), rather than being damaged or unsuitable.
    pub fn is_io(&self) -> bool {
        use ErrorKind::{Io, NoMemory, NotAFile, SplitPartMissing};
        matches!(self.kind(), Io { .. } | NoMemory { .. } | NotAFile | SplitPartMissing { .. })
    }

    /// Whether the system has no memory or no address space for the file.
    pub fn is_memory(&self) -> bool {
        matches!(self.kind(), ErrorKind::NoMemory { .. } | ErrorKind::FileTooLarge { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.file().display(), self.kind(), self.kind().hint())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(self.kind())
    }
}

/// A name from a file, for a message: in quotes, control characters escaped, and not longer than a line.
pub(super) fn quoted(name: &str) -> String {
    match name.char_indices().nth(80) {
        Some((end, _)) => format!("{:?}...", name.get(..end).unwrap_or(name)),
        None => format!("{name:?}"),
    }
}

/// What is wrong with a file. Names of keys and tensors stand in quotes, as messages show them.
#[allow(missing_docs)] // the fields are what the message beside each variant says
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused.
    #[error("cannot be read: {source}")]
    Io { source: io::Error },
    /// No memory, or no address space.
    #[error("the system refuses {needed} bytes for it")]
    NoMemory { needed: usize },
    /// A folder, a pipe or a device.
    #[error("is not a regular file")]
    NotAFile,
    /// More bytes than a program can have in one piece: half of its addresses.
    #[error(
        "{found} bytes are more than the {} that a {}-bit program can have of one file",
        isize::MAX,
        usize::BITS
    )]
    FileTooLarge { found: u64 },

    /// Another magic.
    #[error("not a GGUF file: begins with \"{found}\", expected \"GGUF\"; it looks like {looks_like}")]
    NotGguf { found: String, looks_like: &'static str },
    /// A version from the future, or garbage.
    #[error("GGUF version {found}, expected 1, 2 or 3")]
    Version { found: u32 },
    /// The file ends inside the header.
    #[error("the file ends inside {place}: {needed} bytes needed at offset {offset}, {left} left")]
    Truncated { place: String, offset: u64, needed: u64, left: u64 },
    /// A string that would pass the end of the file.
    #[error("{place} is a string of {found} bytes, but {left} bytes are left in the file")]
    StringLength { place: String, found: u64, left: u64 },
    /// The file ends inside the header, of which alone is asked.
    #[error("the file has no more than a part of its header: found {found} bytes, expected more")]
    HeaderCutOff { found: usize },

    /// More keys than fit in the file, or than any model has.
    #[error("the header claims {found} keys, expected at most {limit} in a file of this size")]
    KeyCount { found: u64, limit: u64 },
    /// A key longer than 64 KiB.
    #[error("key {index} has a name of {found} bytes, expected at most {limit}")]
    KeyLength { index: u64, found: u64, limit: u64 },
    /// A key that is not text.
    #[error("the name of key {index} is not UTF-8: found \"{found}\"")]
    KeyUtf8 { index: u64, found: String },
    /// The same key twice.
    #[error("key {key} appears twice, expected once")]
    DuplicateKey { key: String },
    /// An unknown type of value.
    #[error("key {key} has value type {found}, expected 0 to 12")]
    ValueType { key: String, found: u32 },
    /// An unknown type of array elements.
    #[error("the array in key {key} has element type {found}, expected 0 to 12")]
    ArrayElementType { key: String, found: u32 },
    /// An array that would pass the end of the file.
    #[error(
        "the array in key {key} has {found} elements of type {element}, but {left} bytes are left in the file"
    )]
    ArrayLength { key: String, found: u64, element: ValueType, left: u64 },
    /// Arrays in arrays in arrays.
    #[error("the arrays in key {key} are nested more than {limit} deep")]
    ArrayDepth { key: String, limit: u32 },
    /// A bool that is neither 0 nor 1.
    #[error("key {key} holds a bool of value {found}, expected 0 or 1")]
    BoolValue { key: String, found: u8 },
    /// `general.alignment` of another type than u32.
    #[error("key \"general.alignment\" is of type {found}, expected u32")]
    AlignmentType { found: ValueType },
    /// `general.alignment` that cannot be one.
    #[error("key \"general.alignment\" is {found}, expected a power of two of at most {limit}")]
    AlignmentValue { found: u32, limit: u32 },

    /// More tensors than fit in the file, or than any model has.
    #[error("the header claims {found} tensors, expected at most {limit} in a file of this size")]
    TensorCount { found: u64, limit: u64 },
    /// A tensor name longer than 64 KiB.
    #[error("tensor {index} has a name of {found} bytes, expected at most {limit}")]
    TensorNameLength { index: u64, found: u64, limit: u64 },
    /// A tensor name that is not text.
    #[error("the name of tensor {index} is not UTF-8: found \"{found}\"")]
    TensorNameUtf8 { index: u64, found: String },
    /// The same tensor twice.
    #[error("tensor {tensor} appears twice, expected once")]
    DuplicateTensor { tensor: String },
    /// No dims, or more than four.
    #[error("tensor {tensor} has {found} dimensions, expected 1 to 4")]
    TensorDims { tensor: String, found: u32 },
    /// A dim of 0.
    #[error("tensor {tensor} has the shape {dims:?}, expected no dimension to be 0")]
    EmptyDim { tensor: String, dims: [u64; 4] },
    /// An unknown tensor type.
    #[error("tensor {tensor} has the unknown type code {code}, expected a ggml type up to {}", GgmlType::Q2_0.code())]
    TensorType { tensor: String, code: u32 },
    /// A tensor type that ggml no longer has.
    #[error("tensor {tensor} has type code {code}, which was {name} until ggml removed it")]
    RemovedTensorType { tensor: String, code: u32, name: &'static str },
    /// A size beyond 64 bits.
    #[error("tensor {tensor} has the shape {dims:?}, which is more than 2^64 elements or bytes")]
    TensorSize { tensor: String, dims: [u64; 4] },
    /// Rows that end inside a block.
    #[error("tensor {tensor} has rows of {found} elements, expected a multiple of {block} for type {ty}")]
    RowLength { tensor: String, ty: GgmlType, found: u64, block: u64 },
    /// Data that begins between two multiples of the alignment.
    #[error("tensor {tensor} begins at offset {found}, expected a multiple of {alignment}")]
    TensorOffset { tensor: String, found: u64, alignment: u64 },
    /// Data that passes the end of the file.
    #[error("tensor {tensor} takes {bytes} bytes at offset {start}, but the file ends at {file_bytes}")]
    TensorOutOfBounds { tensor: String, start: u128, bytes: u64, file_bytes: u64 },
    /// Two tensors in the same place.
    #[error("tensors {tensor} and {other} overlap, expected each to have its own bytes")]
    TensorOverlap { tensor: String, other: String },

    /// A neighbour is not there.
    #[error("part {no} of {count} of a split model is missing")]
    SplitPartMissing { no: u32, count: u32 },
    /// A part under a name that does not tell where the others are.
    #[error("holds part {no} of {count} of a split model, but its name does not say so")]
    SplitName { no: u64, count: u64 },
    /// The name says split, the metadata does not.
    #[error("its name says that it is part of a split model, but key \"{key}\" is missing")]
    SplitKeyMissing { key: &'static str },
    /// Name and metadata disagree about which part of how many this is.
    #[error("key \"{key}\" is {found}, expected {expected} from the file name")]
    SplitMismatch { key: &'static str, found: u64, expected: u64 },
    /// The parts together hold another number of tensors than the first one says.
    #[error("all parts together hold {found} tensors, expected {expected}")]
    SplitTensors { found: u64, expected: u64 },
    /// Parts of both byte orders.
    #[error("this part is {found}, expected {expected} as the first part")]
    SplitByteOrder { found: ByteOrder, expected: ByteOrder },

    /// A value of another type than asked for.
    #[error("key {key} is of type {found}, expected {expected}")]
    WrongType { key: String, found: String, expected: &'static str },
    /// An integer that does not fit.
    #[error("key {key} holds {found}, expected a value that fits in {expected}")]
    ValueRange { key: String, found: i128, expected: &'static str },
    /// A string that is not text; `index` is its place in an array.
    #[error("key {key} holds a string that is not UTF-8{}", index.map(|i| format!(" (element {i})")).unwrap_or_default())]
    ValueUtf8 { key: String, index: Option<u64> },
    /// A key that is needed.
    #[error("key {key} is missing")]
    MissingKey { key: String },
    /// The file changed between open and read.
    #[error("key {key} is no longer what it was when the file was opened")]
    Changed { key: String },
    /// Weights in the other byte order.
    #[error("the file is {found}, expected {} to run on this machine", ByteOrder::NATIVE)]
    ForeignByteOrder { found: ByteOrder },
}

impl ErrorKind {
    /// What the user can do about it: one sentence.
    fn hint(&self) -> &'static str {
        use ErrorKind::*;
        match self {
            Io { .. } => "Try checking the path and its permissions",
            NoMemory { .. } => {
                "Try a smaller model, or a higher limit: a mapped file counts as address space (ulimit -v)"
            }
            NotAFile => "Try the path of a .gguf file",
            FileTooLarge { .. } => {
                "Try a smaller model or format, the same one split into smaller files (gguf-split), or a 64-bit system"
            }
            NotGguf { .. } => "Try a model file in the GGUF format, or download it again",
            Version { .. } => "Try a newer siskin if the file is newer than it, or download the file again",
            Truncated { .. } | StringLength { .. } | TensorOutOfBounds { .. } => {
                "Try comparing its size with the original and downloading it again: it seems cut off or damaged"
            }
            HeaderCutOff { .. } => "Try again when more of it is there, or download it again if that was all",
            TensorType { .. } => {
                "Try a newer siskin, or a file quantized to a common type such as Q4_K_M or Q8_0"
            }
            RemovedTensorType { .. } => {
                "Try a file quantized to a type that still exists, such as Q4_0 or Q4_K_M"
            }
            SplitPartMissing { .. } => "Try putting all parts into one folder under their original names",
            SplitName { .. } => "Try giving all parts their original names, NAME-00001-of-0000N.gguf",
            SplitKeyMissing { .. } => "Try renaming it if it is a whole model, or fetching all parts again",
            SplitMismatch { .. } | SplitTensors { .. } | SplitByteOrder { .. } => {
                "Try fetching all parts again, from one source"
            }
            Changed { .. } => "Try again once nothing writes to the file",
            ForeignByteOrder { .. } => {
                "Try converting it with gguf-convert-endian, or a file made for this machine"
            }
            WrongType { .. } | ValueRange { .. } | ValueUtf8 { .. } | MissingKey { .. } => {
                "Try a file made by a current converter"
            }
            _ => "Try downloading it again, or a file from another converter: its header is damaged",
        }
    }
}
