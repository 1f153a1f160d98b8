//! The bytes of the cache: what every layer keeps of each position, or of all positions together; allocated once.

use super::Ring;
use siskin_simd::{Format, Kernels};
use std::ops::Range;

/// How keys and values are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KvType {
    /// Single precision: as computed.
    F32,
    /// Half precision.
    #[default]
    F16,
}

impl KvType {
    /// The format that operations read.
    pub fn format(self) -> Format {
        match self {
            KvType::F32 => Format::F32,
            KvType::F16 => Format::F16,
        }
    }
}

/// What one layer keeps of each position: keys and values of attention, or one vector of what a convolution looks back at. A layer may also keep a state
/// that every position changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerShape {
    /// Vectors of a head: 2 for keys and values.
    pub streams: usize,
    /// Key-value heads.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Positions held.
    pub capacity: usize,
    /// Positions that a token sees, itself included; all of them if `None`.
    pub window: Option<usize>,
    /// How values are stored.
    pub kv_type: KvType,
    /// Floats of the state that all positions have gone into, 0 for none. No position can be taken out of it.
    pub state: usize,
}

impl LayerShape {
    /// Bytes of so many positions; `None` if that does not fit in `usize`.
    fn rows_bytes(&self, positions: usize) -> Option<usize> {
        let row = self.kv_type.format().row_bytes(self.head_dim)?;
        [self.kv_heads, positions, row].iter().try_fold(self.streams, |n, &m| n.checked_mul(m))
    }

    /// Bytes of the state; `None` if that does not fit in `usize`.
    fn state_bytes(&self) -> Option<usize> {
        self.state.checked_mul(size_of::<f32>())
    }

    /// Bytes of the layer; `None` if that does not fit in `usize`.
    fn bytes(&self) -> Option<usize> {
        self.rows_bytes(self.capacity)?.checked_add(self.state_bytes()?)
    }

    /// Bytes that a token reads which sees `positions`.
    fn read_bytes(&self, positions: usize) -> Option<usize> {
        let seen = self.window.map_or(positions, |window| positions.min(window));
        self.rows_bytes(seen)?.checked_add(self.state_bytes()?)
    }
}

/// What a cache is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: Vec<LayerShape>,
    /// Positions of the longest sequence.
    pub positions: usize,
}

impl Shape {
    /// Bytes of the whole cache; `None` if that does not fit in `usize`.
    pub fn bytes(&self) -> Option<usize> {
        self.layers.iter().try_fold(0usize, |sum, layer| sum.checked_add(layer.bytes()?))
    }

    /// Bytes that a token reads which sees `positions`, itself included: in layers with a window no more than that.
    pub fn read_bytes(&self, positions: usize) -> Option<usize> {
        self.layers.iter().try_fold(0usize, |sum, layer| sum.checked_add(layer.read_bytes(positions)?))
    }
}

/// One layer of a cache: where its bytes begin, and which slot holds which position.
#[derive(Debug)]
struct Layer {
    shape: LayerShape,
    start: usize,
    row_bytes: usize,
    ring: Ring,
    /// Its floats of [`Cache::states`].
    state: Range<usize>,
}

/// Keys and values, layer by layer: `[layers][streams][kv_heads][capacity][head_dim]`, so that what one head attends to
/// is a matrix of neighbouring rows; and the states.
#[derive(Debug)]
pub struct Cache {
    positions: usize,
    end: usize,
    layers: Vec<Layer>,
    data: Vec<u8>,
    states: Vec<f32>,
}

impl Cache {
    /// An empty cache; `None` if its size does not fit in `usize` or any of its dimensions is 0.
    pub fn new(shape: &Shape) -> Option<Cache> {
        shape.bytes()?;
        let (mut bytes, mut floats) = (0usize, 0usize);
        let mut layers = Vec::with_capacity(shape.layers.len());
        for layer in &shape.layers {
            let row_bytes = layer.head_dim * layer.kv_type.format().block_bytes();
            let start = bytes;
            bytes = bytes.checked_add(layer.rows_bytes(layer.capacity).filter(|&bytes| bytes > 0)?)?;
            let state = floats..floats.checked_add(layer.state)?;
            floats = state.end;
            layers.push(Layer { shape: *layer, start, row_bytes, ring: Ring::new(layer.capacity), state });
        }
        let (data, states) = (vec![0; bytes], vec![0.0; floats]);
        Some(Cache { positions: shape.positions, end: 0, layers, data, states })
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.data.len() + self.states.len() * size_of::<f32>()
    }

    /// Positions appended so far, which is also the next position.
    pub fn end(&self) -> usize {
        self.end
    }

    /// Positions that can still be appended.
    pub fn free(&self) -> usize {
        self.positions.saturating_sub(self.end)
    }

