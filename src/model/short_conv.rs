//! A short convolution in place of attention, as LFM2 has it: for [`Decoder`] only.
//!
//! ```text
//! b, c, x = Win h;  z = b * x;  store z
//! added = Wout (c * sum over the last positions of kernel * z)          each value by itself
//! ```
//!
//! What it looks back at is kept like keys of attention with a window, a vector a position.

use super::decoder::{Decoder, Run};
use super::scratch::parts;
use super::weights::ShortConv;
use crate::ops::{Activations, Projection, project};

impl Decoder<'_> {
    /// `added = convolution(h)`, of the tokens of all runs.
    pub(super) fn short_conv(&mut self, index: usize, weights: &ShortConv, runs: &[Run]) {
        let (n, width) = (self.rows, self.model.config().embedding);
        let length = weights.kernel.len() / width;
        let before = length - 1;
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let (h, added) = (&s.h[..n * width], &mut s.added[..n * width]);
        let [bcx, z, gated] = parts(&mut s.wide, [3 * n * width, (before + n) * width, n * width]);

        let input = weights.input.view();
        let normed = Activations::new(cpu, h, width, &mut s.matmul, &[input]);
        project(cpu, normed, [Projection { matrix: input, out: &mut *bcx }]);

        for run in runs {
            let bcx = &bcx[run.rows.start * 3 * width..run.rows.end * 3 * width];
            self.cache.load_before(index, (run.sequence, run.first), &mut z[..before * width]);
            let rows = bcx.chunks_exact(3 * width).zip(z[before * width..].chunks_exact_mut(width));
            for (position, (bcx, z)) in (run.first..).zip(rows) {
                let (b, x) = (&bcx[..width], &bcx[2 * width..]);
                z.iter_mut().zip(b).zip(x).for_each(|((z, b), x)| *z = b * x);
                self.cache.store(&cpu.kernels, index, (run.sequence, position), &[z]);
            }
            let gated = &mut gated[run.rows.start * width..run.rows.end * width];
            cpu.team.chunks_mut(gated, width, |row, out| {
                let c = &bcx[(row * 3 + 1) * width..][..width];
                for (i, (out, c)) in out.iter_mut().zip(c).enumerate() {
                    let kernel = &weights.kernel[i * length..][..length];
                    let sum: f32 = kernel.iter().enumerate().map(|(j, k)| k * z[(row + j) * width + i]).sum();
                    *out = c * sum;
                }
            });
        }

        let output = weights.output.view();
        let gated = Activations::new(cpu, gated, width, &mut s.matmul, &[output]);
        project(cpu, gated, [Projection { matrix: output, out: &mut *added }]);
    }
}
