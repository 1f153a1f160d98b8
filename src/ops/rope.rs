//! Rotary embedding: a table of angles for the positions of a batch, made once a forward pass, and its application to heads.

use siskin_simd::Kernels;

/// Which values of a head are turned together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RopeStyle {
    /// Neighbours `(2i, 2i + 1)`: how GGUF stores llama's heads.
    Pairs,
    /// Halves `(i, i + n / 2)`: GPT-NeoX and its heirs.
    Halves,
}

/// Cosines and sines, `positions x frequencies`; the memory is taken once.
#[derive(Debug)]
pub struct RopeTable {
    /// Radians a position.
    frequencies: Box<[f64]>,
    /// What cosines and sines are multiplied with.
    magnitude: f64,
    cos: Box<[f32]>,
    sin: Box<[f32]>,
}

impl RopeTable {
    /// A table for up to `batch` positions at a time, of frequencies in radians a position; cosines and sines are multiplied with `magnitude`.
    pub fn new(frequencies: Box<[f64]>, magnitude: f64, batch: usize) -> RopeTable {
        let n = frequencies.len();
        let table = || vec![0.0; n * batch].into_boxed_slice();
        RopeTable { frequencies, magnitude, cos: table(), sin: table() }
    }

    /// Bytes that [`RopeTable::new`] takes for `n` frequencies and `batch` positions; `None` if that does not fit in `usize`.
    pub fn bytes(n: usize, batch: usize) -> Option<usize> {
        let angles = batch.checked_mul(2 * size_of::<f32>())?.checked_add(size_of::<f64>())?;
        n.checked_mul(angles)
    }

    /// Computes the angles of positions, a row each, at most as many as the table was made for.
    pub fn fill(&mut self, positions: impl Iterator<Item = usize>) {
        let n = self.frequencies.len();
        let rows = self.cos.chunks_exact_mut(n).zip(self.sin.chunks_exact_mut(n));
        for (position, (cos, sin)) in positions.zip(rows) {
            for ((cos, sin), frequency) in cos.iter_mut().zip(sin).zip(&self.frequencies) {
                let angle = position as f64 * frequency;
                *cos = (angle.cos() * self.magnitude) as f32;
                *sin = (angle.sin() * self.magnitude) as f32;
            }
        }
    }

    /// Turns every head of a token's vector, `heads x head_dim`, by the angles of row `row` and multiplies it with `scale`.
    pub fn apply(
        &self,
        kernels: &Kernels,
        style: RopeStyle,
        row: usize,
        head_dim: usize,
        scale: f32,
        x: &mut [f32],
    ) {
        let n = self.frequencies.len();
        let (cos, sin) = (&self.cos[row * n..][..n], &self.sin[row * n..][..n]);
        for head in x.chunks_exact_mut(head_dim) {
            match style {
                RopeStyle::Pairs => kernels.rotate_pairs(head, cos, sin),
                RopeStyle::Halves => kernels.rotate_halves(head, cos, sin),
            }
        }
        if scale != 1.0 {
            kernels.scale(x, scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Turning by a position and scoring depends on the distance only: the property rotary embedding is made for.
    #[test]
    fn products_depend_on_the_distance() {
        let kernels = Kernels::best();
        let mut table = RopeTable::new([1.0, 0.1, 0.01, 0.001].into(), 1.0, 1);
        let (q, k) =
            ([0.3, -1.0, 0.5, 0.8, 1.0, -0.2, 0.1, 0.7f32], [1.0, 0.2, -0.4, 0.9, 0.6, 0.5, -0.3, 0.25f32]);
        for style in [RopeStyle::Pairs, RopeStyle::Halves] {
            let mut turned = |mut x: [f32; 8], position: usize| {
                table.fill(position..position + 1);
                table.apply(&kernels, style, 0, 8, 1.0, &mut x);
                x
            };
            let mut score = |q_at, k_at| {
                let (q, k) = (turned(q, q_at), turned(k, k_at));
                q.iter().zip(&k).map(|(a, b)| a * b).sum::<f32>()
            };
            assert!((score(5, 2) - score(1003, 1000)).abs() < 1e-5);
            assert!((score(5, 2) - score(100_000_003, 100_000_000)).abs() < 1e-5);
            assert!((score(5, 2) - score(5, 5)).abs() > 1e-2);
        }
    }

    #[test]
    fn angles_are_multiples_of_the_frequencies() {
        let mut table = RopeTable::new([1.0, 0.005].into(), 1.5, 1);
        table.fill(2..3);
        assert!((table.cos[0] - 1.5 * 2.0f32.cos()).abs() < 1e-6);
        assert!((table.sin[1] - 1.5 * 0.01f32.sin()).abs() < 1e-7);
    }
}
