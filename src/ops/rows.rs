//! Operations on each row of a batch by itself, spread over the team when there are many rows.

use super::Cpu;

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

/// `gate[b] = silu(gate[b]) * up[b]`, for rows of `cols` values.
///
/// # Panics
///
/// If the lengths differ.
pub fn silu_mul(cpu: &mut Cpu, gate: &mut [f32], up: &[f32], cols: usize) {
    assert_eq!(gate.len(), up.len(), "gate and up");
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(gate, cols, |row, gate| kernels.silu_mul(gate, &up[row * cols..][..gate.len()]));
}

/// `x[b] += y[b]`, for rows of `cols` values.
///
/// # Panics
///
/// If the lengths differ.
pub fn add(cpu: &mut Cpu, x: &mut [f32], y: &[f32], cols: usize) {
    assert_eq!(x.len(), y.len(), "rows to add");
    let kernels = &cpu.kernels;
    cpu.team.chunks_mut(x, cols, |row, x| kernels.add(x, &y[row * cols..][..x.len()]));
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
