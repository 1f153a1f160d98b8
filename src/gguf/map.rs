//! Where the bytes of a model live: mapped, read into memory, or part of the program.
//!
//! `reader.rs` and `split.rs` make a [`Source`]; everybody may hold [`Bytes`](super::Bytes), which are a part of one.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use memmap2::{Mmap, MmapMut, MmapOptions};

use super::error::{Error, ErrorKind};
use super::fault::Listed;

/// One file of a model: its name for messages, and its bytes. The length never changes.
pub(super) struct Source {
    path: PathBuf,
    /// Of a mapped file. Before `backing`, so that it goes before the mapping does.
    _listed: Option<Listed>,
    backing: Backing,
    /// If there is a header and nothing else.
    header: Option<Header>,
}

enum Backing {
    Mapped(Mmap),
    /// Pages that no file stands behind.
    Anonymous(Mmap),
    Owned(Vec<u8>),
    Static(&'static [u8]),
}

impl Backing {
    fn bytes(&self) -> &[u8] {
        match self {
            Backing::Mapped(map) | Backing::Anonymous(map) => map,
            Backing::Owned(bytes) => bytes,
            Backing::Static(bytes) => bytes,
        }
    }
}

/// What stands for a file of which only the header is there.
struct Header {
    /// Bytes of the header.
    bytes: usize,
    /// What every tensor reads as: as long as the largest one.
    zeros: Option<Mmap>,
    /// Bytes of the file.
    len: usize,
}

impl Header {
    /// Zeros in place of what is behind the header.
    fn zeros(&self, range: Range<usize>) -> Option<&[u8]> {
        let len = range.end.checked_sub(range.start)?;
        if range.start < self.bytes || range.end > self.len {
            return None;
        }
        self.zeros.as_ref().map_or(&[][..], |zeros| zeros).get(..len)
    }
}

impl Source {
    /// Maps a file, read-only.
    pub(super) fn map(path: &Path) -> Result<Source, Error> {
        Source::load(path, Backing::Mapped, map).map(|(source, _)| source)
    }

    /// Maps the first bytes of a file, at most so many; and how many there are in all.
    pub(super) fn beginning(path: &Path, most: usize) -> Result<(Source, usize), Error> {
        Source::load(path, Backing::Mapped, |file, len| map(file, len.min(most)))
    }

    /// Reads a file into page-aligned memory of its own.
    pub(super) fn read(path: &Path) -> Result<Source, Error> {
        let read = Source::load(path, Backing::Anonymous, |mut file, len| {
            let mut memory = MmapMut::map_anon(len)?;
            ask_for_huge_pages(&memory);
            file.read_exact(&mut memory)?;
            memory.make_read_only()
        });
        read.map(|(source, _)| source)
    }

    /// The file, and how long it is.
    fn load(
        path: &Path,
        backing: impl Fn(Mmap) -> Backing,
        fill: impl Fn(&File, usize) -> io::Result<Mmap>,
    ) -> Result<(Source, usize), Error> {
        let fail = |kind| Error::new(path, kind);
        let io = |source| Error::new(path, ErrorKind::Io { source });
        // asked before opening: opening a named pipe would wait for its writer
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(fail(ErrorKind::NotAFile));
        }
        let file = File::open(path).map_err(io)?;
        let len = file.metadata().map_err(io)?.len();
        let len = addressable(len).map_err(fail)?;
        // an empty file cannot be mapped; the reader says what is wrong with it
        let backing = if len == 0 {
            Backing::Static(&[])
        } else {
            backing(fill(&file, len).map_err(|source| fail(refused(source, len)))?)
        };
        Ok((Source::new(path.to_path_buf(), backing), len))
    }

    fn new(path: PathBuf, backing: Backing) -> Source {
        let listed = match &backing {
            Backing::Mapped(map) => Some(Listed::new(&path, map)),
            _ => None,
        };
        Source { path, _listed: listed, backing, header: None }
    }

    pub(super) fn from_static(bytes: &'static [u8]) -> Source {
        Source::new(PathBuf::from("built-in model"), Backing::Static(bytes))
    }

    pub(super) fn from_vec(bytes: Vec<u8>) -> Source {
        Source::new(PathBuf::from("model in memory"), Backing::Owned(bytes))
    }

    /// A copy of the first bytes of a file.
    pub(super) fn copy(path: &Path, bytes: &[u8]) -> Source {
        Source::new(path.to_path_buf(), Backing::Owned(bytes.to_vec()))
    }

