//! Operations on each row of a batch by itself, spread over the team when there are many rows.

use super::Cpu;
use siskin_simd::{Activation, Gate};

/// `out[b] = rms_norm(x[b]) * weight`, for rows of `weight.len()` values.
///
/// # Panics
///
/// If the lengths differ.
pub fn rms_norm(cpu: &mut Cpu, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
    assert_eq!(x.len(), out.len(), "rows to normalize");
    let (kernels, cols) = (&cpu.kernels, weight.len());
    cpu.team.chunks_mut(out, cols, |row, out| kernels.rms_norm(&x[row * cols..][..cols], weight, eps, out));
}

/// How rows are normalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormKind {
    /// Divided by their root mean square.
    Rms,
    /// Less their mean, divided by their standard deviation.
    Layer,
}

/// Normalizes runs of `width` values of every row of `cols` values, in place. The weights are those of one run, used for all of them, or of all runs
/// of a row.
///
/// # Panics
///
/// If rows are no whole number of runs, or the weights neither.
pub fn norm_in_place(
    cpu: &mut Cpu,
    kind: NormKind,
    x: &mut [f32],
    (cols, width): (usize, usize),
    weight: &[f32],
    eps: f32,
) {
    assert!(
        cols.is_multiple_of(width) && [width, cols].contains(&weight.len()),
        "runs of {width} in {cols} values"
    );
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, cols, |_, x| {
        for (x, weight) in x.chunks_exact_mut(width).zip(weight.chunks_exact(width).cycle()) {
            match kind {
                NormKind::Rms => kernels.rms_norm_in_place(x, weight, eps),
                NormKind::Layer => kernels.layer_norm_in_place(x, weight, eps),
            }
        }
    });
}

/// `gate[b] = f(gate[b], up[b])`, for rows of `cols` values.
///
/// # Panics
///
/// If the lengths differ.
pub fn gate(cpu: &mut Cpu, function: Gate, gate: &mut [f32], up: &[f32], cols: usize) {
    assert_eq!(gate.len(), up.len(), "gate and up");
    let kernels = &cpu.kernels;
    cpu.team
        .chunks_mut(gate, cols, |row, gate| kernels.gate(function, gate, &up[row * cols..][..gate.len()]));
}

/// `x[b] = f(x[b])`, for rows of `cols` values.
pub fn activate(cpu: &mut Cpu, function: Activation, x: &mut [f32], cols: usize) {
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, cols, |_, x| kernels.activate(function, x));
}

/// `x[b] = silu(x[b])`, for rows of `cols` values.
pub fn silu(cpu: &mut Cpu, x: &mut [f32], cols: usize) {
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, cols, |_, x| kernels.silu(x));
}

/// `x[b] += factor * y[b]`, for rows of `cols` values.
///
/// # Panics
///
/// If the lengths differ.
pub fn add(cpu: &mut Cpu, x: &mut [f32], factor: f32, y: &[f32], cols: usize) {
    assert_eq!(x.len(), y.len(), "rows to add");
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, cols, |row, x| {
        let y = &y[row * cols..][..x.len()];
        if factor == 1.0 { kernels.add(x, y) } else { kernels.add_scaled(x, factor, y) }
    });
}

/// Adds the same bias to every row.
///
/// # Panics
///
/// If `x` is no whole number of rows.
pub fn add_bias(cpu: &mut Cpu, x: &mut [f32], bias: &[f32]) {
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, bias.len(), |_, x| kernels.add(x, bias));
}
