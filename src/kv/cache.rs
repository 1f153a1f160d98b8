//! The bytes of the cache: what every layer keeps of each position, or of all positions together; allocated once.
//!
//! A cache holds one sequence, its *trunk*. After it, the trunk can have *branches*: sequences that begin with all of the trunk and go on in tails of
//! their own. What the trunk holds is there once, however many branches read it. Its first positions may lie in a file (`prefix.rs`).

mod layer;
mod prefix;
mod stored;
#[cfg(test)]
mod tests;

pub use layer::Slots;
pub use prefix::Shared;
pub(super) use stored::StoredRows;

use super::extents::Extents;
use super::shape::{BranchShape, KvType, LayerShape, Shape};
use super::{Branches, Ring};
use layer::{Area, Layer, Place};
use prefix::Prefix;
use siskin_simd::Kernels;
use std::ops::Range;

/// Which sequence of a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sequence {
    /// The one that all others begin with.
    #[default]
    Trunk,
    /// One that goes on from it.
    Branch(usize),
}

/// Keys and values, layer by layer: `[layers][streams][kv_heads][capacity][head_dim]`, so that what one head attends to
/// is a matrix of neighbouring rows; and the states. Behind those of a layer the tails of its branches follow. A prefix in a file lies there in the
/// same order, as many positions as the file has.
#[derive(Debug)]
pub struct Cache {
    positions: usize,
    end: usize,
    layers: Vec<Layer>,
    branches: Branches,
    branch_shape: BranchShape,
    /// Positions that each tail has room for.
    rooms: Vec<usize>,
    data: Vec<u8>,
    states: Vec<f32>,
    prefix: Option<Prefix>,
}

impl Cache {
    /// An empty cache; `None` if its size does not fit in `usize`, any of its dimensions is 0, sinks leave no room, or a head is no whole
    /// number of blocks.
    pub fn new(shape: &Shape) -> Option<Cache> {
        shape.bytes()?;
        let BranchShape { count, positions, shared, .. } = shape.branches;
        let (mut bytes, mut floats) = (0, 0);
        let mut layers = Vec::with_capacity(shape.layers.len());
        for layer in &shape.layers {
            layers.push(Layer::new(*layer, shape.branches, (&mut bytes, &mut floats))?);
        }
        let (data, states) = (vec![0; bytes], vec![0.0; floats]);
        let branches = Branches::new(count, positions);
        let rooms = vec![if shared > 0 { 0 } else { positions }; count];
        let (positions, branch_shape) = (shape.positions, shape.branches);
        let prefix = None;
        Some(Cache { positions, end: 0, layers, branches, branch_shape, rooms, data, states, prefix })
    }

    /// Bytes that [`Cache::new`] allocates to know what is where, beside [`Shape::bytes`]; `None` if that does not fit in `usize`.
    pub(crate) fn record_bytes(shape: &Shape) -> Option<usize> {
        let BranchShape { count, positions, .. } = shape.branches;
        let layer = size_of::<Layer>().checked_add(Extents::bytes(count)?)?;
        let rooms = count.checked_mul(size_of::<usize>())?;
        let layers = shape.layers.len().checked_mul(layer)?;
        layers.checked_add(rooms)?.checked_add(Branches::bytes(count, positions)?)
    }