    /// The header, which is the first `bytes`, of a file that is `len` bytes long, and nothing else of it: everything behind reads as zeros, `most` of
    /// them at once.
    pub(super) fn into_header(self, bytes: usize, most: u64, len: u64) -> Result<Source, Error> {
        let fail = |kind| Error::new(&self.path, kind);
        let len = addressable(len).map_err(fail)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(len);
        let zeros =
            if most == 0 { None } else { Some(zeros(most).map_err(|error| fail(refused(error, most)))?) };
        Ok(Source { header: Some(Header { bytes, zeros, len }), ..self })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What is there of the file: all of it, or its header.
    pub(super) fn bytes(&self) -> &[u8] {
        let bytes = self.backing.bytes();
        self.header.as_ref().and_then(|header| bytes.get(..header.bytes)).unwrap_or(bytes)
    }

    /// Bytes of the file, whether they are there or not.
    pub(super) fn len(&self) -> usize {
        self.header.as_ref().map_or(self.backing.bytes().len(), |header| header.len)
    }

    /// A part of the file; `None` if it does not lie inside.
    pub(super) fn get(&self, range: Range<usize>) -> Option<&[u8]> {
        let there = self.bytes().get(range.clone());
        there.or_else(|| self.header.as_ref()?.zeros(range))
    }

    /// The mapping, if all of the file is mapped.
    pub(super) fn mapped(&self) -> Option<&Mmap> {
        match &self.backing {
            Backing::Mapped(map) if self.header.is_none() => Some(map),
            _ => None,
        }
    }
}

/// The length of a file, if all of it can be had in one piece: a slice has at most `isize::MAX` bytes, and so has a mapping.
fn addressable(len: u64) -> Result<usize, ErrorKind> {
    isize::try_from(len).map(isize::unsigned_abs).map_err(|_| ErrorKind::FileTooLarge { found: len })
}

/// Maps the first bytes of a file, read-only.
fn map(file: &File, len: usize) -> io::Result<Mmap> {
    // SAFETY: the map is private to its `Source`, read-only, and unmapped only when the last `Arc<Source>` goes. What no
    // program can rule out is another process that changes the file meanwhile. Changed bytes are harmless here: they are
    // only ever read as integers, every length and range was copied out at open, and later reads are bounds-checked. A
    // shortened file raises SIGBUS on access, which `fault.rs` can turn into an orderly end.
    unsafe { MmapOptions::new().len(len).map(file) }
}

/// So many zeros that take no memory: private pages that nobody may write to count neither as committed memory nor as data (`ulimit -d`).
fn zeros(len: usize) -> io::Result<Mmap> {
    match File::open("/dev/zero").and_then(|zero| map(&zero, len)) {
        // where there is no such device, or it cannot be mapped
        Err(_) => MmapOptions::new().len(len).no_reserve_swap().map_anon()?.make_read_only(),
        mapped => mapped,
    }
}

/// Why so many bytes of a file cannot be had.
fn refused(source: io::Error, needed: usize) -> ErrorKind {
    match source.kind() {
        io::ErrorKind::OutOfMemory => ErrorKind::NoMemory { needed },
        _ => ErrorKind::Io { source },
    }
}

/// Locks the pages that bytes lie in.
#[cfg(target_os = "linux")]
pub(super) fn lock(bytes: &[u8]) -> io::Result<()> {
    // SAFETY: the range is that of a slice, so it is mapped; locking moves and changes nothing. It ends with the mapping at the latest.
    Ok(unsafe { rustix::mm::mlock(bytes.as_ptr().cast_mut().cast(), bytes.len()) }?)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn lock(_bytes: &[u8]) -> io::Result<()> {
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
pub(super) fn forget(map: &Mmap, offset: usize, len: usize) {
    // SAFETY: the map is of a file and read-only, so its pages hold what the file holds and the next access reads them from there: for whoever
    // holds a slice of them nothing changes. Pages around the range may go too, which is as harmless.
    let outcome = unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, len) };
    if let Err(error) = outcome {
        log::debug!("{len} bytes stay mapped: {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn forget(_map: &Mmap, _offset: usize, _len: usize) {}

/// Whether the page of a byte is in memory, mapped or not. Of files that this user may not write Linux does not say, and they count as there.
#[cfg(target_os = "linux")]
pub(super) fn in_memory(map: &Mmap, offset: usize) -> bool {
    let mut state = 0;
    let byte = &raw const map[offset];
    let page = byte.map_addr(|address| address & !(rustix::param::page_size() - 1));
    // SAFETY: the page of a byte of a mapping is mapped, and `state` has room for what is said about one page.
    let failed = unsafe { libc::mincore(page.cast_mut().cast(), 1, &mut state) } != 0;
    failed || state & 1 == 1
}

#[cfg(not(target_os = "linux"))]
pub(super) fn in_memory(_map: &Mmap, _offset: usize) -> bool {
    true
}

/// Asks the system for pages, as Linux does since 5.14; whether it did.
#[cfg(target_os = "linux")]
pub(super) fn populate(map: &Mmap, offset: usize, len: usize) -> bool {
    map.advise_range(memmap2::Advice::PopulateRead, offset, len).is_ok()
}

#[cfg(not(target_os = "linux"))]
pub(super) fn populate(_map: &Mmap, _offset: usize, _len: usize) -> bool {
    false
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({})", self.path.display())
    }
}
