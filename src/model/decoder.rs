//! The pass from token ids to logits, the same for prefill (many tokens) and decode (one).
//!
//! ```text
//! x = embedding[token]
//! for each layer:
//!     h = norm(x);  q, k, v = Wq h, Wk h, Wv h;  turn q and k by their position;  store k and v
//!     x += Wo attention(q, all k, all v)
//!     h = norm(x);  x += Wdown (silu(Wgate h) * Wup h)
//! logits = Wout norm(x)
//! ```

use super::plan::shape;
use super::scratch::{Scratch, parts};
use super::weights::Layer;
use super::{Model, Plan};
use crate::kv::Cache;
use crate::ops::{Activations, Cpu, Projection, Span, attend, project, rows};
use std::ops::Range;

/// A model at work: the cache of one sequence, and the buffers of a pass.
pub struct Decoder<'m> {
    model: &'m Model,
    cpu: Cpu,
    cache: Cache,
    scratch: Scratch,
    batch: usize,
    /// Rows of the last pass.
    rows: usize,
}

impl<'m> Decoder<'m> {
    /// Allocates what the plan says; nothing is allocated after that.
    ///
    /// # Panics
    ///
    /// If the plan was made for another model, or for fewer threads than the team has.
    pub fn new(model: &'m Model, plan: &Plan, cpu: Cpu) -> Decoder<'m> {
        let scratch = Scratch::new(model, plan, cpu.team.threads());
        let cache = Cache::new(shape(model.config(), plan.capacity, plan.kv_type))
            .expect("the plan computed this size");
        Decoder { model, cpu, cache, scratch, batch: plan.batch, rows: 0 }
    }

    /// Tokens that one pass can take.
    pub fn max_batch(&self) -> usize {
        self.batch
    }

    /// The next position, which is the number of tokens seen.
    pub fn position(&self) -> usize {
        self.cache.ring().end()
    }

    /// Positions left before the cache is full.
    pub fn free(&self) -> usize {
        self.cache.ring().free()
    }

    /// What computes.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The same, to be used for other work between passes.
    pub fn cpu_mut(&mut self) -> &mut Cpu {
        &mut self.cpu
    }

    /// Forgets the tokens from position `end` on.
    pub fn truncate(&mut self, end: usize) {
        self.cache.truncate(end);
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
            (1..=self.batch).contains(&tokens.len()),
            "{} tokens in a pass, at most {}",
            tokens.len(),
            self.batch
        );
        assert!(tokens.len() <= self.free(), "{} tokens, {} positions free", tokens.len(), self.free());
        self.rows = tokens.len();
        self.embed(tokens);
        let positions = self.cache.append(tokens.len());
        self.scratch.rope.fill(positions.clone());
        let model = self.model;
        for (index, layer) in model.weights().layers.iter().enumerate() {
            self.attention(index, layer, positions.clone());
            self.feed_forward(layer);
        }
    }

    /// The logits after row `row` of the last pass, one for each entry of the vocabulary.
    ///
    /// # Panics
    ///
    /// If the last pass had no such row.
    pub fn logits(&mut self, row: usize) -> &[f32] {
        assert!(row < self.rows, "row {row} of {}", self.rows);
        let (config, weights) = (self.model.config(), self.model.weights());
        let (cpu, s, width) = (&mut self.cpu, &mut self.scratch, config.embedding);
        let (x, h) = (&s.x[row * width..][..width], &mut s.h[..width]);
        rows::rms_norm(cpu, x, &weights.output_norm, config.norm_eps, h);
        let output = weights.output().view();
        let h = Activations::new(cpu, h, width, &mut s.matmul, &[output]);
        project(cpu, h, [Projection { matrix: output, out: &mut s.logits }]);
        &s.logits
    }

    /// What [`Decoder::logits`] computed last.
    pub fn last_logits(&self) -> &[f32] {
        &self.scratch.logits
    }

    fn embed(&mut self, tokens: &[u32]) {
        let embedding = self.model.weights().token_embedding.view();
        for (&token, x) in tokens.iter().zip(self.scratch.x.chunks_exact_mut(embedding.cols())) {
            embedding.decode_row(token as usize, x);
        }
    }

    /// `x += Wo attention(norm(x))`.
    fn attention(&mut self, index: usize, layer: &Layer, positions: Range<usize>) {
        let (config, n) = (self.model.config(), self.rows);
        let (embedding, q_values, kv_values) = (config.embedding, config.q_values(), config.kv_values());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let (x, h) = (&mut s.x[..n * embedding], &mut s.h[..n * embedding]);
        let [q, k, v, attended] =
            parts(&mut s.wide, [q_values, kv_values, kv_values, q_values].map(|x| n * x));

        rows::rms_norm(cpu, x, &layer.attn_norm, config.norm_eps, h);
        let [wq, wk, wv] = [0, 1, 2].map(|i| layer.qkv[i].view());
        let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[wq, wk, wv]);
        let out = |matrix, out| Projection { matrix, out };
        project(cpu, normed, [out(wq, &mut *q), out(wk, &mut *k), out(wv, &mut *v)]);
        for (bias, x) in layer.qkv_bias.iter().zip([&mut *q, &mut *k, &mut *v]) {
            if let Some(bias) = bias {
                rows::add_bias(cpu, x, bias);
            }
        }

        let (heads, style) = (config.heads, config.rope.style);
        let scale = 1.0 / (heads.head_dim as f32).sqrt();
        for (row, position) in positions.clone().enumerate() {
            let (q, k) = (&mut q[row * q_values..][..q_values], &mut k[row * kv_values..][..kv_values]);
            s.rope.apply(&cpu.kernels, style, row, heads.head_dim, scale, q);
            s.rope.apply(&cpu.kernels, style, row, heads.head_dim, 1.0, k);
            self.cache.store(&cpu.kernels, index, position, k, &v[row * kv_values..][..kv_values]);
        }

        let cache = &self.cache;
        let slots = cache.ring().spans(positions.end);
        let spans = |head: usize| {
            slots.clone().map(|slots| Span {
                keys: cache.keys(index, head, slots.clone()),
                values: cache.values(index, head, slots),
            })
        };
        attend(cpu, heads, cache.kv_type().format(), q, spans, &mut s.attention, &mut *attended);
        let output = layer.attn_output.view();
        let attended = Activations::new(cpu, attended, q_values, &mut s.matmul, &[output]);
        project(cpu, attended, [Projection { matrix: output, out: &mut *h }]);
        rows::add(cpu, x, h, embedding);
    }

    /// `x += Wdown (silu(Wgate norm(x)) * Wup norm(x))`.
    fn feed_forward(&mut self, layer: &Layer) {
        let (config, n) = (self.model.config(), self.rows);
        let (embedding, width) = (config.embedding, config.feed_forward);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let (x, h) = (&mut s.x[..n * embedding], &mut s.h[..n * embedding]);
        let [gate, up] = parts(&mut s.wide, [n * width; 2]);

        rows::rms_norm(cpu, x, &layer.ffn_norm, config.norm_eps, h);
        let [w_gate, w_up, w_down] = [layer.gate.view(), layer.up.view(), layer.down.view()];
        let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[w_gate, w_up]);
        project(
            cpu,
            normed,
            [Projection { matrix: w_gate, out: &mut *gate }, Projection { matrix: w_up, out: &mut *up }],
        );
        rows::silu_mul(cpu, gate, up, width);
        let gated = Activations::new(cpu, gate, width, &mut s.matmul, &[w_down]);
        project(cpu, gated, [Projection { matrix: w_down, out: &mut *h }]);
        rows::add(cpu, x, h, embedding);
    }
}
