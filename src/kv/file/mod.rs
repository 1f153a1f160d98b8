//! What a cache holds, as a file: for sessions that begin where another one was. Bytes in, bytes out; `session` opens and writes files.
//!
//! `write.rs` writes, `head.rs` and `read.rs` read.
//!
//! # The format
//!
//! ```text
//! "siskinKV"  version u32 (2)
//! model u64                                          a fingerprint of it
//! program u32 + bytes                                what computed the rows: numbers differ between programs and instruction sets
//! layers u32, and for each:
//!     streams, kv_heads, head_dim u32, type 8 bytes, window u64 (2^64 - 1: none), state u64, first u64
//! tokens u64, batched u64, logits u64                counts
//! ids u32 each
//! checksum u64                                       of all before
//! for each layer:
//!     zeros up to a multiple of 64 bytes from the beginning of the file
//!     rows of positions first..tokens, [streams][kv_heads][positions][head_dim], in the layer's type
//!     state f32 each
//! logits f32 each
//! checksum u64                                       of all since the last one
//! ```
//!
//! Everything is little-endian and lies without other gaps, so that the length of a file follows from its header. Rows lie as a cache has them, and are used
//! where they lie: they begin at a cache line, though whoever reads them asks for no alignment. Checksums are XXH3, 64 bits: they find
//! damage, not malice. The type of a layer is the name of a [`KvType`](super::KvType), with zeros behind it. `first` is the oldest position that a
//! layer still holds, for layers that see only a window. `batched` is the number of tokens at the beginning that were run in batches, not one by one,
//! which rounds differently.
//!
//! # What is promised
//!
//! A file is hostile until proven: every length is compared with the bytes that are there before it is used, sums and products are checked, and
//! nothing is allocated. Rows are used only if their checksum is right; what changes afterwards is read as other numbers, and never outside of the
//! file.

mod error;
mod head;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use error::Error;
pub use head::Origin;
pub use read::Stored;
pub use write::{Contents, write};

use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8; 8] = b"siskinKV";
const VERSION: u32 = 2;

/// Rows of a layer begin at a multiple of so many bytes.
const ALIGNMENT: usize = 64;

/// Bytes by which such a file is known.
pub const MAGIC_BYTES: usize = MAGIC.len();

/// Whether a file that begins like this is one of these, damaged or not.
pub fn is_cache(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC)
}

/// The checksum of some bytes.
pub fn checksum(bytes: &[u8]) -> u64 {
    let mut hash = Xxh3::new();
    hash.update(bytes);
    hash.digest()
}
