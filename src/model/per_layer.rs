//! What each layer has of a token for itself (per-layer embeddings, as in Gemma 3n and 4): for [`Decoder`] only.
//!
//! ```text
//! own of all layers = (table[token] * sqrt(width) + norm(W x / sqrt(embedding))) / sqrt(2)        once a pass, x the token's vector
//! x += norm(Wprojection (gelu(Wgate x) * own of the layer))                                        at the end of a layer
//! ```
//!
//! The table is large, but a token needs one row of it: it is read where it lies, and nothing maps or reads it ahead.

use super::decoder::Decoder;
use super::weights::{Layer, PerLayer};
use crate::ops::{Activations, Projection, project, rows};
use siskin_simd::Gate;

impl Decoder<'_> {
    /// What all layers have of each token for themselves, if they have anything.
    pub(super) fn embed_per_layer(&mut self, tokens: impl Iterator<Item = u32>) {
        let (config, Some(weights)) = (self.model.config(), &self.model.weights().per_layer) else { return };
        let (embedding, n, width) = (config.embedding, self.rows, weights.norm.len());
        let (table, projection) = (weights.table.view(), weights.projection.view());
        let all = table.cols();
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let projected = &mut s.wide[..n * all];
        let x = Activations::new(cpu, &s.x[..n * embedding], embedding, &mut s.matmul, &[projection]);
        project(cpu, x, [Projection { matrix: projection, out: &mut *projected }]);
        cpu.kernels.scale(projected, 1.0 / (embedding as f32).sqrt());
        rows::norm_in_place(cpu, config.norms.kind, projected, (all, width), &weights.norm, config.norms.eps);
        let rows = s.per_layer.chunks_exact_mut(all).zip(projected.chunks_exact(all));
        for (token, (own, projected)) in tokens.zip(rows) {
            table.decode_row(token as usize, own);
            cpu.kernels.scale(own, (width as f32).sqrt());
            cpu.kernels.add(own, projected);
            cpu.kernels.scale(own, 0.5f32.sqrt());
        }
    }

    /// Adds what the layer has of each token for itself, and scales the result, where the layer does that.
    pub(super) fn finish_layer(&mut self, index: usize, layer: &Layer) {
        if let Some(weights) = &layer.per_layer {
            self.gate_per_layer(index, weights);
            self.add(Some(&weights.post_norm));
        }
        if layer.output_scale != 1.0 {
            let n = self.rows * self.model.config().embedding;
            self.cpu.kernels.scale(&mut self.scratch.x[..n], layer.output_scale);
        }
    }

    /// `added = Wprojection (gelu(Wgate x) * own)`.
    fn gate_per_layer(&mut self, index: usize, weights: &PerLayer) {
        let (config, n) = (self.model.config(), self.rows);
        let (embedding, all) = (config.embedding, config.per_layer_values());
        let (gate, projection) = (weights.gate.view(), weights.projection.view());
        let width = gate.rows();
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let gated = &mut s.wide[..n * width];
        let x = Activations::new(cpu, &s.x[..n * embedding], embedding, &mut s.matmul, &[gate]);
        project(cpu, x, [Projection { matrix: gate, out: &mut *gated }]);
        let (kernels, own) = (&cpu.kernels, &s.per_layer);
        cpu.team.chunks_mut(gated, width, |row, gated| {
            kernels.gate(Gate::Gelu, gated, &own[row * all + index * width..][..width]);
        });
        let gated = Activations::new(cpu, gated, width, &mut s.matmul, &[projection]);
        project(cpu, gated, [Projection { matrix: projection, out: &mut s.added[..n * embedding] }]);
    }
}
