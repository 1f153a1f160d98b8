//! Attention of a layer: for [`Decoder`] only.
//!
//! ```text
//! q, k, v = Wq h, Wk h, Wv h;  normalize the heads of q and k;  turn them by their position;  store k and v
//! added = Wo attention(q, all k, all v)
//! ```
//!
//! Where the output is gated, `Wq h` is a query and a gate for each head, and what is found is multiplied with the gate's sigmoid.

use super::Config;
use super::decoder::{Decoder, Run};
use super::scratch::parts;
use super::weights::{Attention, HeadNorm};
use crate::ops::{Activations, Cpu, Projection, Scoring, Span, attend, project, rows};
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
    fn new(buffer: &'a mut [f32], config: &Config, n: usize) -> Vectors<'a> {
        let (q_values, kv_values) = (config.q_values(), config.kv_values());
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

    /// `q, k, v = Wq h, Wk h, Wv h`, and the heads of q and k normalized.
    fn project_qkv(&mut self, weights: &Attention) {
        let (config, n) = (self.model.config(), self.rows);
        let embedding = config.embedding;
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, k, v, joint, gate, .. } = Vectors::new(&mut s.wide, config, n);
        let h = &s.h[..n * embedding];
        let wide_q = if config.output_gate { &mut *joint } else { &mut *q };

        let [wq, wk, wv] = [0, 1, 2].map(|i| weights.qkv[i].view());
        let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[wq, wk, wv]);
        let out = |matrix, out| Projection { matrix, out };
        project(cpu, normed, [out(wq, &mut *wide_q), out(wk, &mut *k), out(wv, &mut *v)]);
        for (bias, x) in weights.qkv_bias.iter().zip([wide_q, &mut *k, &mut *v]) {
            if let Some(bias) = bias {
                rows::add_bias(cpu, x, bias);
            }
        }
        if config.output_gate {
            split(cpu, joint, config.heads.head_dim, q, gate);
        }
        let widths = [config.q_values(), config.kv_values()];
        for ((norm, x), cols) in weights.qk_norm.iter().zip([&mut *q, &mut *k]).zip(widths) {
            if let Some(HeadNorm { weight, width }) = norm {
                rows::norm_in_place(cpu, config.norms.kind, x, (cols, *width), weight, config.norms.eps);
            }
        }
    }

    /// Turns queries and keys by their positions, and stores keys and values.
    fn place(&mut self, index: usize, weights: &Attention, runs: &[Run]) {
        let (config, n) = (self.model.config(), self.rows);
        let (q_values, kv_values) = (config.q_values(), config.kv_values());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, k, v, .. } = Vectors::new(&mut s.wide, config, n);
        let (heads, of_layer) = (config.heads, config.layers[index]);
        let window = self.plan.window(&of_layer);
        let moved = s.sinks.moved(self.cache.end());
        if let (true, None, Some(rope)) = (moved > 0, window, of_layer.rope) {
            let (table, style) = (&s.ropes[rope], config.ropes[rope].style);
            s.sinks.store((&mut self.cache, &cpu.kernels), index, (table, style), n);
        }
        for (row, sequence, position) in runs.iter().flat_map(Run::tokens) {
            let (q, k) = (&mut q[row * q_values..][..q_values], &mut k[row * kv_values..][..kv_values]);
            let scale = config.scales.attention * config.temperature.map_or(1.0, |t| t.at(position - moved));
            s.sinks.keep(index, position, k);
            match of_layer.rope {
                Some(rope) => {
                    let (table, style) = (&s.ropes[rope], config.ropes[rope].style);
                    table.apply(&cpu.kernels, style, row, heads.head_dim, scale, q);
                    table.apply(&cpu.kernels, style, row, heads.head_dim, 1.0, k);
                }
                None => cpu.kernels.scale(q, scale),
            }
            if let Some(factors) = &weights.q_scale {
                q.iter_mut().zip(factors.iter().cycle()).for_each(|(q, factor)| *q *= factor);
            }
            self.cache.store(
                &cpu.kernels,
                index,
                (sequence, position),
                &[k, &v[row * kv_values..][..kv_values]],
            );
        }
    }

    /// What the queries of each run find in what its sequence has stored.
    fn look_up(&mut self, index: usize, weights: &Attention, runs: &[Run]) {
        let (config, n) = (self.model.config(), self.rows);
        let (heads, q_values) = (config.heads, config.q_values());
        let window = self.plan.window(&config.layers[index]);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { q, attended, .. } = Vectors::new(&mut s.wide, config, n);
        let cache = &self.cache;
        let scoring = Scoring { window, soft_cap: config.attention_cap, sinks: weights.sinks.as_deref() };
        let format = cache.kv_type(index).format();
        for run in runs {
            let slots = cache.slots(index, run.sequence);
            let spans = |head: usize| {
                slots.each_ref().map(|slots| Span {
                    keys: cache.keys(index, head, slots),
                    values: cache.values(index, head, slots),
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
        let (embedding, q_values) = (config.embedding, config.q_values());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { attended, gate, .. } = Vectors::new(&mut s.wide, config, n);
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
