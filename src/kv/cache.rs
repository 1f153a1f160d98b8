//! The bytes of the cache: keys and values of every layer, allocated once.

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
    /// How values are stored.
    pub kv_type: KvType,
}

impl Shape {
    /// Bytes of the whole cache; `None` if that does not fit in `usize`.
    pub fn bytes(&self) -> Option<usize> {
        let row = self.kv_type.format().row_bytes(self.head_dim)?;
        [self.kv_heads, self.capacity, row, 2].iter().try_fold(self.layers, |n, &m| n.checked_mul(m))
    }

    fn row_bytes(&self) -> usize {
        self.head_dim * self.kv_type.format().block_bytes()
    }

    fn head_bytes(&self) -> usize {
        self.capacity * self.row_bytes()
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

    /// Forgets the positions from `end` on ([`Ring::truncate`]).
    pub fn truncate(&mut self, end: usize) {
        self.ring.truncate(end);
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
        let (head_dim, row_bytes) = (self.shape.head_dim, self.shape.row_bytes());
        for (kind, rows) in [keys, values].into_iter().enumerate() {
            assert_eq!(rows.len(), self.shape.kv_heads * head_dim, "keys or values of one position");
            for (head, row) in rows.chunks_exact(head_dim).enumerate() {
                let at = self.head_start(layer, kind, head) + slot * row_bytes;
                let out = &mut self.data[at..at + row_bytes];
                match self.shape.kv_type {
                    KvType::F16 => kernels.narrow_f16(row, out),
                    KvType::F32 => {
                        out.as_chunks_mut().0.iter_mut().zip(row).for_each(|(out, x)| *out = x.to_le_bytes())
                    }
                }
            }
        }
    }

    /// How keys and values are stored.
    pub fn kv_type(&self) -> KvType {
        self.shape.kv_type
    }

    /// Keys of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn keys(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        self.rows(layer, 0, head, slots)
    }

    /// Values of a head, for a run of slots: `slots.len() x head_dim`.
    pub fn values(&self, layer: usize, head: usize, slots: Range<usize>) -> &[u8] {
        self.rows(layer, 1, head, slots)
    }

    fn rows(&self, layer: usize, kind: usize, head: usize, slots: Range<usize>) -> &[u8] {
        let (start, row) = (self.head_start(layer, kind, head), self.shape.row_bytes());
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
        let kernels = Kernels::best();
        for kv_type in [KvType::F32, KvType::F16] {
            let mut cache =
                Cache::new(Shape { layers: 2, kv_heads: 2, head_dim: 3, capacity: 4, kv_type }).unwrap();
            assert_eq!(cache.bytes(), 2 * 2 * 2 * 4 * 3 * kv_type.format().block_bytes());
            for position in cache.append(4) {
                for layer in 0..2 {
                    let value =
                        |kind: usize, i: usize| (layer * 1000 + kind * 100 + position * 10 + i) as f32;
                    let row = |kind: usize| -> Vec<f32> { (0..6).map(|i| value(kind, i)).collect() };
                    cache.store(&kernels, layer, position, &row(0), &row(1));
                }
            }
            let floats = |bytes: &[u8], n: usize| {
                let mut out = vec![0.0; n];
                kv_type.format().decode(bytes, &mut out);
                out
            };
            assert_eq!(floats(cache.keys(1, 1, 2..4), 6), [1023.0, 1024.0, 1025.0, 1033.0, 1034.0, 1035.0]);
            assert_eq!(floats(cache.values(0, 0, 1..2), 3), [110.0, 111.0, 112.0]);
        }
    }

    #[test]
    fn sizes_that_overflow_are_refused() {
        assert!(
            Cache::new(Shape {
                layers: 1,
                kv_heads: usize::MAX,
                head_dim: 2,
                capacity: 2,
                kv_type: KvType::F16
            })
            .is_none()
        );
        assert!(
            Cache::new(Shape { layers: 1, kv_heads: 1, head_dim: 0, capacity: 2, kv_type: KvType::F16 })
                .is_none()
        );
    }
}
