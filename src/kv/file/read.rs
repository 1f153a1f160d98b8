//! Reads a cache.

use super::head::Head;
use super::{ALIGNMENT, Error, Origin, checksum};
use crate::kv::Cache;
use crate::kv::cache::{Shared, StoredRows};
use crate::kv::shape::LayerShape;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A file whose header is sound and fits a cache.
pub struct Stored {
    bytes: Shared,
    head: Head,
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stored({} tokens in {} bytes)", self.len(), self.bytes().len())
    }
}

/// Where a file has a layer.
struct Place {
    /// The oldest position.
    first: usize,
    rows: Range<usize>,
    state: Range<usize>,
}

impl Stored {
    /// Looks at the header of a file: whether a cache of this origin can go on from it, and whether the file is as long as it should be.
    ///
    /// # Errors
    ///
    /// If not, and why.
    pub fn open(bytes: Shared, origin: &Origin, cache: &Cache) -> Result<Stored, Error> {
        let file = (*bytes).as_ref();
        let head = Head::read(file)?;
        head.check(file, origin, cache)?;
        let found = file.len() as u64;
        let stored = Stored { bytes, head };
        let expected = stored.length(cache)?;
        if found != expected {
            return Err(Error::Length { found, expected });
        }
        Ok(stored)
    }

    fn bytes(&self) -> &[u8] {
        (*self.bytes).as_ref()
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
    pub fn tokens(&self) -> impl ExactSizeIterator<Item = u32> {
        let (ids, _) = self.bytes()[self.head.tokens.clone()].as_chunks::<4>();
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
    /// state that no token can be taken out of, or the cache is too short or has sinks.
    ///
    /// # Errors
    ///
    /// If the header makes no sense.
    pub fn usable(&self, count: usize, cache: &Cache) -> Result<usize, Error> {
        let fits = |(index, shape): (usize, &LayerShape)| -> Result<bool, Error> {
            let first = self.head.layer(self.bytes(), index)?.first as usize;
            let oldest = shape.window.map_or(0, |window| count.saturating_add(1).saturating_sub(window));
            let holds = oldest >= count || first <= oldest && count - oldest <= cache.capacity(index);
            Ok(holds && shape.sinks == 0 && (shape.state == 0 || count == self.len()))
        };
        let mut fit = true;
        for layer in cache.layers().enumerate() {
            fit &= fits(layer)?;
        }
        Ok(if fit && count <= self.len() && count <= cache.end() + cache.free() { count } else { 0 })
    }

    /// Lets a cache have the first `count` tokens, which are [`Stored::usable`], instead of what it held. Their rows stay in the file, which lives as long as
    /// the cache reads there; states are copied, and the logits to `logits` if there are as many and all tokens are asked for; whether that was so.
    ///
    /// # Errors
    ///
    /// If the data are damaged; the cache stays as it was. If the file changes meanwhile, the cache may be empty.
    pub fn restore(&self, count: usize, cache: &mut Cache, logits: &mut [f32]) -> Result<bool, Error> {
        self.check()?;
        let mut end = self.head.end;
        let is_there = cache.map_prefix(Arc::clone(&self.bytes), count, |layer| {
            let place = self.place(layer, end).ok()?;
            end = place.state.end;
            Some(StoredRows { start: place.rows.start, positions: place.first..self.len() })
        });
        if !is_there {
            return Err(Error::Shape);
        }
        if count == self.len() {
            self.restore_states(cache)?;
        }
        let complete = count == self.len() && logits.len() == self.head.logits;
        if complete {
            fill(logits, &self.bytes()[end..]);
        }
        Ok(complete)
    }

    /// Copies the states of all layers.
    fn restore_states(&self, cache: &mut Cache) -> Result<(), Error> {
        let (mut end, layers) = (self.head.end, cache.layers().len());
        for index in 0..layers {
            let Some(shape) = cache.layers().nth(index).copied() else { break };
            let place = self.place((index, &shape), end)?;
            fill(cache.trunk_state_mut(index), &self.bytes()[place.state.clone()]);
            end = place.state.end;
        }
        Ok(())
    }

    /// Compares the checksum of the data.
    fn check(&self) -> Result<(), Error> {
        let data = self.bytes()[self.head.end..].split_last_chunk();
        let is_sound = data.is_some_and(|(data, sum)| checksum(data).to_le_bytes() == *sum);
        if is_sound { Ok(()) } else { Err(Error::Damaged { part: "data" }) }
    }

    /// Where a layer lies, if the one before it ends at byte `end`.
    fn place(&self, (index, shape): (usize, &LayerShape), end: usize) -> Result<Place, Error> {
        let first = self.head.layer(self.bytes(), index)?.first as usize;
        let place = || {
            let start = end.checked_next_multiple_of(ALIGNMENT)?;
            let rows = start..start.checked_add(shape.rows_bytes(self.len() - first)?)?;
            let state = rows.end..rows.end.checked_add(shape.state.checked_mul(4)?)?;
            Some(Place { first, rows, state })
        };
        place().ok_or(Error::Shape)
    }

    /// Bytes that the file should have.
    fn length(&self, cache: &Cache) -> Result<u64, Error> {
        let mut layers = cache.layers().enumerate();
        let end = layers.try_fold(self.head.end, |end, layer| Ok(self.place(layer, end)?.state.end))?;
        Ok((end as u64).saturating_add(self.head.logits as u64 * 4 + 8))
    }
}

/// Floats from their bytes.
fn fill(out: &mut [f32], bytes: &[u8]) {
    let (values, _) = bytes.as_chunks::<4>();
    out.iter_mut().zip(values).for_each(|(out, value)| *out = f32::from_le_bytes(*value));
}
