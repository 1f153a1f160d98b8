//! The first positions of a trunk where a file has them: read there, not copied to the ring. For the cache and `stored.rs`.
//!
//! The ring's slots of these positions stay reserved and are never written, so that the system has no memory behind them: room for a whole
//! cache is allocated as zeros, which cost nothing before they are touched.

use std::fmt;
use std::sync::Arc;

/// Bytes that several may hold and nobody changes, such as a mapped file.
pub type Shared = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// The positions before `end`, as far as layers hold them.
pub(super) struct Prefix {
    bytes: Shared,
    pub end: usize,
}

impl Prefix {
    pub fn new(bytes: Shared, end: usize) -> Prefix {
        Prefix { bytes, end }
    }

    /// All of the file.
    pub fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({} positions in {} bytes)", self.end, self.bytes().len())
    }
}
