//! The bytes of the cache: keys and values of every layer, in f16, allocated once.

use super::Ring;
use siskin_simd::Kernels;
use std::ops::Range;

/// Bytes of one stored value.
const VALUE_BYTES: usize = 2;

/// What a cache is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Layers.
    pub layers: usize,
    /// Key-value heads of a layer.
    pub kv_heads: usize,
    /// Values of a head.
    pub head_dim: usize,
    /// Positions held.
    pub capacity: usize,
}

impl Shape {
    /// Bytes of the whole cache; `None` if that does not fit in `usize`.
    pub fn bytes(&self) -> Option<usize> {
        [self.kv_heads, self.capacity, self.head_dim, VALUE_BYTES, 2].iter().try_fold(self.layers, |n, &m| n.checked_mul(m))
    }

    fn head_bytes(&self) -> usize {
        self.capacity * self.head_dim * VALUE_BYTES
    }
}

/// Keys and values, layer by layer: `[layers][key, value][kv_heads][capacity][head_dim]`, so that what one head attends to
/// is a matrix of neighbouring rows.
#[derive(Debug)]
pub struct Cache {
    shape: Shape,
    ring: Ring,
    data: Vec<u8>,
}

impl Cache {
    /// An empty cache; `None` if its size does not fit in `usize` or any of its dimensions is 0.
    pub fn new(shape: Shape) -> Option<Cache> {
        let bytes = shape.bytes().filter(|&bytes| bytes > 0)?;
        Some(Cache { shape, ring: Ring::new(shape.capacity), data: vec![0; bytes] })
    }

    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.data.len()
    }

    /// Which slot holds which position.
    pub fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Appends `count` positions, to be stored in every layer.
    pub fn append(&mut self, count: usize) -> Range<usize> {
        self.ring.append(count)
    }

    /// Stores the keys and values of one position in one layer: `kv_heads x head_dim` each.
    ///
    /// # Panics
    ///
    /// If the lengths or the layer are wrong.
    pub fn store(&mut self, kernels: &Kernels, layer: usize, position: usize, keys: &[f32], values: &[f32]) {
        let slot = self.ring.slot(position);
        let head_dim = self.shape.head_dim;
        for (kind, rows) in [keys, values].into_iter().enumerate() {
            assert_eq!(rows.len(), self.shape.kv_heads * head_dim, "keys or values of one position");
            for (head, row) in rows.chunks_exact(head_dim).enumerate() {
                let at = self.head_start(layer, kind, head) + slot * head_dim * VALUE_BYTES;
                kernels.narrow_f16(row, &mut self.data[at..at + head_dim * VALUE_BYTES]);
            }
        }
    }

    /// Keys of a head, f16, for a run of slots: `slots.len() x head_dim`.
    pub fn keys(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        self.rows(layer, 0, head, slots)
    }

    /// Values of a head, f16, for a run of slots: `slots.len() x head_dim`.
    pub fn values(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        self.rows(layer, 1, head, slots)
    }

    fn rows(&self, layer: usize, kind: usize, head: usize, slots: Range<usize>) -> &[u8] {
        let (start, row) = (self.head_start(layer, kind, head), self.shape.head_dim * VALUE_BYTES);
        &self.data[start + slots.start * row..start + slots.end * row]
    }

    fn head_start(&self, layer: usize, kind: usize, head: usize) -> usize {
        ((layer * 2 + kind) * self.shape.kv_heads + head) * self.shape.head_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_where_they_were_stored() {
        let shape = Shape { layers: 2, kv_heads: 2, head_dim: 3, capacity: 4 };
        let mut cache = Cache::new(shape).unwrap();
        let kernels = Kernels::best();
        assert_eq!(cache.bytes(), 2 * 2 * 2 * 4 * 3 * 2);
        for position in cache.append(4) {
            for layer in 0..2 {
                let row = |kind: usize| -> Vec<f32> { (0..6).map(|i| (layer * 1000 + kind * 100 + position * 10 + i) as f32).collect() };
                cache.store(&kernels, layer, position, &row(0), &row(1));
            }
        }
        let floats = |bytes: &[u8]| -> Vec<f32> {
            bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect()
        };
        assert_eq!(floats(cache.keys(1, 1, 2..4)), [1023.0, 1024.0, 1025.0, 1033.0, 1034.0, 1035.0]);
        assert_eq!(floats(cache.values(0, 0, 1..2)), [110.0, 111.0, 112.0]);
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert!(Cache::new(Shape { layers: 1, kv_heads: usize::MAX, head_dim: 2, capacity: 2 }).is_none());
        assert!(Cache::new(Shape { layers: 1, kv_heads: 1, head_dim: 0, capacity: 2 }).is_none());
    }
}
