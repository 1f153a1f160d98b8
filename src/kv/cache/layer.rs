//! One layer of a cache: where its bytes lie, and which slot of them holds which position. Says where; the cache has the bytes.

use crate::kv::Ring;
use crate::kv::branches::TailCopy;
use crate::kv::extents::Extents;
use crate::kv::shape::{BranchShape, LayerShape};
use std::ops::Range;

/// One layer of a cache: where its bytes begin, and which slot holds which position.
#[derive(Debug)]
pub(super) struct Layer {
    pub(super) shape: LayerShape,
    /// The trunk's.
    pub(super) ring: Ring,
    pub(super) trunk: Area,
    /// Its rows in the file that has the prefix, if there is one; the first of them is of this position.
    pub(super) mapped: (Area, usize),
    /// Of all tails together.
    pub(super) tails: Area,
    /// Which positions of it are whose.
    pub(super) extents: Extents,
    /// Its floats among the states of all layers, for the trunk and then for each tail.
    pub(super) states: Range<usize>,
}

/// Whose bytes they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// The cache's own.
    #[default]
    Owned,
    /// Those of the file that has the prefix.
    Mapped,
}

/// Bytes of a layer: `streams x kv_heads x capacity` rows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Area {
    pub(super) place: Place,
    pub(super) start: usize,
    pub(super) capacity: usize,
    pub(super) bytes: usize,
}

/// Neighbouring slots of a layer that hold neighbouring positions.
#[derive(Clone, Debug)]
pub struct Slots {
    pub(super) area: Area,
    pub(super) range: Range<usize>,
}

impl Slots {
    /// Positions held.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }
}

impl Area {
    /// Room for so many positions, behind the `bytes` that there are, which it is added to.
    fn behind(bytes: &mut usize, shape: &LayerShape, capacity: usize) -> Option<Area> {
        let area = Area { place: Place::Owned, start: *bytes, capacity, bytes: shape.rows_bytes(capacity)? };
        *bytes = bytes.checked_add(area.bytes)?;
        Some(area)
    }
}

impl Layer {
    /// A layer behind those that take so many bytes and floats, which its own are added to; `None` as [`Cache::new`](super::Cache::new).
    pub(super) fn new(
        shape: LayerShape,
        branches: BranchShape,
        (bytes, floats): (&mut usize, &mut usize),
    ) -> Option<Layer> {
        let trunk = Area::behind(bytes, &shape, shape.capacity)?;
        if trunk.bytes == 0 || shape.sinks >= trunk.capacity {
            return None;
        }
        let tails = Area::behind(bytes, &shape, shape.tails_capacity(branches)?)?;
        let extents = match branches.shared {
            0 => Extents::equal(branches.count, shape.tail_capacity(branches)),
            _ => Extents::shared(branches.count, tails.capacity),
        };
        let states = *floats..floats.checked_add(shape.state.checked_mul(1 + branches.count)?)?;
        *floats = states.end;
        let ring = Ring::new(shape.capacity, shape.sinks);
        Some(Layer { shape, ring, trunk, mapped: Default::default(), tails, extents, states })
    }

    /// The bytes of a run of slots of a head's stream.
    pub(super) fn rows(&self, stream: usize, head: usize, slots: &Slots) -> Range<usize> {
        let Slots { area, range } = slots;
        let row_bytes = self.row_bytes();
        let start = area.start + (stream * self.shape.kv_heads + head) * area.capacity * row_bytes;
        start + range.start * row_bytes..start + range.end * row_bytes
    }

    fn row_bytes(&self) -> usize {
        let format = self.shape.kv_type.format();
        self.shape.head_dim / format.block_len() * format.block_bytes()
    }

    pub(super) fn tail_area(&self, tail: usize) -> Area {
        let (part, bytes) = (self.extents.part(tail), self.position_bytes());
        let (start, capacity) = (self.tails.start + part.start * bytes, part.len());
        Area { place: Place::Owned, start, capacity, bytes: capacity * bytes }
    }

    /// Bytes of one position.
    fn position_bytes(&self) -> usize {
        self.shape.streams * self.shape.kv_heads * self.row_bytes()
    }

    /// Gives a tail so many positions, and moves what other tails hold out of the way.
    pub(super) fn give(&mut self, tail: usize, positions: usize, data: &mut [u8]) {
        let (start, bytes) = (self.tails.start, self.position_bytes());
        self.extents.give(tail, positions, |from, to| {
            data.copy_within(start + from.start * bytes..start + from.end * bytes, start + to * bytes);
        });
    }

    /// The floats of the trunk's state, or of a tail's.
    pub(super) fn state(&self, tail: Option<usize>) -> Range<usize> {
        let start = self.states.start + tail.map_or(0, |tail| 1 + tail) * self.shape.state;
        start..start + self.shape.state
    }

    /// Copies the positions that are still held of those that differ.
    pub(super) fn copy_tail(&self, TailCopy { from, to, kept, len }: TailCopy, data: &mut [u8]) {
        let (from, to) = (self.tail_area(from), self.tail_area(to));
        for range in Ring::spans_between(from.capacity, kept, len) {
            for stream in 0..self.shape.streams {
                for head in 0..self.shape.kv_heads {
                    let rows = |area| self.rows(stream, head, &Slots { area, range: range.clone() });
                    data.copy_within(rows(from), rows(to).start);
                }
            }
        }
    }

    /// Whether everything that a token at position `end` sees is still held.
    pub(super) fn can_go_on_at(&self, end: usize) -> bool {
        if self.shape.state > 0 {
            return end == 0;
        }
        let oldest = self.shape.window.map_or(0, |window| (end + 1).saturating_sub(window));
        oldest >= end || self.ring.start() <= oldest
    }
}