    /// Forgets the positions from `end` on, and returns the next position: `end`, or 0 where a layer no longer holds what a token at `end`
    /// sees, or has a state that no position can be taken out of; then everything is forgotten.
    pub fn truncate(&mut self, end: usize) -> usize {
        let end = end.min(self.end);
        let kept = end == self.end || self.layers.iter().all(|layer| layer.can_go_on_at(end));
        self.end = if kept { end } else { 0 };
        self.layers.iter_mut().for_each(|layer| layer.ring.truncate(self.end));
        if self.end == 0 {
            self.states.fill(0.0);
        }
        self.end
    }

    /// Appends `count` positions, to be stored in every layer.
    pub fn append(&mut self, count: usize) -> Range<usize> {
        let first = self.end;
        self.end += count;
        for layer in &mut self.layers {
            layer.ring.append(count);
        }
        first..self.end
    }

    /// Stores what one layer keeps of a position: for each stream `kv_heads x head_dim` values.
    ///
    /// # Panics
    ///
    /// If the lengths or the layer are wrong.
    pub fn store(&mut self, kernels: &Kernels, layer: usize, position: usize, streams: &[&[f32]]) {
        let layer = &self.layers[layer];
        let LayerShape { kv_heads, head_dim, kv_type, .. } = layer.shape;
        let slot = layer.ring.slot(position);
        assert_eq!(streams.len(), layer.shape.streams, "streams of one position");
        for (stream, rows) in streams.iter().enumerate() {
            assert_eq!(rows.len(), kv_heads * head_dim, "values of one position");
            for (head, row) in rows.chunks_exact(head_dim).enumerate() {
                let out = &mut self.data[layer.rows(stream, head, slot..slot + 1)];
                match kv_type {
                    KvType::F16 => kernels.narrow_f16(row, out),
                    KvType::F32 => {
                        out.as_chunks_mut().0.iter_mut().zip(row).for_each(|(out, x)| *out = x.to_le_bytes())
                    }
                }
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
    pub fn load(&self, layer: usize, position: usize, out: &mut [f32]) {
        let layer = &self.layers[layer];
        let slot = layer.ring.slot(position);
        for (head, out) in out.chunks_exact_mut(layer.shape.head_dim).enumerate() {
            layer.shape.kv_type.format().decode(&self.data[layer.rows(0, head, slot..slot + 1)], out);
        }
    }

    /// Reads the first stream of the positions that lie just before `position`, oldest first, as many as `out` has room for; zeros before the
    /// first of all.
    ///
    /// # Panics
    ///
    /// If `out` is no whole number of positions or the layer is wrong.
    pub fn load_before(&self, layer: usize, position: usize, out: &mut [f32]) {
        let LayerShape { kv_heads, head_dim, .. } = self.layers[layer].shape;
        let (width, len) = (kv_heads * head_dim, out.len());
        assert!(len.is_multiple_of(width), "{len} values in positions of {width}");
        for (i, out) in out.chunks_exact_mut(width).enumerate() {
            match (position + i).checked_sub(len / width) {
                Some(position) => self.load(layer, position, out),
                None => out.fill(0.0),
            }
        }
    }

    /// What all positions of a layer have gone into; zeros before the first.
    ///
    /// # Panics
    ///
    /// If there is no such layer.
    pub fn state_mut(&mut self, layer: usize) -> &mut [f32] {
        &mut self.states[self.layers[layer].state.clone()]
    }

    /// The slots of a layer that hold positions, oldest first, as two runs; the second is empty unless they wrap.
    pub fn slots(&self, layer: usize) -> [Range<usize>; 2] {
        self.layers[layer].ring.spans(self.end)
    }

    /// Keys of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn keys(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        &self.data[self.layers[layer].rows(0, head, slots)]
    }

    /// Values of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn values(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        &self.data[self.layers[layer].rows(1, head, slots)]
    }
}

impl Layer {
    /// The bytes of a run of slots of a head's stream.
    fn rows(&self, stream: usize, head: usize, slots: Range<usize>) -> Range<usize> {
        let head = stream * self.shape.kv_heads + head;
        let start = self.start + head * self.shape.capacity * self.row_bytes;
        start + slots.start * self.row_bytes..start + slots.end * self.row_bytes
    }

