//! The pass from token ids to logits, the same for prefill (many tokens) and decode (one).
//!
//! ```text
//! x = embedding[token]
//! for each layer:
//!     h = norm(x);  x += norm(attention(h))            attention.rs, short_conv.rs or delta_net.rs
//!     h = norm(x);  x += norm(feed_forward(h))         feed_forward.rs, experts.rs
//!     x += norm(the layer's own of the token)          per_layer.rs
//! logits = Wout norm(x)
//! ```
//!
//! A family may lack any of these norms, and has its own constants and functions: all of that is in [`Config`](super::Config).

use super::config::Norms;
use super::scratch::Scratch;
use super::stages::{StageTimes, Stopwatch};
use super::weights::{Mixer, Norm};
use super::{Model, Plan};
use crate::kv::shape::BranchShape;
use crate::kv::{Cache, Sequence};
use crate::ops::rows::NormKind;
use crate::ops::{Activations, Cpu, Projection, RopeTable, project, rows};
use siskin_simd::LANES;
use std::fmt;
use std::ops::Range;

/// A model at work: the cache of one sequence, and the buffers of a pass.
pub struct Decoder<'m> {
    pub(super) model: &'m Model,
    pub(super) cpu: Cpu,
    pub(super) cache: Cache,
    pub(super) scratch: Scratch,
    pub(super) plan: Plan,
    /// Rows of the last pass.
    pub(super) rows: usize,
    /// Whose they were.
    runs: Vec<Run>,
    watch: Stopwatch,
}

/// Rows of a pass that follow each other in one sequence.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub sequence: Sequence,
    /// The position of the first row.
    pub first: usize,
    pub rows: Range<usize>,
}

impl Run {
    /// Row, sequence and position of each token.
    pub fn tokens(&self) -> impl Iterator<Item = (usize, Sequence, usize)> {
        self.rows.clone().zip(self.first..).map(|(row, position)| (row, self.sequence, position))
    }
}

impl fmt::Debug for Decoder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder")
            .field("position", &self.position())
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

