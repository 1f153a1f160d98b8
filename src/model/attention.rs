//! Attention of a layer: for [`Decoder`] only.
//!
//! ```text
//! q, k, v = Wq h, Wk h, Wv h;  normalize the heads of q and k;  turn them by their position;  store k and v
//! added = Wo attention(q, all k, all v)
//! ```
//!
//! Where the output is gated, `Wq h` is a query and a gate for each head, and what is found is multiplied with the gate's sigmoid. A layer may look up
//! keys and values that another has stored, and use keys, as they are projected, as values.

use super::Config;
use super::decoder::{Decoder, Run};
use super::scratch::parts;
use super::weights::{Attention, HeadNorm, Matrix};
use crate::ops::{Activations, Cpu, Heads, Projection, Scoring, Span, attend, project, rows};
use siskin_simd::Gate;

/// What a layer computes of each of its tokens: queries, keys, values and what is found; where the output is gated, queries beside gates, and gates.
struct Vectors<'a> {
    q: &'a mut [f32],
    k: &'a mut [f32],
    v: &'a mut [f32],
    attended: &'a mut [f32],
    joint: &'a mut [f32],
    gate: &'a mut [f32],
}

impl<'a> Vectors<'a> {
    /// Those of `n` tokens, at the beginning of a buffer.
    fn new(buffer: &'a mut [f32], config: &Config, heads: Heads, n: usize) -> Vectors<'a> {
        let (q_values, kv_values) = (heads.q_values(), heads.kv_values());
        let gated = if config.output_gate { q_values } else { 0 };
        let lengths = [q_values, kv_values, kv_values, q_values, 2 * gated, gated];
        let [q, k, v, attended, joint, gate] = parts(buffer, lengths.map(|x| n * x));
        Vectors { q, k, v, attended, joint, gate }
    }
}

impl Decoder<'_> {
    /// `added = attention(h)`, of the tokens of all runs.
    pub(super) fn attention(&mut self, index: usize, weights: &Attention, runs: &[Run]) {
        self.project_qkv(weights);
        self.place(index, weights, runs);
        self.look_up(index, weights, runs);
        self.project_attended(weights);
    }

    /// `q, k, v = Wq h, Wk h, Wv h`, and their heads normalized.
    fn project_qkv(&mut self, weights: &Attention) {
        let heads = weights.heads;
        let (config, n) = (self.model.config(), self.rows);
        let embedding = config.embedding;
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, k, v, joint, gate, .. } = Vectors::new(&mut s.wide, config, heads, n);
        let h = &s.h[..n * embedding];
        let wide_q = if config.output_gate { &mut *joint } else { &mut *q };

