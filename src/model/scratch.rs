//! The buffers of a forward pass, allocated once for the largest batch.

use super::plan::Sizes;
use super::{Model, Plan};
use crate::ops::{RopeTable, attention, matmul};

/// Buffers; shapes are rows x columns, `b` is the batch.
pub(super) struct Scratch {
    /// `b x embedding`: the residual stream.
    pub x: Vec<f32>,
    /// `b x embedding`: what a part of a layer reads (normalized) or adds.
    pub h: Vec<f32>,
    /// `b x` the wider of attention (query, key, value, and what was found) and feed-forward (gate and up): one follows the other.
    pub wide: Vec<f32>,
    /// For projections of the widest row, `b` times.
    pub matmul: matmul::Workspace,
    /// Angles, `b x rope.dims / 2`.
    pub rope: RopeTable,
    /// For attention over all of the cache.
    pub attention: attention::Workspace,
    /// `vocabulary`.
    pub logits: Vec<f32>,
}

impl Scratch {
    pub fn new(model: &Model, plan: &Plan, threads: usize) -> Scratch {
        let (sizes, rope) = (Sizes::new(model, plan.batch), &model.config().rope);
        let rows = |width: usize| vec![0.0; plan.batch * width];
        let factors = model.weights().rope_factors.as_deref();
        Scratch {
            x: rows(sizes.embedding),
            h: rows(sizes.embedding),
            wide: rows(sizes.wide),
            matmul: matmul::Workspace::new(plan.batch, sizes.widest, threads),
            rope: RopeTable::new(sizes.rope, rope.base, rope.scale, factors, plan.batch),
            attention: attention::Workspace::new(model.config().heads, plan.capacity, threads),
            logits: vec![0.0; sizes.vocabulary],
        }
    }
}

/// The first parts of a buffer, with so many values each.
///
/// # Panics
///
/// If the buffer is shorter.
pub(super) fn parts<const N: usize>(mut buffer: &mut [f32], lengths: [usize; N]) -> [&mut [f32]; N] {
    lengths.map(|length| {
        let (part, rest) = std::mem::take(&mut buffer).split_at_mut(length);
        buffer = rest;
        part
    })
}
