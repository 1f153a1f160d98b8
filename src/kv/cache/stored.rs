//! What a cache holds, position by position, for `kv/file`: the same whatever the size of the rings.

use super::{Cache, Range, Ring, Slots};
use crate::kv::shape::LayerShape;

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

    /// Where rows of a head's stream lie that are held, those of the oldest position first, as two runs.
    fn runs(&self, layer: usize, (stream, head): (usize, usize), held: Range<usize>) -> [Range<usize>; 2] {
        let layer = &self.layers[layer];
        let runs = Ring::spans_between(layer.ring.capacity(), held.start, held.end);
        runs.map(|range| layer.rows(stream, head, &Slots { area: layer.trunk, range }))
    }

    /// The rows of a head's stream for positions that are held, the oldest first, as two runs.
    pub(in crate::kv) fn held_rows(
        &self,
        layer: usize,
        of: (usize, usize),
        held: Range<usize>,
    ) -> [&[u8]; 2] {
        self.runs(layer, of, held).map(|run| &self.data[run])
    }

    /// Fills the rows of a head's stream for positions that the layer is to hold.
    ///
    /// # Panics
    ///
    /// If there are more positions than the layer has room for, or `rows` is of another length.
    pub(in crate::kv) fn fill_rows(
        &mut self,
        layer: usize,
        of: (usize, usize),
        held: Range<usize>,
        rows: &[u8],
    ) {
        assert!(held.len() <= self.capacity(layer), "{held:?} in {} slots", self.capacity(layer));
        let [first, second] = self.runs(layer, of, held);
        let (older, newer) = rows.split_at(first.len());
        self.data[first].copy_from_slice(older);
        self.data[second].copy_from_slice(newer);
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

    /// Lets the trunk, which is empty, have `end` positions, of which a layer holds those from `start` on, a function of
    /// its index and of the positions that it has room for.
    pub(in crate::kv) fn resume(&mut self, end: usize, start: impl Fn(usize, usize) -> usize) {
        self.end = end;
        for (index, layer) in self.layers.iter_mut().enumerate() {
            layer.ring.resume(start(index, layer.ring.capacity()), end);
        }
    }
}