impl<'m> Decoder<'m> {
    /// Allocates what the plan says; nothing is allocated after that.
    ///
    /// # Panics
    ///
    /// If the plan was made for another model, or for fewer threads than the team has.
    pub fn new(model: &'m Model, plan: &Plan, cpu: Cpu) -> Decoder<'m> {
        let scratch = Scratch::new(model, plan, cpu.team.threads());
        let cache = Cache::new(&plan.shape(model.config())).expect("the plan computed this size");
        let runs = Vec::with_capacity(plan.branches.count.max(1));
        Decoder { model, cpu, cache, scratch, plan: *plan, rows: 0, runs, watch: Stopwatch::default() }
    }

    /// Bytes that [`Decoder::new`] allocates to know what is where, beside the cache and the buffers of the plan.
    pub(super) fn record_bytes(model: &Model, branches: BranchShape) -> usize {
        let ropes = model.config().ropes.len() * size_of::<RopeTable>();
        ropes.saturating_add(branches.count.max(1).saturating_mul(size_of::<Run>()))
    }

    /// Tokens that one pass can take.
    pub fn max_batch(&self) -> usize {
        self.plan.batch
    }

    /// The next position, which is the number of tokens seen.
    pub fn position(&self) -> usize {
        self.cache.end()
    }

    /// Positions left before the cache is full; of endless text there is no end of them.
    pub fn free(&self) -> usize {
        self.cache.free()
    }

    /// What computes.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The same, to be used for other work between passes.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    /// Takes the time of each stage from now on ([`Decoder::stage_times`]).
    pub fn time_stages(&mut self) {
        self.watch.switch_on();
    }

    /// What the stages of all passes took since [`Decoder::time_stages`]; `None` without it.
    pub fn stage_times(&self) -> Option<StageTimes> {
        self.watch.times()
    }

    /// Forgets the tokens from position `end` on, and returns the next position: `end`, or 0 where a layer with a window has already
    /// dropped what the token at `end` sees, or a layer has a state that no token can be taken out of; then everything is forgotten. Branches
    /// are forgotten in any case.
    pub fn truncate(&mut self, end: usize) -> usize {
        self.cache.truncate(end)
    }

    /// Lets `count` branches begin after the tokens seen, instead of those there were: sequences that go on from there, each by itself. Until
    /// [`Decoder::truncate`] ends them, only they go on.
    ///
    /// # Panics
    ///
    /// If the plan has no room for so many.
    pub fn branch(&mut self, count: usize) {
        self.cache.branch(count);
    }

    /// Replaces all branches: branch `i` becomes what branch `parents[i]` was. What several then have in common is kept once as far as it lies
    /// before the branches began; of what comes after, only what differs is copied.
    ///
    /// # Panics
    ///
    /// If the plan has no room for so many, or there is no such parent.
    pub fn rearrange(&mut self, parents: &[usize]) {
        self.cache.rearrange(parents);
    }

    /// Gives one of the branches room for so many of the positions that all share, instead of what it had, and lets it begin again, without tokens
    /// of its own; 0 gives them back. The others go on.
    ///
    /// # Panics
    ///
    /// If there is no such branch, they do not share positions, or fewer are free ([`Decoder::free_to_share`]).
    pub fn give_branch(&mut self, branch: usize, positions: usize) {
        self.cache.give(branch, positions);
    }

    /// Positions that branches which share them can still be given.
    pub fn free_to_share(&self) -> usize {
        self.cache.free_to_share()
    }

    /// Computes every row from now on as in a large batch, however few there are in a pass: what a sequence becomes then does not depend
    /// on what else is in its passes. A pass of one or two rows takes longer for it.
    ///
    /// # Panics
    ///
    /// If the plan's batch is smaller than [`LANES`] rows.
    pub fn round_alike(&mut self) {
        assert!(self.max_batch() >= LANES, "batches of {} rows, expected at least {LANES}", self.max_batch());
        self.scratch.matmul.round_alike();
    }

    /// Runs one more token of each branch that is named: weights are read once for all of them. Row `i` of the pass is `tokens[i]`, a branch and
    /// a token below the vocabulary's size.
    ///
    /// # Panics
    ///
    /// If there are none, a branch is full or does not exist, or a branch is named twice.
    pub fn forward_branches(&mut self, tokens: &[(usize, u32)]) {
        self.forward_runs(tokens.iter().map(|(branch, token)| (*branch, std::slice::from_ref(token))));
    }

    /// Runs the next tokens of each branch that is named: those of the first are the first rows of the pass, and so on.
    ///
    /// # Panics
    ///
    /// If there are no tokens, or more than [`Decoder::max_batch`]; if a branch has no room for its tokens or does not exist, gets more at once than
    /// the plan has room for, or is named twice.
    pub fn forward_runs<'t>(&mut self, runs: impl Iterator<Item = (usize, &'t [u32])> + Clone) {
        self.runs.clear();
        let mut row = 0;
        for (branch, tokens) in runs.clone() {
            let (sequence, count) = (Sequence::Branch(branch), tokens.len());
            assert!(
                (1..=self.plan.branches.run.max(1)).contains(&count),
                "{count} tokens of branch {branch} in a pass"
            );
            assert!(self.cache.free_in(sequence) >= count, "branch {branch} is full");
            assert!(self.runs.iter().all(|run| run.sequence != sequence), "branch {branch} twice");
            let first = self.cache.append(sequence, count).start;
            self.runs.push(Run { sequence, first, rows: row..row + count });
            row += count;
        }
        assert!(
            (1..=self.max_batch()).contains(&row),
            "{row} tokens in a pass, at most {}",
            self.max_batch()
        );
        self.pass(runs.flat_map(|(_, tokens)| tokens.iter().copied()));
    }

    /// Lets only so many threads of the team take part from now on ([`crate::threads::Team::limit`]).
    pub fn limit_threads(&mut self, threads: usize) {
        self.cpu.team.limit(threads);
    }

    /// Runs tokens through the layers: 1 to [`Decoder::max_batch`] of them, each below the vocabulary's size, at most
    /// [`Decoder::free`].
    ///
    /// # Panics
    ///
    /// If `tokens` are not.
    pub fn forward(&mut self, tokens: &[u32]) {
        assert!(
            (1..=self.max_batch()).contains(&tokens.len()),
            "{} tokens in a pass, at most {}",
            tokens.len(),
            self.max_batch()
        );
        assert!(tokens.len() <= self.free(), "{} tokens, {} positions free", tokens.len(), self.free());
        let first = self.cache.append(Sequence::Trunk, tokens.len()).start;
        self.runs.clear();
        self.runs.push(Run { sequence: Sequence::Trunk, first, rows: 0..tokens.len() });
        self.pass(tokens.iter().copied());
    }

    /// Runs tokens, one for each row of the runs.
    fn pass(&mut self, tokens: impl Iterator<Item = u32> + Clone) {
        let runs = std::mem::take(&mut self.runs);
        let positions = || runs.iter().flat_map(Run::tokens).map(|(_, _, position)| position);
        self.rows = runs.iter().map(|run| run.rows.len()).sum();
        self.watch.start_pass();
        self.embed(tokens.clone(), positions());
        self.embed_per_layer(tokens);
        self.watch.lap(|times| &mut times.embedding);
        let sinks = self.scratch.sinks.positions(self.cache.end());
        self.scratch.ropes.iter_mut().for_each(|rope| rope.fill(positions().chain(sinks.clone())));
        let model = self.model;
        for (index, layer) in model.weights().layers.iter().enumerate() {
            self.normalize(layer.attn_norm.as_ref());
            match &layer.mixer {
                Mixer::Attention(weights) => self.attention(index, weights, &runs),
                Mixer::ShortConv(weights) => self.short_conv(index, weights, &runs),
                Mixer::DeltaNet(weights) => self.delta_net(index, weights, &runs),
            }
            self.add(layer.attn_post_norm.as_ref());
            self.watch.lap(|times| &mut times.attention);
            if layer.ffn_norm.is_some() || !model.config().parallel {
                self.normalize(layer.ffn_norm.as_ref());
            }
            self.feed_forward(&layer.ffn);
            self.add(layer.ffn_post_norm.as_ref());
            self.finish_layer(index, layer);
            self.watch.lap(|times| &mut times.feed_forward);
        }
        self.runs = runs;
    }

    /// The logits after row `row` of the last pass, one for each entry of the vocabulary.
    ///
    /// # Panics
    ///
    /// If the last pass had no such row.
    pub fn logits(&mut self, row: usize) -> &[f32] {
        let mut logits = std::mem::take(&mut self.scratch.logits);
        self.logits_of(row..row + 1, &mut logits);
        self.scratch.logits = logits;
        &self.scratch.logits
    }

    /// The logits after some rows of the last pass, `rows x vocabulary`: the output projection is read once for all of them.
    ///
    /// # Panics
    ///
    /// If the last pass had no such rows, or `out` is of another size.
    pub fn logits_of(&mut self, rows: Range<usize>, out: &mut [f32]) {
        assert!(rows.end <= self.rows && !rows.is_empty(), "rows {rows:?} of {}", self.rows);
        let width = self.model.config().embedding;
        let s = &mut self.scratch;
        s.added[..rows.len() * width].copy_from_slice(&s.x[rows.start * width..rows.end * width]);
        self.logits_of_added(rows.len(), out);
    }

    /// The same of rows that need not be neighbours.
    ///
    /// # Panics
    ///
    /// If the last pass had no such rows, or `out` is of another size.
    pub fn logits_at(&mut self, rows: &[usize], out: &mut [f32]) {
        let width = self.model.config().embedding;
        let s = &mut self.scratch;
        for (added, &row) in s.added.chunks_exact_mut(width).zip(rows) {
            assert!(row < self.rows, "row {row} of {}", self.rows);
            added.copy_from_slice(&s.x[row * width..][..width]);
        }
        self.logits_of_added(rows.len(), out);
    }

    /// The logits of rows that were copied to where layers leave what they add.
    fn logits_of_added(&mut self, rows: usize, out: &mut [f32]) {
        self.watch.start();
        let (config, weights) = (self.model.config(), self.model.weights());
        let (cpu, s, width) = (&mut self.cpu, &mut self.scratch, config.embedding);
        let (x, h) = (&s.added[..rows * width], &mut s.h[..rows * width]);
        normalize(cpu, config.norms, Some(&weights.output_norm), x, h);
        let output = weights.output().view();
        let h = Activations::new(cpu, h, width, &mut s.matmul, &[output]);
        project(cpu, h, [Projection { matrix: output, out: &mut *out }]);
        if let Some(bias) = &weights.output_bias {
            rows::add_bias(cpu, out, bias);
        }
        if config.scales.logits != 1.0 {
            cpu.kernels.scale(out, config.scales.logits);
        }
        if let Some(cap) = config.logits_cap {
            cpu.kernels.soft_cap(out, cap);
        }
        self.watch.lap(|times| &mut times.output);
    }

    /// What [`Decoder::logits`] computed last.
    pub fn last_logits(&self) -> &[f32] {
        &self.scratch.logits
    }

    /// Token vectors, and those of their positions where these are learnt.
    fn embed(&mut self, tokens: impl Iterator<Item = u32>, positions: impl Iterator<Item = usize>) {
        let (weights, scale) = (self.model.weights(), self.model.config().scales.embedding);
        let (embedding, kernels) = (weights.token_embedding.view(), &self.cpu.kernels);
        let s = &mut self.scratch;
        for (token, x) in tokens.zip(s.x.chunks_exact_mut(embedding.cols())) {
            embedding.decode_row(token as usize, x);
            if scale != 1.0 {
                kernels.scale(x, scale);
            }
        }
        let Some(learnt) = &weights.position_embedding else { return };
        let (learnt, vector) = (learnt.view(), &mut s.h[..embedding.cols()]);
        for (position, x) in positions.zip(s.x.chunks_exact_mut(embedding.cols())) {
            learnt.decode_row(position, vector);
            kernels.add(x, vector);
        }
    }

    /// `h = norm(x)`, or `x` itself where there is no norm.
    pub(super) fn normalize(&mut self, norm: Option<&Norm>) {
        let (norms, n) = (self.model.config().norms, self.rows * self.model.config().embedding);
        let s = &mut self.scratch;
        normalize(&mut self.cpu, norms, norm, &s.x[..n], &mut s.h[..n]);
    }

    /// `x += scale * norm(added)`.
    pub(super) fn add(&mut self, norm: Option<&Norm>) {
        let config = self.model.config();
        let (embedding, n) = (config.embedding, self.rows * config.embedding);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let added = &mut s.added[..n];
        if let Some(norm) = norm {
            normalize_in_place(cpu, config.norms, norm, added);
        }
        rows::add(cpu, &mut s.x[..n], config.scales.residual, added, embedding);
    }
}

fn normalize(cpu: &mut Cpu, norms: Norms, norm: Option<&Norm>, x: &[f32], out: &mut [f32]) {
    match norm {
        Some(norm) if norms.kind == NormKind::Rms && norm.bias.is_none() => {
            rows::rms_norm(cpu, x, &norm.weight, norms.eps, out);
        }
        Some(norm) => {
            out.copy_from_slice(x);
            normalize_in_place(cpu, norms, norm, out);
        }
        None => out.copy_from_slice(x),
    }
}

pub(super) fn normalize_in_place(cpu: &mut Cpu, norms: Norms, norm: &Norm, x: &mut [f32]) {
    let width = norm.weight.len();
    rows::norm_in_place(cpu, norms.kind, x, (width, width), &norm.weight, norms.eps);
    if let Some(bias) = &norm.bias {
        rows::add_bias(cpu, x, bias);
    }
}
