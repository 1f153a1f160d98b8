//! Everything that can keep a model from being quantized, and what to try.

use crate::gguf::{self, GgmlType};
use siskin_simd::Format;
use std::io;
use std::path::PathBuf;

/// Why a model was not quantized.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be used at all.
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
    /// There are no weights, as in a file that has only a vocabulary.
    #[error("{}: no tensor in it. Try the file of a whole model", path.display())]
    NoTensors {
        /// The file.
        path: PathBuf,
    },
    /// The weights are quantized already, and rounding them again would add to what was lost.
    #[error(
        "{}: tensor \"{tensor}\" is {found}, expected F32, F16 or BF16. Try the file that this one was quantized from", path.display()
    )]
    AlreadyQuantized {
        /// The file.
        path: PathBuf,
        /// The first such tensor.
        tensor: String,
        /// Its type.
        found: GgmlType,
    },
    /// A weight that is no number.
    #[error(
        "tensor \"{tensor}\", row {row}: a weight is not a number or infinite. Try making the file again: it is damaged"
    )]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// The first such row.
        row: u64,
    },
    /// A weight beyond the range of f16, in which all formats but BF16 and F32 store weights or scales.
    #[error("tensor \"{tensor}\", row {row}: a weight is beyond 65504, more than {} is made for. Try BF16", format.name())]
    TooLarge {
        /// The tensor.
        tensor: String,
        /// The first such row.
        row: u64,
        /// The format that it should have had.
        format: Format,
    },
    /// The output is the input.
    #[error("{}: is the input, which is never overwritten. Try another name", path.display())]
    SameFile {
        /// The file.
        path: PathBuf,
    },
    /// There is no room for the output.
    #[error("{}: no room for {needed} bytes on its disk. Try freeing space, or another disk", path.display())]
    DiskFull {
        /// The output.
        path: PathBuf,
        /// Its size.
        needed: u64,
    },
    /// The output cannot be written.
    #[error("{}: cannot be written: {source}", path.display())]
    Io {
        /// The output.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The caller did not want it any more.
    #[error("interrupted")]
    Cancelled,
}
