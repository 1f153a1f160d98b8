//! Where the bytes of a model live: mapped, read into memory, or part of the program.
//!
//! `reader.rs` and `split.rs` make a [`Source`]; everybody may hold [`Bytes`].

use std::fs::File;
use std::io::{self, Read};
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use memmap2::{Mmap, MmapMut, MmapOptions};

use super::error::{Error, ErrorKind};
use super::fault::Listed;

/// One file of a model: its name for messages, and its bytes. The length never changes.
pub(super) struct Source {
    path: PathBuf,
    /// Of a mapped file. Before `backing`, so that it goes before the mapping does.
    _listed: Option<Listed>,
    backing: Backing,
}

enum Backing {
    Mapped(Mmap),
    /// Pages that no file stands behind.
    Anonymous(Mmap),
    Owned(Vec<u8>),
    Static(&'static [u8]),
}

impl Source {
    /// Maps a file, read-only.
    pub(super) fn map(path: &Path) -> Result<Source, Error> {
        Source::load(path, Backing::Mapped, |file, _| {
            // SAFETY: the map is private to this value, read-only, and unmapped only when the last `Arc<Source>` goes. What no
            // program can rule out is another process that changes the file meanwhile. Changed bytes are harmless here: they are
            // only ever read as integers, every length and range was copied out at open, and later reads are bounds-checked. A
            // shortened file raises SIGBUS on access, which `fault.rs` can turn into an orderly end.
            unsafe { Mmap::map(file) }
        })
    }

    /// Reads a file into page-aligned memory of its own.
    pub(super) fn read(path: &Path) -> Result<Source, Error> {
        Source::load(path, Backing::Anonymous, |mut file, len| {
            let mut memory = MmapMut::map_anon(len)?;
            ask_for_huge_pages(&memory);
            file.read_exact(&mut memory)?;
            memory.make_read_only()
        })
    }

    fn load(
        path: &Path,
        backing: impl Fn(Mmap) -> Backing,
        fill: impl Fn(&File, usize) -> io::Result<Mmap>,
    ) -> Result<Source, Error> {
        let fail = |kind| Error::new(path, kind);
        let io = |source| Error::new(path, ErrorKind::Io { source });
        // asked before opening: opening a named pipe would wait for its writer
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(fail(ErrorKind::NotAFile));
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let len = usize::try_from(len).map_err(|_| fail(ErrorKind::FileTooLarge { found: len }))?;
        // an empty file cannot be mapped; the reader says what is wrong with it
        let filled = |source: io::Error| match source.kind() {
            io::ErrorKind::OutOfMemory => fail(ErrorKind::NoMemory { needed: len }),
            _ => io(source),
        };
        let backing =
            if len == 0 { Backing::Static(&[]) } else { backing(fill(&file, len).map_err(filled)?) };
        Ok(Source::new(path.to_path_buf(), backing))
    }

    fn new(path: PathBuf, backing: Backing) -> Source {
        let listed = match &backing {
            Backing::Mapped(map) => Some(Listed::new(&path, map)),
            _ => None,
        };
        Source { path, _listed: listed, backing }
    }

    pub(super) fn from_static(bytes: &'static [u8]) -> Source {
        Source::new(PathBuf::from("built-in model"), Backing::Static(bytes))
    }

    pub(super) fn from_vec(bytes: Vec<u8>) -> Source {
        Source::new(PathBuf::from("model in memory"), Backing::Owned(bytes))
    }

    /// The first bytes of a file that is `len` bytes long; the rest reads as zeros, which take no memory.
    pub(super) fn prefix(path: &Path, prefix: &[u8], len: u64) -> Result<Source, Error> {
        let fail = |kind| Error::new(path, kind);
        let len = usize::try_from(len).map_err(|_| fail(ErrorKind::FileTooLarge { found: len }))?;
        let map = || -> io::Result<Mmap> {
            let mut memory = MmapOptions::new().len(len).no_reserve_swap().map_anon()?;
            let filled = prefix.len().min(len);
            memory[..filled].copy_from_slice(&prefix[..filled]);
            memory.make_read_only()
        };
        let backing = if len == 0 {
            Backing::Static(&[])
        } else {
            Backing::Anonymous(map().map_err(|source| match source.kind() {
                io::ErrorKind::OutOfMemory => fail(ErrorKind::NoMemory { needed: len }),
                _ => fail(ErrorKind::Io { source }),
            })?)
        };
        Ok(Source::new(path.to_path_buf(), backing))
    }

    /// The header of a file and nothing else of it: the data of tensors reads as zeros, and is as long as the header says even if the file is not.
    pub(super) fn header(path: &Path) -> Result<Source, Error> {
        let file = Source::map(path)?;
        let (header, whole) = super::reader::extent(path, file.bytes())?;
        let bytes = file.bytes();
        Source::prefix(path, bytes.get(..header).unwrap_or(bytes), whole.max(bytes.len() as u64))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match &self.backing {
            Backing::Mapped(map) | Backing::Anonymous(map) => map,
            Backing::Owned(bytes) => bytes,
            Backing::Static(bytes) => bytes,
        }
    }
}

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
        source.bytes().get(range.clone())?;
        Some(Bytes { source: Arc::clone(source), range })
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
        let Backing::Mapped(map) = &self.source.backing else { return };
        if start < end && !populate(map, self.range.start + start, end - start) {
            // Nothing is smaller than these pages, and reading more often than needed costs nothing beside a fault.
            let touched = self.iter().take(end).skip(start).step_by(4096).fold(0, |all, byte| all ^ byte);
            std::hint::black_box(touched);
        }
    }
}

impl Bytes {
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
        let Backing::Mapped(map) = &self.source.backing else { return };
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

/// Locks the pages that bytes lie in.
#[cfg(target_os = "linux")]
fn lock(bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the range is that of a slice, so it is mapped; locking moves and changes nothing. It ends with the mapping at the latest.
    Ok(unsafe { rustix::mm::mlock(bytes.as_ptr().cast_mut().cast(), bytes.len()) }?)
}

#[cfg(not(target_os = "linux"))]
fn lock(_bytes: &[u8]) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Asks for memory in huge pages: a tenth faster to decode from (TinyLlama 1.1B), and sooner filled.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages(memory: &MmapMut) {
    if let Err(error) = memory.advise(memmap2::Advice::HugePage) {
        log::debug!("{} bytes stay in small pages: {error}", memory.len());
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_for_huge_pages(_memory: &MmapMut) {}

/// Unmaps pages that a file stands behind, as Linux does at once.
#[cfg(target_os = "linux")]
fn forget(map: &Mmap, offset: usize, len: usize) {
    // SAFETY: the map is of a file and read-only, so its pages hold what the file holds and the next access reads them from there: for whoever
    // holds a slice of them nothing changes. Pages around the range may go too, which is as harmless.
    let outcome = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, len) };
    if let Err(error) = outcome {
        log::debug!("{len} bytes stay mapped: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
fn forget(_map: &Mmap, _offset: usize, _len: usize) {}

/// Asks the system for pages, as Linux does since 5.14; whether it did.
#[cfg(target_os = "linux")]
fn populate(map: &Mmap, offset: usize, len: usize) -> bool {
    map.advise_range(memmap2::Advice::PopulateRead, offset, len).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn populate(_map: &Mmap, _offset: usize, _len: usize) -> bool {
    false
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // cannot miss: `new` looked this range up in the same source, whose length is fixed
        self.source.bytes().get(self.range.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bytes({:?} of {})", self.range, self.source.path.display())
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}
