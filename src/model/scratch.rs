//! The buffers of a forward pass, allocated once for the largest batch.

use super::config::{Factors, Rope};
use super::plan::Sizes;
use super::sinks::Sinks;
use super::{Model, Plan};
use crate::ops::{RopeTable, attention, matmul};

/// Buffers; shapes are rows x columns, `b` is the batch.
pub(super) struct Scratch {
    /// `b x embedding`: the residual stream.
    pub x: Vec<f32>,
    /// `b x embedding`: what a part of a layer reads, normalized.
    pub h: Vec<f32>,
    /// `b x embedding`: what a part of a layer adds.
    pub added: Vec<f32>,
    /// `b x` the wider of attention (query, key, value, and what was found; or what stands in its place) and feed-forward (gate and up, or
    /// what experts need): one follows the other.
    pub wide: Vec<f32>,
    /// `b x layers x per_layer`: what layers have of each token for themselves; empty if they have nothing.
    pub per_layer: Vec<f32>,
    /// `b x embedding`: what a dense feed-forward part adds; empty if there is none beside experts.
    pub dense: Vec<f32>,
    /// `b x experts.used`: where each token goes.
    pub choices: Vec<Choice>,
    /// `b`: the tokens of one expert.
    pub members: Vec<Choice>,
    /// For projections of the widest row, `b` times.
    pub matmul: matmul::Workspace,
    /// Angles of each rotary embedding, `(b + sinks) x rope.dims / 2`.
    pub ropes: Vec<RopeTable>,
    /// What stays of endless text.
    pub sinks: Sinks,
    /// For attention over all of the cache.
    pub attention: attention::Workspace,
    /// `vocabulary`.
    pub logits: Vec<f32>,
}

/// A token's expert, or an expert's token, and the weight of what the one adds to the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Choice {
    pub index: u32,
    pub weight: f32,
}

impl Scratch {
    pub fn new(model: &Model, plan: &Plan, threads: usize) -> Scratch {
        let (sizes, config) = (Sizes::new(model, plan.batch, plan.sinks), model.config());
        let rows = |width: usize| vec![0.0; plan.batch * width];
        let table = |rope: &Rope| {
            let factors = model.weights().rope_factors.for_context(plan.longest(), rope.original_context);
            let factors = factors.filter(|_| rope.factors != Factors::Others);
            RopeTable::new(rope.frequencies(factors), rope.magnitude(), sizes.angle_rows())
        };
        Scratch {
            x: rows(sizes.embedding),
            h: rows(sizes.embedding),
            added: rows(sizes.embedding),
            wide: vec![0.0; plan.batch * sizes.wide + sizes.before],
            per_layer: rows(sizes.per_layer),
            dense: rows(sizes.dense),
            choices: vec![Choice::default(); plan.batch * sizes.used],
            members: vec![Choice::default(); if sizes.used > 0 { plan.batch } else { 0 }],
            matmul: matmul::Workspace::new(sizes.extent(), threads),
            ropes: config.ropes.iter().map(table).collect(),
            sinks: Sinks::new(config, plan),
            attention: attention::Workspace::new(config.widest_heads(), plan.longest(), threads),
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
