//! The key-value cache: [`ring`] knows which slot holds which position, [`branches`] which sequences have what in common, [`extents`] which part
//! of the space each has, and none knows anything else; [`shape`] says how much there is; [`cache`] holds the bytes, or knows where a file has them;
//! [`mod@file`] is how they are kept for another run.

pub mod branches;
pub mod cache;
pub mod extents;
pub mod file;
pub mod ring;
pub mod shape;

pub use branches::Branches;
pub use cache::{Cache, Sequence, Shared};
pub use ring::Ring;
pub use shape::{HeadSize, KvType, UnknownKvType};
