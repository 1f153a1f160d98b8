//! Reading integers and strings from untrusted bytes, in either byte order, without ever passing the end.
//!
//! Used by the header reader and by the arrays; nobody outside `gguf`.

use std::fmt;
use std::marker::PhantomData;

use super::error::ErrorKind;

/// The order of the bytes of an integer or float in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Least significant byte first: x86-64, nearly every ARM, and nearly every GGUF file.
    Little,
    /// Most significant byte first: s390x and some files made for it.
    Big,
}

impl ByteOrder {
    /// The byte order of this machine.
    pub const NATIVE: ByteOrder =
        if cfg!(target_endian = "big") { ByteOrder::Big } else { ByteOrder::Little };
}

impl fmt::Display for ByteOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ByteOrder::Little => "little-endian",
            ByteOrder::Big => "big-endian",
        })
    }
}

/// How integers stand in one file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) order: ByteOrder,
    /// Lengths and counts take 8 bytes; in version 1 they take 4.
    pub(super) wide: bool,
}

impl Layout {
    /// Bytes of a length or a count.
    pub(super) fn count_bytes(self) -> u64 {
        if self.wide { 8 } else { 4 }
    }
}

/// The bytes that are left to read, and how many there were; `E` is the byte order.
#[derive(Clone)]
pub(super) struct Cursor<'a, E> {
    rest: &'a [u8],
    len: usize,
    layout: Layout,
    order: PhantomData<E>,
}

/// A read that would pass the end.
#[derive(Debug)]
pub(super) struct Short {
    offset: u64,
    needed: u64,
    left: u64,
    string: bool,
}

impl Short {
    /// The error for a short read of `place`, such as "the value of key \"x\"".
    pub(super) fn within(self, place: impl fmt::Display) -> ErrorKind {
        let Short { offset, needed, left, string } = self;
        let place = place.to_string();
        if string {
            ErrorKind::StringLength { place, found: needed, left }
        } else {
            ErrorKind::Truncated { place, offset, needed, left }
        }
    }
}

impl<'a, E: byteorder::ByteOrder> Cursor<'a, E> {
    pub(super) fn new(bytes: &'a [u8], layout: Layout) -> Cursor<'a, E> {
        Cursor { rest: bytes, len: bytes.len(), layout, order: PhantomData }
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> usize {
        self.len - self.rest.len()
    }

    /// Bytes not read yet.
    pub(super) fn left(&self) -> u64 {
        self.rest.len() as u64
    }

    fn short(&self, needed: u64, string: bool) -> Short {
        Short { offset: self.position() as u64, needed, left: self.left(), string }
    }

    /// The next `n` bytes.
    pub(super) fn take(&mut self, n: u64) -> Result<&'a [u8], Short> {
        self.advance(n).ok_or_else(|| self.short(n, false))
    }

    #[inline]
    fn advance(&mut self, n: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(n).ok()?)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Short> {
        let Some((taken, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.short(N as u64, false));
        };
        self.rest = rest;
        Ok(taken)
    }

    #[inline]
    pub(super) fn u32(&mut self) -> Result<u32, Short> {
        Ok(E::read_u32(self.array::<4>()?))
    }

    #[inline]
    pub(super) fn u64(&mut self) -> Result<u64, Short> {
        Ok(E::read_u64(self.array::<8>()?))
    }

    /// A length, a count or a dim: 8 bytes, or 4 in version 1.
    #[inline]
    pub(super) fn count(&mut self) -> Result<u64, Short> {
        if self.layout.wide { self.u64() } else { self.u32().map(u64::from) }
    }

    /// A string: its length, then that many bytes of any content.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a [u8], Short> {
        let len = self.count()?;
        self.advance(len).ok_or_else(|| self.short(len, true))
    }
}