    /// Bytes allocated for keys, values and states.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.states.len() * size_of::<f32>()
    }

    /// Positions appended to the trunk so far, which is also its next position.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Positions that can still be appended to the trunk.
    pub fn free(&self) -> usize {
        self.positions.saturating_sub(self.end)
    }

    /// The next position of a sequence.
    pub fn end_of(&self, sequence: Sequence) -> usize {
        match sequence {
            Sequence::Trunk => self.end,
            Sequence::Branch(branch) => self.end + self.branches.len(branch),
        }
    }

    /// Positions that can still be appended to a sequence.
    pub fn free_in(&self, sequence: Sequence) -> usize {
        match sequence {
            Sequence::Trunk => self.free(),
            Sequence::Branch(branch) => self.rooms[self.branches.tail(branch)] - self.branches.len(branch),
        }
    }

    /// Positions that branches which share them can still be given ([`Cache::give`]).
    pub fn free_to_share(&self) -> usize {
        self.branch_shape.shared.saturating_sub(self.rooms.iter().sum())
    }

    /// Branches there are.
    pub fn branches(&self) -> usize {
        self.branches.count()
    }

    /// Forgets the trunk's positions from `end` on, and all branches. Returns the next position: `end`, or 0 where a layer no longer holds
    /// what a token at `end` sees, or has a state that no position can be taken out of; then everything is forgotten.
    pub fn truncate(&mut self, end: usize) -> usize {
        let end = end.min(self.end);
        self.branches.start(0);
        let kept = end == self.end || self.layers.iter().all(|layer| layer.can_go_on_at(end));
        self.end = if kept { end } else { 0 };
        self.layers.iter_mut().for_each(|layer| layer.ring.truncate(self.end));
        self.cut_prefix();
        if self.end == 0 {
            self.states.fill(0.0);
        }
        self.end
    }

    /// Lets `count` branches begin where the trunk ends, instead of those there were. The trunk stays as it is until they are forgotten. If they
    /// share their positions, none has any yet ([`Cache::give`]).
    ///
    /// # Panics
    ///
    /// If the cache was made for fewer.
    pub fn branch(&mut self, count: usize) {
        self.branches.start(count);
        if self.branch_shape.shared > 0 {
            self.rooms.fill(0);
            self.layers.iter_mut().for_each(|layer| layer.extents.clear());
        }
        for layer in &self.layers {
            let tails = layer.states.start + layer.shape.state;
            for tail in 0..count {
                self.states.copy_within(layer.state(None), tails + tail * layer.shape.state);
            }
        }
    }

    /// Gives one of the branches room for so many of the positions that all share, instead of what it had, and lets it begin again where the trunk
    /// ends; 0 gives them back. What others hold may be moved for that.
    ///
    /// # Panics
    ///
    /// If there is no such branch, they do not share positions, or fewer are free ([`Cache::free_to_share`]).
    pub fn give(&mut self, branch: usize, positions: usize) {
        let tail = self.branches.tail(branch);
        self.rooms[tail] = 0;
        let free = self.free_to_share().min(self.branch_shape.positions);
        assert!(positions <= free, "{positions} positions for branch {branch}, {free} free");
        self.rooms[tail] = positions;
        let shape = BranchShape { positions, ..self.branch_shape };
        self.branches.restart(branch);
        for layer in &mut self.layers {
            layer.give(tail, layer.shape.tail_capacity(shape), &mut self.data);
            self.states.copy_within(layer.state(None), layer.state(Some(tail)).start);
        }
    }

    /// Replaces all branches: branch `i` becomes what branch `parents[i]` was. Copies only what two branches from now on have each for itself.
    ///
    /// # Panics
    ///
    /// If the cache was made for fewer, there is no such parent, or branches share positions, which are each one's own.
    pub fn rearrange(&mut self, parents: &[usize]) {
        assert_eq!(self.branch_shape.shared, 0, "branches that share positions");
        for copy in self.branches.rearrange(parents) {
            for layer in &self.layers {
                layer.copy_tail(*copy, &mut self.data);
                self.states.copy_within(layer.state(Some(copy.from)), layer.state(Some(copy.to)).start);
            }
        }
    }

    /// Appends `count` positions to a sequence, to be stored in every layer.
    ///
    /// # Panics
    ///
    /// If the trunk is to grow while it has branches.
    pub fn append(&mut self, sequence: Sequence, count: usize) -> Range<usize> {
        let first = self.end_of(sequence);
        match sequence {
            Sequence::Trunk => {
                assert_eq!(self.branches(), 0, "branches of a trunk that grows");
                self.end += count;
                for layer in &mut self.layers {
                    layer.ring.append(count);
                }
            }
            Sequence::Branch(branch) => (0..count).for_each(|_| self.branches.append(branch)),
        }
        first..first + count
    }

    /// Stores what one layer keeps of a position: for each stream `kv_heads x head_dim` values. Of a position that is stored already, the first
    /// streams alone can be replaced.
    ///
    /// # Panics
    ///
    /// If the lengths or the layer are wrong, or the position lies in a file.
    pub fn store(
        &mut self,
        kernels: &Kernels,
        layer: usize,
        (sequence, position): (Sequence, usize),
        streams: &[&[f32]],
    ) {
        let slot = self.slot(layer, sequence, position);
        assert_eq!(slot.area.place, Place::Owned, "position {position} lies in a file");
        let layer = &self.layers[layer];
        let LayerShape { kv_heads, head_dim, kv_type, .. } = layer.shape;
        assert!(streams.len() <= layer.shape.streams, "streams of one position");
        for (stream, rows) in streams.iter().enumerate() {
            assert_eq!(rows.len(), kv_heads * head_dim, "values of one position");
            for (head, row) in rows.chunks_exact(head_dim).enumerate() {
                kernels.narrow(kv_type.format(), row, &mut self.data[layer.rows(stream, head, &slot)]);
            }
        }
    }

    /// How a layer stores its values.
    pub fn kv_type(&self, layer: usize) -> KvType {
        self.layers[layer].shape.kv_type
    }

    /// Reads the first stream of a position that a layer still holds: `kv_heads x head_dim` values.
    ///
    /// # Panics
    ///
    /// If the length or the layer is wrong.
    pub fn load(&self, layer: usize, (sequence, position): (Sequence, usize), out: &mut [f32]) {
        let slot = self.slot(layer, sequence, position);
        let LayerShape { head_dim, kv_type, .. } = self.layers[layer].shape;
        for (head, out) in out.chunks_exact_mut(head_dim).enumerate() {
            kv_type.format().decode(self.rows(layer, (0, head), &slot), out);
        }
    }

    /// Reads the first stream of the positions that lie just before `position`, oldest first, as many as `out` has room for; zeros before the
    /// first of all.
    ///
    /// # Panics
    ///
    /// If `out` is no whole number of positions or the layer is wrong.
    pub fn load_before(&self, layer: usize, (sequence, position): (Sequence, usize), out: &mut [f32]) {
        let LayerShape { kv_heads, head_dim, .. } = self.layers[layer].shape;
        let (width, len) = (kv_heads * head_dim, out.len());
        assert!(len.is_multiple_of(width), "{len} values in positions of {width}");
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            match (position + i).checked_sub(len / width) {
                Some(position) => self.load(layer, (sequence, position), out),
                None => out.fill(0.0),
            }
        }
    }

    /// What all positions of a sequence have gone into, in one layer; zeros before the first.
    ///
    /// # Panics
    ///
    /// If there is no such layer or sequence.
    pub fn state_mut(&mut self, layer: usize, sequence: Sequence) -> &mut [f32] {
        let tail = match sequence {
            Sequence::Trunk => None,
            Sequence::Branch(branch) => Some(self.branches.tail(branch)),
        };
        &mut self.states[self.layers[layer].state(tail)]
    }

    /// The slots of a layer that hold what a sequence sees, oldest first: the trunk's as three runs (what a file has or the sinks, and the others as
    /// [`Ring::spans`]), and those of the tail as two, the second empty unless they wrap.
    pub fn slots(&self, layer: usize, sequence: Sequence) -> [Slots; 5] {
        let layer = &self.layers[layer];
        let [a, b, c] = match self.prefix {
            Some(_) => self.runs(layer, layer.ring.start()..self.end),
            None => layer.ring.spans(self.end).map(|range| Slots { area: layer.trunk, range }),
        };
        let (area, len) = match sequence {
            Sequence::Trunk => (layer.tails, 0),
            Sequence::Branch(branch) => {
                (layer.tail_area(self.branches.tail(branch)), self.branches.len(branch))
            }
        };
        let [d, e] = Ring::spans_of(area.capacity, len).map(|range| Slots { area, range });
        [a, b, c, d, e]
    }

    /// Keys of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn keys(&self, layer: usize, head: usize, slots: &Slots) -> &[u8] {
        self.rows(layer, (0, head), slots)
    }

    /// Values of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn values(&self, layer: usize, head: usize, slots: &Slots) -> &[u8] {
        self.rows(layer, (1, head), slots)
    }

    /// The rows of a head's stream, for a run of slots.
    fn rows(&self, layer: usize, (stream, head): (usize, usize), slots: &Slots) -> &[u8] {
        let range = self.layers[layer].rows(stream, head, slots);
        match slots.area.place {
            Place::Owned => &self.data[range],
            Place::Mapped => &self.prefix.as_ref().map_or(&[][..], Prefix::bytes)[range],
        }
    }

    /// The slot of a position that is held.
    fn slot(&self, layer: usize, sequence: Sequence, position: usize) -> Slots {
        let layer = &self.layers[layer];
        let (area, slot) = match sequence {
            Sequence::Branch(branch) if position >= self.end => {
                let area = layer.tail_area(self.branches.tail(branch));
                (area, (position - self.end) % area.capacity)
            }
            _ if position < self.prefix_end() => (layer.mapped.0, position - layer.mapped.1),
            _ => (layer.trunk, layer.ring.slot(position)),
        };
        Slots { area, range: slot..slot + 1 }
    }
}