    /// Whether everything that a token at position `end` sees is still held.
    fn can_go_on_at(&self, end: usize) -> bool {
        if self.shape.state > 0 {
            return end == 0;
        }
        let oldest = self.shape.window.map_or(0, |window| (end + 1).saturating_sub(window));
        oldest >= end || self.ring.start() <= oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_where_they_were_stored() {
        let kernels = Kernels::best();
        for kv_type in [KvType::F32, KvType::F16] {
            let layer = LayerShape {
                streams: 2,
                kv_heads: 2,
                head_dim: 3,
                capacity: 4,
                window: None,
                kv_type,
                state: 0,
            };
            let shape = Shape { layers: vec![layer; 2], positions: 4 };
            let mut cache = Cache::new(&shape).unwrap();
            assert_eq!(shape.bytes(), Some(cache.bytes()));
            assert_eq!(cache.bytes(), 2 * 2 * 2 * 4 * 3 * kv_type.format().block_bytes());
            for position in cache.append(4) {
                for layer in 0..2 {
                    let value =
                        |kind: usize, i: usize| (layer * 1000 + kind * 100 + position * 10 + i) as f32;
                    let row = |kind: usize| -> Vec<f32> { (0..6).map(|i| value(kind, i)).collect() };
                    cache.store(&kernels, layer, position, &[&row(0), &row(1)]);
                }
            }
            let floats = |bytes: &[u8], n: usize| {
                let mut out = vec![0.0; n];
                kv_type.format().decode(bytes, &mut out);
                out
            };
            assert_eq!(floats(cache.keys(1, 1, 2..4), 6), [1023.0, 1024.0, 1025.0, 1033.0, 1034.0, 1035.0]);
            assert_eq!(floats(cache.values(0, 0, 1..2), 3), [110.0, 111.0, 112.0]);
            let mut row = [0.0; 6];
            cache.load(0, 2, &mut row);
            assert_eq!(row, [20.0, 21.0, 22.0, 23.0, 24.0, 25.0]);
            let mut rows = [f32::NAN; 12];
            cache.load_before(0, 1, &mut rows);
            assert_eq!(rows, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        for (kv_heads, head_dim, capacity) in [(usize::MAX, 2, 2), (1, 0, 2)] {
            let kv_type = KvType::F16;
            let layers = vec![LayerShape {
                streams: 2,
                kv_heads,
                head_dim,
                capacity,
                window: None,
                kv_type,
                state: 0,
            }];
            assert!(Cache::new(&Shape { layers, positions: 2 }).is_none());
        }
    }

    /// A layer with a window of 3 in 5 slots, beside one that keeps all.
    #[test]
    fn what_a_window_has_lost_cannot_be_gone_back_to() {
        let kv_type = KvType::F32;
        let all = LayerShape {
            streams: 2,
            kv_heads: 1,
            head_dim: 1,
            capacity: 20,
            window: None,
            kv_type,
            state: 0,
        };
        let layers = vec![all, LayerShape { capacity: 5, window: Some(3), ..all }];
        let mut cache = Cache::new(&Shape { layers, positions: 20 }).unwrap();
        cache.append(5);
        assert_eq!(cache.truncate(1), 1);
        cache.append(9);
        assert_eq!((cache.end(), cache.free()), (10, 10));
        assert_eq!(cache.slots(0), [0..10, 0..0]);
        let shape = Shape { layers: vec![all, LayerShape { window: Some(3), ..all }], positions: 20 };
        assert_eq!((shape.read_bytes(2), shape.read_bytes(10)), (Some(2 * 2 * 8), Some((10 + 3) * 8)));
        // positions 5..10 are held
        assert_eq!(cache.truncate(7), 7);
        assert_eq!(cache.slots(1), [0..2, 0..0]);
        assert_eq!(cache.truncate(6), 0);
        assert_eq!((cache.end(), cache.slots(0)), (0, [0..0, 0..0]));
    }

    /// Two layers with states beside one that keeps all.
    #[test]
    fn a_state_goes_on_or_begins_anew() {
        let kv_type = KvType::F16;
        let all =
            LayerShape { streams: 2, kv_heads: 1, head_dim: 1, capacity: 9, window: None, kv_type, state: 0 };
        let layers = vec![LayerShape { state: 3, ..all }, all, LayerShape { state: 2, ..all }];
        let shape = Shape { layers, positions: 9 };
        let mut cache = Cache::new(&shape).unwrap();
        assert_eq!(shape.bytes(), Some(cache.bytes()));
        assert_eq!(cache.bytes(), 3 * 2 * 9 * 2 + 5 * 4);
        cache.append(4);
        cache.state_mut(0).copy_from_slice(&[1.0, 2.0, 3.0]);
        cache.state_mut(2).copy_from_slice(&[4.0, 5.0]);
        assert!(cache.state_mut(1).is_empty());
        assert_eq!((cache.truncate(4), cache.truncate(7)), (4, 4));
        assert_eq!(cache.state_mut(0), [1.0, 2.0, 3.0]);
        assert_eq!(cache.truncate(3), 0);
        assert_eq!((cache.state_mut(0).to_vec(), cache.state_mut(2).to_vec()), (vec![0.0; 3], vec![0.0; 2]));
        let states = vec![LayerShape { state: usize::MAX / 2, ..all }];
        assert!(Cache::new(&Shape { layers: states, positions: 9 }).is_none());
    }
}
