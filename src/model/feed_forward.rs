//! The feed-forward part of a layer: `Wdown (f(Wgate h) * Wup h)`, or `Wdown f(Wup h)` without a gate. For [`Decoder`] only.

use super::Config;
use super::decoder::Decoder;
use super::scratch::parts;
use super::weights::{Dense, FeedForward, Vector};
use crate::ops::matmul::Workspace;
use crate::ops::{Activations, Cpu, Projection, project, rows};
use crate::tensor::QMatrix;
use siskin_simd::Activation;

impl Decoder<'_> {
    /// `added = feed_forward(h)`.
    pub(super) fn feed_forward(&mut self, weights: &FeedForward) {
        match weights {
            FeedForward::Dense(dense) => {
                let (config, s) = (self.model.config(), &mut self.scratch);
                let n = self.rows * config.embedding;
                let (h, added) = (&s.h[..n], &mut s.added[..n]);
                run(&mut self.cpu, config, &dense.part(), h, &mut s.wide, &mut s.matmul, added);
            }
            FeedForward::Experts(experts) => self.experts(experts),
            FeedForward::DenseAndExperts(both) => self.dense_and_experts(both),
        }
    }
}

/// The matrices of a feed-forward part, with their biases: those of a layer, or of one expert.
pub(super) struct Part<'a> {
    pub gate: Option<QMatrix<'a>>,
    pub up: QMatrix<'a>,
    pub down: QMatrix<'a>,
    pub bias: [Option<&'a [f32]>; 3],
    /// Without a gate.
    pub activation: Activation,
}

impl Dense {
    pub(super) fn part(&self) -> Part<'_> {
        let bias = |i: usize| self.bias[i].as_ref().map(|bias: &Vector| &bias[..]);
        Part {
            gate: self.gate.as_ref().map(|gate| gate.view()),
            up: self.up.view(),
            down: self.down.view(),
            bias: [bias(0), bias(1), bias(2)],
            activation: self.activation,
        }
    }
}

/// `out = part(h)`: `h` and `out` are `rows x embedding`; `wide` has room for gate and up.
pub(super) fn run(
    cpu: &mut Cpu,
    config: &Config,
    part: &Part<'_>,
    h: &[f32],
    wide: &mut [f32],
    workspace: &mut Workspace,
    out: &mut [f32],
) {
    let (embedding, width) = (config.embedding, part.up.rows());
    let n = h.len() / embedding * width;
    let [gate, up] = parts(wide, [if part.gate.is_some() { n } else { 0 }, n]);
    let hidden = match (part.gate, config.gate) {
        (Some(w_gate), Some(function)) => {
            let normed = Activations::new(cpu, h, embedding, workspace, &[w_gate, part.up]);
            let to = |matrix, out| Projection { matrix, out };
            project(cpu, normed, [to(w_gate, &mut *gate), to(part.up, &mut *up)]);
            add_bias(cpu, gate, part.bias[0]);
            add_bias(cpu, up, part.bias[1]);
            rows::gate(cpu, function, gate, up, width);
            gate
        }
        _ => {
            let normed = Activations::new(cpu, h, embedding, workspace, &[part.up]);
            project(cpu, normed, [Projection { matrix: part.up, out: &mut *up }]);
            add_bias(cpu, up, part.bias[1]);
            rows::activate(cpu, part.activation, up, width);
            up
        }
    };
    let hidden = Activations::new(cpu, hidden, width, workspace, &[part.down]);
    project(cpu, hidden, [Projection { matrix: part.down, out: &mut *out }]);
    add_bias(cpu, out, part.bias[2]);
}

fn add_bias(cpu: &mut Cpu, x: &mut [f32], bias: Option<&[f32]>) {
    if let Some(bias) = bias {
        rows::add_bias(cpu, x, bias);
    }
}
