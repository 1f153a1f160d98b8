//! Why a stored cache is not used.

/// Why a stored cache is not used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Some other file.
    #[error("it is no prompt cache")]
    NoCache,
    /// A format of another time.
    #[error("its format is version {found}, expected {expected}")]
    Version {
        /// Of the file.
        found: u32,
        /// Of this program.
        expected: u32,
    },
    /// The file ends early, or goes on after its end.
    #[error("it has {found} bytes, expected {expected}")]
    Length {
        /// Bytes there are.
        found: u64,
        /// Bytes that its header says.
        expected: u64,
    },
    /// A part does not have its checksum.
    #[error("its {part} is damaged")]
    Damaged {
        /// `header` or `data`.
        part: &'static str,
    },
    /// Made with another model.
    #[error("it is of another model")]
    Model,
    /// Made by a program that rounds differently.
    #[error("it was made by {found}, expected {expected}")]
    Program {
        /// What made it.
        found: String,
        /// What would read it.
        expected: String,
    },
    /// Keys and values are stored in another way.
    #[error("its keys and values are {found}, expected {expected}")]
    KvType {
        /// How they are stored.
        found: String,
        /// How the cache stores them.
        expected: &'static str,
    },
    /// Layers of another shape.
    #[error("its layers are of another shape")]
    Shape,
    /// A number in the header makes no sense.
    #[error("its {name} is {found}, expected {expected}")]
    Number {
        /// What it counts.
        name: &'static str,
        /// The number.
        found: u64,
        /// What would do.
        expected: String,
    },
}
