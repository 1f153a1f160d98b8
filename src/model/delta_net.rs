//! A gated delta net in place of attention (Yang et al. 2024, arXiv:2412.06464), as Qwen 3.5 has it: for [`Decoder`] only.
//!
//! ```text
//! q, k, v = silu(convolution(Wqkv h));  gate = Wgate h;  beta = sigmoid(Wbeta h);  decay = e^(rate softplus(Wdecay h + bias))
//! S = decay S;  S = S + beta (v - S k) k^T;  found = S q                each head by itself, q and k normalized
//! added = Wout (norm(found) * silu(gate))
//! ```
//!
//! What has been seen is in `S`, whatever the length of the sequence. The vectors that the convolution looks back at are kept beside it.

use super::decoder::{Decoder, Run};
use super::scratch::parts;
use super::weights::DeltaNet;
use crate::ops::delta::{self, Tokens};
use crate::ops::rows::NormKind;
use crate::ops::{Activations, Cpu, Projection, project, rows};
use siskin_simd::Gate;

/// Above this, `ln(1 + e^x)` is `x`.
const LARGE: f32 = 20.0;

/// What a layer computes of each of its tokens.
struct Vectors<'a> {
    /// What goes into the convolution, with what it looks back at before the first token; later what is found.
    z: &'a mut [f32],
    qkv: &'a mut [f32],
    gate: &'a mut [f32],
    decay: &'a mut [f32],
    beta: &'a mut [f32],
}

impl<'a> Vectors<'a> {
    /// Those of `n` tokens, at the beginning of a buffer.
    fn new(buffer: &'a mut [f32], weights: &DeltaNet, n: usize) -> Vectors<'a> {
        let (heads, width) = (weights.heads, weights.heads.qkv_values());
        let lengths = [
            (weights.before() + n) * width,
            n * width,
            n * heads.value_values(),
            n * heads.value_heads,
            n * heads.value_heads,
        ];
        let [z, qkv, gate, decay, beta] = parts(buffer, lengths);
        Vectors { z, qkv, gate, decay, beta }
    }
}

impl Decoder<'_> {
    /// `added = delta_net(h)`, of the tokens of all runs.
    pub(super) fn delta_net(&mut self, index: usize, weights: &DeltaNet, runs: &[Run]) {
        self.project_delta(weights);
        for run in runs {
            self.find(index, weights, run);
        }

        let (n, embedding, heads) = (self.rows, self.model.config().embedding, weights.heads);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { gate, .. } = Vectors::new(&mut s.wide, weights, n);
        let output = weights.output.view();
        let gated = Activations::new(cpu, gate, heads.value_values(), &mut s.matmul, &[output]);
        project(cpu, gated, [Projection { matrix: output, out: &mut s.added[..n * embedding] }]);
    }

    /// What the convolution takes, gates, decays and strengths.
    fn project_delta(&mut self, weights: &DeltaNet) {
        let (n, embedding) = (self.rows, self.model.config().embedding);
        let (width, before) = (weights.heads.qkv_values(), weights.before());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { z, gate, decay, beta, .. } = Vectors::new(&mut s.wide, weights, n);
        let h = &s.h[..n * embedding];
        let fresh = &mut z[before * width..];
        let [w_qkv, w_gate, w_decay, w_beta] =
            [&weights.qkv, &weights.gate, &weights.decay, &weights.beta].map(|matrix| matrix.view());
        let normed = Activations::new(cpu, h, embedding, &mut s.matmul, &[w_qkv, w_gate, w_decay, w_beta]);
        let to = |matrix, out| Projection { matrix, out };
        let outs = [to(w_qkv, fresh), to(w_gate, gate), to(w_decay, decay), to(w_beta, beta)];
        project(cpu, normed, outs);

        shares(weights, decay, beta);
    }

    /// `gate = silu(gate) * norm(found)` of one run; runs come in their order.
    fn find(&mut self, index: usize, weights: &DeltaNet, run: &Run) {
        let Run { sequence, first, rows: of_run } = run.clone();
        let (n, eps) = (of_run.len(), self.model.config().norms.eps);
        let (heads, width, before) = (weights.heads, weights.heads.qkv_values(), weights.before());
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { z, qkv, gate, decay, beta } = Vectors::new(&mut s.wide, weights, self.rows);
        // What the run looks back at takes the place of the run before it, which has been used.
        let z = &mut z[of_run.start * width..(before + of_run.end) * width];
        let (earlier, fresh) = z.split_at_mut(before * width);
        self.cache.load_before(index, (sequence, first), earlier);
        let last = (first..).zip(fresh.chunks_exact(width)).skip(n.saturating_sub(before.max(1)));
        for (position, z) in last {
            self.cache.store(&cpu.kernels, index, (sequence, position), &[z]);
        }
        let qkv = &mut qkv[of_run.start * width..of_run.end * width];
        delta::convolve(cpu, z, &weights.kernel, width, qkv);
        rows::silu(cpu, qkv, width);
        let of_heads = of_run.start * heads.value_heads..of_run.end * heads.value_heads;
        let (decay, beta) = (&decay[of_heads.clone()], &beta[of_heads]);
        let found = &mut z[..n * heads.value_values()];
        let state = self.cache.state_mut(index, sequence);
        delta::delta_net(cpu, heads, Tokens { qkv, decay, beta, eps }, state, found);
        let cols = (n * heads.head_dim, heads.head_dim);
        rows::norm_in_place(cpu, NormKind::Rms, found, cols, &weights.norm, eps);
        let values = of_run.start * heads.value_values()..of_run.end * heads.value_values();
        gate_heads(cpu, &mut gate[values], found, n, heads.head_dim);
    }
}

/// What was projected becomes decays and strengths, `batch x value_heads`.
fn shares(weights: &DeltaNet, decay: &mut [f32], beta: &mut [f32]) {
    for decay in decay.chunks_exact_mut(weights.rate.len()) {
        for ((decay, rate), bias) in decay.iter_mut().zip(&weights.rate).zip(&weights.decay_bias) {
            let x = *decay + bias;
            let softplus = if x > LARGE { x } else { x.exp().ln_1p() };
            *decay = (rate * softplus).exp();
        }
    }
    beta.iter_mut().for_each(|beta| *beta = 1.0 / (1.0 + (-*beta).exp()));
}

/// `gate = silu(gate) * found`: `gate` is `n x value_heads x head_dim`, `found` is `value_heads x n x head_dim`.
fn gate_heads(cpu: &mut Cpu, gate: &mut [f32], found: &[f32], n: usize, head_dim: usize) {
    let (kernels, values) = (&cpu.kernels, gate.len() / n);
    cpu.team.chunks_mut(gate, values, |row, gate| {
        for (head, gate) in gate.chunks_exact_mut(head_dim).enumerate() {
            kernels.gate(Gate::Silu, gate, &found[(head * n + row) * head_dim..][..head_dim]);
        }
    });
}
