//! Reads a cache.

use super::head::Head;
use super::{Error, Origin};
use crate::kv::Cache;
use crate::kv::shape::LayerShape;
use std::ops::Range;
use xxhash_rust::xxh3::Xxh3;

/// A file whose header is sound and fits a cache.
#[derive(Debug)]
pub struct Stored<'a> {
    bytes: &'a [u8],
    head: Head,
}

impl<'a> Stored<'a> {
    /// Looks at the header of a file: whether a cache of this origin can go on from it, and whether the file is as long as it should be.
    ///
    /// # Errors
    ///
    /// If not, and why.
    pub fn open(bytes: &'a [u8], origin: &Origin, cache: &Cache) -> Result<Stored<'a>, Error> {
        let head = Head::read(bytes)?;
        head.check(bytes, origin, cache)?;
        let stored = Stored { bytes, head };
        let (found, expected) = (bytes.len() as u64, stored.length(cache)?);
        if found != expected {
            return Err(Error::Length { found, expected });
        }
        Ok(stored)
    }

    /// Tokens.
    pub fn len(&self) -> usize {
        self.head.tokens.len() / 4
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The tokens that the rows are of.
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = u32> + 'a {
        let (ids, _) = self.bytes[self.head.tokens.clone()].as_chunks::<4>();
        ids.iter().map(|id| u32::from_le_bytes(*id))
    }

    /// How many of them were run in batches.
    pub fn batched(&self) -> usize {
        self.head.batched
    }

    /// Logits after the last one that there are.
    pub fn logits(&self) -> usize {
        self.head.logits
    }

    /// How many of the first `count` tokens a cache can go on from: all, or none where a layer no longer has what the next token would see, or has a
    /// state that no token can be taken out of, or the cache is too short.
    ///
    /// # Errors
    ///
    /// If the header makes no sense.
    pub fn usable(&self, count: usize, cache: &Cache) -> Result<usize, Error> {
        let fits = |(index, shape): (usize, &LayerShape)| -> Result<bool, Error> {
            let first = self.head.layer(self.bytes, index)?.first as usize;
            let oldest = shape.window.map_or(0, |window| count.saturating_add(1).saturating_sub(window));
            let holds = oldest >= count || first <= oldest && count - oldest <= cache.capacity(index);
            Ok(holds && (shape.state == 0 || count == self.len()))
        };
        let mut fit = true;
        for layer in cache.layers().enumerate() {
            fit &= fits(layer)?;
        }
        Ok(if fit && count <= self.len() && count <= cache.end() + cache.free() { count } else { 0 })
    }

    /// Copies the rows of the first `count` tokens, which are [`Stored::usable`], to a cache, whatever that held before, and the logits to
    /// `logits` if there are as many and all tokens are asked for; whether that was so. The bytes of the file are gone through once, from front
    /// to back; `done` is told which are no longer needed.
    ///
    /// # Errors
    ///
    /// If the data are damaged; then the cache is empty.
    pub fn restore(
        &self,
        count: usize,
        cache: &mut Cache,
        logits: &mut [f32],
        mut done: impl FnMut(Range<usize>),
    ) -> Result<bool, Error> {
        cache.truncate(0);
        let (mut hash, mut at) = (Xxh3::new(), self.head.end);
        let layers = cache.layers().len();
        for index in 0..layers {
            let end = at + self.layer_bytes(index, cache)?;
            self.restore_layer((index, count), &self.bytes[at..end], &mut hash, cache)?;
            done(at..end);
            at = end;
        }
        let (stored, sum) = self.bytes[at..].split_at(self.head.logits * 4);
        hash.update(stored);
        if sum != hash.digest().to_le_bytes() {
            cache.truncate(0);
            return Err(Error::Damaged { part: "data" });
        }
        cache.resume(count, |index, capacity| {
            self.kept(index, count, capacity).map_or(count, |kept| kept.start)
        });
        let complete = count == self.len() && logits.len() == self.head.logits;
        if complete {
            fill(logits, stored);
        }
        Ok(complete)
    }

    /// The positions of a layer to copy, of the first `count`: those that are stored, as far as there is room.
    fn kept(&self, index: usize, count: usize, capacity: usize) -> Result<Range<usize>, Error> {
        let first = self.head.layer(self.bytes, index)?.first as usize;
        Ok(first.max(count.saturating_sub(capacity)).min(count)..count)
    }

    fn restore_layer(
        &self,
        (index, count): (usize, usize),
        data: &[u8],
        hash: &mut Xxh3,
        cache: &mut Cache,
    ) -> Result<(), Error> {
        let Some(&shape) = cache.layers().nth(index) else { return Ok(()) };
        let first = self.head.layer(self.bytes, index)?.first as usize;
        let kept = self.kept(index, count, cache.capacity(index))?;
        let (rows, state) = data.split_at(data.len() - shape.state * 4);
        let row = shape.kv_type.format().row_bytes(shape.head_dim).unwrap_or(0);
        let all = (self.len() - first) * row;
        for (head, rows) in rows.chunks_exact(all.max(1)).enumerate() {
            hash.update(rows);
            let of = (head / shape.kv_heads, head % shape.kv_heads);
            // what is kept begins at or after the first position, unless nothing is
            let from = kept.start.saturating_sub(first) * row;
            cache.fill_rows(index, of, kept.clone(), &rows[from..from + kept.len() * row]);
        }
        hash.update(state);
        if count == self.len() {
            fill(cache.trunk_state_mut(index), state);
        }
        Ok(())
    }

    /// Bytes of a layer.
    fn layer_bytes(&self, index: usize, cache: &Cache) -> Result<usize, Error> {
        let first = self.head.layer(self.bytes, index)?.first as usize;
        let shape = cache.layers().nth(index).ok_or(Error::Shape)?;
        let rows = shape.rows_bytes(self.len() - first);
        let state = shape.state.checked_mul(4);
        rows.zip(state).and_then(|(rows, state)| rows.checked_add(state)).ok_or(Error::Shape)
    }

    /// Bytes that the file should have.
    fn length(&self, cache: &Cache) -> Result<u64, Error> {
        let fixed = (self.head.end as u64).saturating_add(self.head.logits as u64 * 4 + 8);
        (0..cache.layers().len())
            .try_fold(fixed, |sum, index| Ok(sum.saturating_add(self.layer_bytes(index, cache)? as u64)))
    }
}

/// Floats from their bytes.
fn fill(out: &mut [f32], bytes: &[u8]) {
    let (values, _) = bytes.as_chunks::<4>();
    out.iter_mut().zip(values).for_each(|(out, value)| *out = f32::from_le_bytes(*value));
}
