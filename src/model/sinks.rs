//! The first positions of endless text, which stay while those after them are overwritten: for [`Decoder`](super::Decoder) only.
//!
//! Rotary embedding sees distances. What stays would get ever farther away, beyond what the model was trained for; so it follows
//! (Xiao et al. 2023, arXiv:2309.17453): sink `i` always looks as if it stood just before the oldest position that is held. Its keys are kept as they
//! are before they are turned, and turned anew for each pass. Values have no position.

use super::config::LayerConfig;
use super::{Config, Plan};
use crate::kv::Cache;
use crate::kv::Sequence;
use crate::ops::{Heads, RopeTable, rope::RopeStyle};
use siskin_simd::Kernels;
use std::ops::Range;

/// Keys of the sinks before rotary embedding: `[layers][sinks][width]`, of the layers that store any.
pub(super) struct Sinks {
    count: usize,
    /// Positions that the cache holds.
    capacity: usize,
    /// Values of the widest key.
    width: usize,
    keys: Vec<f32>,
    /// A key that is being turned.
    turned: Vec<f32>,
}

impl Sinks {
    pub fn new(config: &Config, plan: &Plan) -> Sinks {
        let (count, width) = (plan.sinks.unwrap_or(0), config.widest_heads().kv_values());
        Sinks {
            count,
            capacity: plan.sinks.map_or(usize::MAX, |_| plan.capacity),
            width,
            keys: vec![0.0; config.storing().len() * count * width],
            turned: vec![0.0; if count > 0 { width } else { 0 }],
        }
    }

    /// Bytes that [`Sinks::new`] allocates; `None` if that does not fit in `usize`.
    pub fn bytes(config: &Config, count: usize) -> Option<usize> {
        let rows = config.storing().len().checked_mul(count)?.checked_add(usize::from(count > 0))?;
        rows.checked_mul(config.widest_heads().kv_values())?.checked_mul(size_of::<f32>())
    }

    /// How far the text has moved on when its next position is `end`: what has been overwritten. Position `p` then is place `p - moved` of what the
    /// model sees, and sink `i` is place `i`.
    pub fn moved(&self, end: usize) -> usize {
        end.saturating_sub(self.capacity)
    }

    /// Where the sinks look as if they stood, in a pass after which the next position is `end`; none before anything was overwritten.
    pub fn positions(&self, end: usize) -> Range<usize> {
        let moved = self.moved(end);
        if moved > 0 { moved..moved + self.count } else { 0..0 }
    }

    /// Keeps the key of a position, if it is a sink's, before it is turned.
    pub fn keep(&mut self, layer: usize, position: usize, key: &[f32]) {
        if position < self.count {
            let at = (layer * self.count + position) * self.width;
            self.keys[at..at + key.len()].copy_from_slice(key);
        }
    }

    /// Stores the sinks' keys of a layer, turned by the angles of the table's rows from `first` on.
    pub fn store(
        &mut self,
        (cache, kernels): (&mut Cache, &Kernels),
        (layer, heads): (usize, Heads),
        (table, style): (&RopeTable, RopeStyle),
        first: usize,
    ) {
        for sink in 0..self.count {
            let turned = &mut self.turned[..heads.kv_values()];
            let at = (layer * self.count + sink) * self.width;
            turned.copy_from_slice(&self.keys[at..at + turned.len()]);
            table.apply(kernels, style, first + sink, heads.head_dim, 1.0, turned);
            cache.store(kernels, layer, (Sequence::Trunk, sink), &[turned]);
        }
    }
}

impl Plan {
    /// The window of a layer that is narrower than what is held, which then holds only that.
    pub(super) fn window(&self, layer: &LayerConfig) -> Option<usize> {
        layer.window.filter(|&window| self.sinks.is_none() || window < self.capacity)
    }
}
