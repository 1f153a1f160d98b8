//! The data of one tensor: a part of a [`Source`] that keeps the file open.

use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use super::error::Error;
use super::map::{Source, forget, in_memory, lock, populate};

/// The data of one tensor, where it lies in the file. Cloning copies a pointer; the file stays mapped while one clone lives.
///
/// The start is aligned to `general.alignment` bytes when the model is mapped or read from a file; a model in memory or built
/// in promises no alignment.
#[derive(Clone)]
pub struct Bytes {
    source: Arc<Source>,
    range: Range<usize>,
}

impl Bytes {
    /// `range` of `source`; `None` when it does not lie inside.
    pub(super) fn new(source: &Arc<Source>, range: Range<usize>) -> Option<Bytes> {
        (range.start <= range.end && range.end <= source.len())
            .then(|| Bytes { source: Arc::clone(source), range })
    }

    /// A part of the data; `None` when it does not lie inside.
    pub fn part(&self, range: Range<usize>) -> Option<Bytes> {
        self.get(range.clone())?;
        let start = self.range.start;
        Some(Bytes { source: Arc::clone(&self.source), range: start + range.start..start + range.end })
    }

    pub(super) fn source(&self) -> &Source {
        &self.source
    }

    /// Offset of the first byte from the beginning of its file.
    pub(super) fn start(&self) -> usize {
        self.range.start
    }
}

impl Bytes {
    /// Makes the pages of `range` resident and maps them into this process, so that the first access is not a fault. A range that
    /// leaves the tensor is cut; a model that is not mapped has nothing to do.
    pub fn prefault(&self, range: Range<usize>) {
        let (start, end) = (range.start.min(self.range.len()), range.end.min(self.range.len()));
        let Some(map) = self.source.mapped() else { return };
        if start < end && !populate(map, self.range.start + start, end - start) {
            // Nothing is smaller than these pages, and reading more often than needed costs nothing beside a fault.
            let touched = self.iter().take(end).skip(start).step_by(4096).fold(0, |all, byte| all ^ byte);
            std::hint::black_box(touched);
        }
    }
}

impl Bytes {
    /// Whether the page of the byte `at` is in memory, so that its first access reads nothing from disk. True of what is not mapped, and where
    /// the system does not say: behind the last byte, on systems other than Linux, of files that this user may not write.
    pub fn is_in_memory(&self, at: usize) -> bool {
        let map = self.source.mapped().filter(|_| at < self.range.len());
        map.is_none_or(|map| in_memory(map, self.range.start + at))
    }

    /// Maps a whole file, also one that is no model.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub fn map(path: &Path) -> Result<Bytes, Error> {
        let source = Arc::new(Source::map(path)?);
        let range = 0..source.bytes().len();
        Ok(Bytes { source, range })
    }

    /// Lets go of the pages of `range`, for those who go through a file once: this process no longer counts as their user. What is needed again is
    /// mapped again. A range that leaves the tensor is cut; a model that is not mapped has nothing to do.
    pub fn release(&self, range: Range<usize>) {
        let (start, end) = (range.start.min(self.range.len()), range.end.min(self.range.len()));
        let Some(map) = self.source.mapped() else { return };
        if start < end {
            forget(map, self.range.start + start, end - start);
        }
    }
}

impl Bytes {
    /// Reads the pages of `range` and keeps them in memory as long as the model is open, whatever else happens. A range that leaves the tensor is cut.
    ///
    /// # Errors
    /// When the system does not let so much be locked (`ulimit -l`), or has not that much, or cannot lock at all.
    pub fn lock(&self, range: Range<usize>) -> io::Result<()> {
        let (start, end) = (range.start.min(self.range.len()), range.end.min(self.range.len()));
        lock(self.get(start..end).unwrap_or_default())
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // cannot miss: `new` looked this range up in the same source, whose length is fixed
        self.source.get(self.range.clone()).unwrap_or_default()
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({:?} of {})", self.range, self.source.path().display())
    }
}
