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
    /// `b x q_values`.
    pub q: Vec<f32>,
    /// `b x kv_values`.
    pub k: Vec<f32>,
    /// `b x kv_values`.
    pub v: Vec<f32>,
    /// `b x q_values`: what attention found.
    pub attended: Vec<f32>,
    /// `b x feed_forward`.
    pub gate: Vec<f32>,
    /// `b x feed_forward`.
    pub up: Vec<f32>,
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
            q: rows(sizes.q),
            k: rows(sizes.kv),
            v: rows(sizes.kv),
            attended: rows(sizes.q),
            gate: rows(sizes.feed_forward),
            up: rows(sizes.feed_forward),
            matmul: matmul::Workspace::new(plan.batch, sizes.widest, threads),
            rope: RopeTable::new(sizes.rope, rope.base, rope.scale, factors, plan.batch),
            attention: attention::Workspace::new(model.config().heads, plan.capacity, threads),
            logits: vec![0.0; sizes.vocabulary],
        }
    }
}