        let to = |matrix, out| Projection { matrix, out };
        let (wq, wk, wv) = (weights.query.view(), weights.key.as_ref(), weights.value.as_ref());
        match (wk.map(Matrix::view), wv.map(Matrix::view)) {
            (Some(wk), Some(wv)) => {
                let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[wq, wk, wv]);
                project(cpu, normed, [to(wq, &mut *wide_q), to(wk, &mut *k), to(wv, &mut *v)]);
            }
            (Some(wk), None) => {
                let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[wq, wk]);
                project(cpu, normed, [to(wq, &mut *wide_q), to(wk, &mut *k)]);
                v.copy_from_slice(k);
            }
            (None, _) => {
                let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[wq]);
                project(cpu, normed, [to(wq, &mut *wide_q)]);
            }
        }
        for (bias, x) in weights.qkv_bias.iter().zip([wide_q, &mut *k, &mut *v]) {
            if let Some(bias) = bias {
                rows::add_bias(cpu, x, bias);
            }
        }
        if config.output_gate {
            split(cpu, joint, heads.head_dim, q, gate);
        }
        let widths = [heads.q_values(), heads.kv_values(), heads.kv_values()];
        for ((norm, x), cols) in weights.qkv_norm.iter().zip([&mut *q, &mut *k, &mut *v]).zip(widths) {
            if let Some(HeadNorm { weight, width }) = norm {
                rows::norm_in_place(cpu, config.norms.kind, x, (cols, *width), weight, config.norms.eps);
            }
        }
    }

    /// Turns queries and keys by their positions, and stores keys and values, if they are the layer's own.
    fn place(&mut self, index: usize, weights: &Attention, runs: &[Run]) {
        let &Attention { heads, shared, ref q_scale, .. } = weights;
        let (config, n) = (self.model.config(), self.rows);
        let (q_values, kv_values) = (heads.q_values(), heads.kv_values());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, k, v, .. } = Vectors::new(&mut s.wide, config, heads, n);
        let of_layer = config.layers[index];
        let window = self.plan.window(&of_layer);
        let moved = s.sinks.moved(self.cache.end());
        if let (true, None, None, Some(rope)) = (moved > 0, shared, window, of_layer.rope) {
            let (table, style) = (&s.ropes[rope], config.ropes[rope].style);
            s.sinks.store((&mut self.cache, &cpu.kernels), (index, heads), (table, style), n);
        }
        let turn = |x: &mut [f32], row: usize, scale: f32| match of_layer.rope {
            Some(rope) => {
                let (table, style) = (&s.ropes[rope], config.ropes[rope].style);
                table.apply(&cpu.kernels, style, row, heads.head_dim, scale, x);
            }
            None => cpu.kernels.scale(x, scale),
        };
        for (row, sequence, position) in runs.iter().flat_map(Run::tokens) {
            let scale = config.scales.attention * config.temperature.map_or(1.0, |t| t.at(position - moved));
            let q = &mut q[row * q_values..][..q_values];
            turn(q, row, scale);
            if let Some(factors) = q_scale {
                q.iter_mut().zip(factors.iter().cycle()).for_each(|(q, factor)| *q *= factor);
            }
            if shared.is_none() {
                let k = &mut k[row * kv_values..][..kv_values];
                s.sinks.keep(index, position, k);
                turn(k, row, 1.0);
                let values = &v[row * kv_values..][..kv_values];
                self.cache.store(&cpu.kernels, index, (sequence, position), &[k, values]);
            }
        }
    }

    /// What the queries of each run find in what its sequence has stored.
    fn look_up(&mut self, index: usize, weights: &Attention, runs: &[Run]) {
        let (config, n) = (self.model.config(), self.rows);
        let (heads, q_values) = (weights.heads, weights.heads.q_values());
        let window = self.plan.window(&config.layers[index]);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, attended, .. } = Vectors::new(&mut s.wide, config, heads, n);
        let (cache, stored) = (&self.cache, weights.shared.unwrap_or(index));
        let scoring = Scoring { window, soft_cap: config.attention_cap, sinks: weights.sinks.as_deref() };
        let format = cache.kv_type(stored).format();
        for run in runs {
            let slots = cache.slots(stored, run.sequence);
            let spans = |head: usize| {
                slots.each_ref().map(|slots| Span {
                    keys: cache.keys(stored, head, slots),
                    values: cache.values(stored, head, slots),
                })
            };
            let values = run.rows.start * q_values..run.rows.end * q_values;
            let (q, out) = (&q[values.clone()], &mut attended[values]);
            attend(cpu, (heads, format), scoring, q, spans, &mut s.attention, out);
        }
    }

    /// `added = Wo attended`.
    fn project_attended(&mut self, weights: &Attention) {
        let (config, n) = (self.model.config(), self.rows);
        let (embedding, heads, q_values) = (config.embedding, weights.heads, weights.heads.q_values());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { attended, gate, .. } = Vectors::new(&mut s.wide, config, heads, n);
        let added = &mut s.added[..n * embedding];
        let attended = if config.output_gate {
            rows::gate(cpu, Gate::Sigmoid, gate, attended, q_values);
            gate
        } else {
            attended
        };
        let output = weights.output.view();
        let attended = Activations::new(cpu, attended, q_values, &mut s.matmul, &[output]);
        project(cpu, attended, [Projection { matrix: output, out: &mut *added }]);
        if let Some(bias) = &weights.output_bias {
            rows::add_bias(cpu, added, bias);
        }
    }
}

/// Takes queries and gates apart: `joint` is `heads of all tokens x 2 x head_dim`.
fn split(cpu: &mut Cpu, joint: &[f32], head_dim: usize, q: &mut [f32], gate: &mut [f32]) {
    cpu.team.chunk_pairs_mut(q, gate, (head_dim, head_dim), |head, q, gate| {
        let (of_q, of_gate) = joint[2 * head * head_dim..][..2 * head_dim].split_at(head_dim);
        q.copy_from_slice(of_q);
        gate.copy_from_slice(of_gate);
    });
}
