//! Writes a cache.

use super::head::{type_name, window};
use super::{ALIGNMENT, MAGIC, Origin, VERSION};
use crate::kv::Cache;
use std::io::{self, Write};
use xxhash_rust::xxh3::Xxh3;

/// What is written.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The rows: those of the trunk.
    pub cache: &'a Cache,
    /// Where they come from.
    pub origin: &'a Origin,
    /// The tokens that they are of.
    pub tokens: &'a [u32],
    /// How many of them were run in batches.
    pub batched: usize,
    /// The logits after the last one.
    pub logits: &'a [f32],
}

/// Values that are turned into bytes at once.
const CHUNK: usize = 256;

/// Writes and hashes.
struct Hashing<W> {
    out: W,
    hash: Xxh3,
    /// Bytes written.
    length: usize,
}

impl<W: Write> Hashing<W> {
    fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.length += bytes.len();
        self.out.write_all(bytes)
    }

    /// Zeros up to where rows may begin.
    fn align(&mut self) -> io::Result<()> {
        let zeros = self.length.next_multiple_of(ALIGNMENT) - self.length;
        self.bytes(&[0; ALIGNMENT][..zeros])
    }

    fn u32(&mut self, value: usize) -> io::Result<()> {
        let value = u32::try_from(value).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.bytes(&value.to_le_bytes())
    }

    fn u64(&mut self, value: u64) -> io::Result<()> {
        self.bytes(&value.to_le_bytes())
    }

    /// Values of four bytes each.
    fn words<T: Copy>(&mut self, values: &[T], bytes: impl Fn(T) -> [u8; 4]) -> io::Result<()> {
        let mut buffer = [[0; 4]; CHUNK];
        for values in values.chunks(CHUNK) {
            buffer.iter_mut().zip(values).for_each(|(to, value)| *to = bytes(*value));
            self.bytes(buffer[..values.len()].as_flattened())?;
        }
        Ok(())
    }

    /// Writes the checksum of what came since the last one.
    fn checksum(&mut self) -> io::Result<()> {
        let sum = self.hash.digest();
        self.bytes(&sum.to_le_bytes())?;
        self.hash.reset();
        Ok(())
    }
}

/// Writes what a cache holds; rows go out as they lie there, without another copy.
///
/// # Errors
///
/// If the writer fails.
///
/// # Panics
///
/// If there are not as many tokens as positions.
pub fn write(contents: Contents<'_>, out: impl Write) -> io::Result<()> {
    let Contents { cache, tokens, logits, .. } = contents;
    assert_eq!(tokens.len(), cache.end(), "tokens of a cache");
    let mut out = Hashing { out, hash: Xxh3::new(), length: 0 };
    head(contents, &mut out)?;
    out.words(tokens, u32::to_le_bytes)?;
    out.checksum()?;
    for (index, shape) in cache.layers().enumerate() {
        out.align()?;
        for of in (0..shape.streams).flat_map(|stream| (0..shape.kv_heads).map(move |head| (stream, head))) {
            for rows in cache.held_rows(index, of, cache.held(index)) {
                out.bytes(rows)?;
            }
        }
        out.words(cache.trunk_state(index), f32::to_le_bytes)?;
    }
    out.words(logits, f32::to_le_bytes)?;
    out.checksum()?;
    out.out.flush()
}

/// Everything before the tokens.
fn head<W: Write>(contents: Contents<'_>, out: &mut Hashing<W>) -> io::Result<()> {
    let Contents { cache, origin, tokens, batched, logits } = contents;
    out.bytes(MAGIC)?;
    out.bytes(&VERSION.to_le_bytes())?;
    out.u64(origin.model)?;
    out.u32(origin.name().len())?;
    out.bytes(origin.name())?;
    out.u32(cache.layers().len())?;
    for (index, shape) in cache.layers().enumerate() {
        for number in [shape.streams, shape.kv_heads, shape.head_dim] {
            out.u32(number)?;
        }
        out.bytes(&type_name(shape.kv_type))?;
        for number in [window(shape), shape.state as u64, cache.held(index).start as u64] {
            out.u64(number)?;
        }
    }
    [tokens.len(), batched, logits.len()].into_iter().try_for_each(|count| out.u64(count as u64))
}
