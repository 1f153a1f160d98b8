//! What a cache holds, position by position, for `kv/file`: the same whatever the size of the rings, and whether rows are its own or a file's.

use super::prefix::{Prefix, Shared};
use super::{Area, Cache, Layer, Place, Range, Ring, Slots};
use crate::kv::shape::LayerShape;

/// Where a file has the rows of a layer: `[streams][kv_heads][positions][head_dim]`.
pub(in crate::kv) struct StoredRows {
    /// The first byte.
    pub start: usize,
    /// Whose rows they are.
    pub positions: Range<usize>,
}

impl Cache {
    /// Layers.
    pub(in crate::kv) fn layers(&self) -> impl ExactSizeIterator<Item = &LayerShape> {
        self.layers.iter().map(|layer| &layer.shape)
    }

    /// The positions of the trunk that a layer holds.
    pub(in crate::kv) fn held(&self, layer: usize) -> Range<usize> {
        self.layers[layer].ring.start()..self.end
    }

    /// Positions that a layer has room for.
    pub(in crate::kv) fn capacity(&self, layer: usize) -> usize {
        self.layers[layer].ring.capacity()
    }

    /// Where positions of the trunk lie that a layer without sinks holds, the oldest first: those of a file, and the others as two runs.
    pub(super) fn runs(&self, layer: &Layer, held: Range<usize>) -> [Slots; 3] {
        let (of_file, first) = layer.mapped;
        let border = self.prefix_end().max(held.start).min(held.end);
        let mapped = if held.start < border { held.start - first..border - first } else { 0..0 };
        let [a, b] = Ring::spans_between(layer.ring.capacity(), border, held.end);
        let owned = |range| Slots { area: layer.trunk, range };
        [
            Slots { area: if mapped.is_empty() { layer.trunk } else { of_file }, range: mapped },
            owned(a),
            owned(b),
        ]
    }

    /// The rows of a head's stream for positions that are held, the oldest first, as three runs.
    pub(in crate::kv) fn held_rows(
        &self,
        layer: usize,
        of: (usize, usize),
        held: Range<usize>,
    ) -> [&[u8]; 3] {
        self.runs(&self.layers[layer], held).map(|slots| self.rows(layer, of, &slots))
    }

    /// The trunk's state of a layer.
    pub(in crate::kv) fn trunk_state(&self, layer: usize) -> &[f32] {
        &self.states[self.layers[layer].state(None)]
    }

    /// The same, to be filled.
    pub(in crate::kv) fn trunk_state_mut(&mut self, layer: usize) -> &mut [f32] {
        let state = self.layers[layer].state(None);
        &mut self.states[state]
    }

    /// Positions of the trunk that are read from a file.
    pub(super) fn prefix_end(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.end)
    }

    /// Bytes of the file that the first positions are read from; 0 without one.
    pub fn mapped_bytes(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.bytes().len())
    }

    /// After the trunk was cut: what it no longer has of a file is no longer read there.
    pub(super) fn cut_prefix(&mut self) {
        let end = self.end;
        self.prefix.as_mut().into_iter().for_each(|prefix| prefix.end = prefix.end.min(end));
        self.prefix.take_if(|prefix| prefix.end == 0);
    }

    /// Lets the trunk have the first `end` positions of a file, instead of what it had; `rows` says of one layer after the other where the file has it. Whether all of
    /// that lies in the file; if not, the trunk is empty.
    ///
    /// # Panics
    ///
    /// If a layer has sinks.
    pub(in crate::kv) fn map_prefix(
        &mut self,
        bytes: Shared,
        end: usize,
        mut rows: impl FnMut((usize, &LayerShape)) -> Option<StoredRows>,
    ) -> bool {
        self.truncate(0);
        let length = (*bytes).as_ref().len();
        let mut layers = self.layers.iter_mut().enumerate();
        let is_whole = layers.all(|(index, layer)| {
            rows((index, &layer.shape)).is_some_and(|rows| layer.map_prefix(&rows, end, length).is_some())
        });
        self.end = end;
        self.prefix = Some(Prefix::new(bytes, end));
        if !is_whole || end == 0 {
            self.truncate(0);
        }
        is_whole
    }
}

impl Layer {
    /// Has the positions before `end` that there is room for in a file of so many bytes; `None` if that has not all of them.
    fn map_prefix(&mut self, rows: &StoredRows, end: usize, length: usize) -> Option<()> {
        assert_eq!(self.shape.sinks, 0, "sinks of a layer that begins with a file");
        let StoredRows { start, ref positions } = *rows;
        let bytes = self.shape.rows_bytes(positions.len())?;
        let is_there = end <= positions.end && start.checked_add(bytes)? <= length;
        is_there.then(|| {
            let oldest = positions.start.max(end.saturating_sub(self.ring.capacity())).min(end);
            self.ring.resume(oldest, end);
            self.mapped =
                (Area { place: Place::Mapped, start, capacity: positions.len(), bytes }, positions.start);
        })
    }
}
