//! What is done with floats alone: norms, softmax, attention tiles, rotary embedding.

use super::Kernels;
use crate::generic::{
    Accumulate, Activated, Activation, Add, AddScaled, Delta, DeltaRule, Gate, Gated, LANES,
    LayerNormInPlace, RmsNorm, RmsNormInPlace, RotateHalves, RotatePairs, Scale, ScaleColumns, SiluInPlace,
    SoftCap, Softmax, SoftmaxTile,
};

impl Kernels {
    /// `out[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn rms_norm(&self, x: &[f32], weight: &[f32], eps: f32, out: &mut [f32]) {
        assert!(x.len() == weight.len() && x.len() == out.len(), "norm of {} values", x.len());
        self.level.run(RmsNorm { x, weight, eps, out });
    }

    /// `x[i] = x[i] / sqrt(mean(x^2) + eps) * weight[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn rms_norm_in_place(&self, x: &mut [f32], weight: &[f32], eps: f32) {
        assert_eq!(x.len(), weight.len(), "values and weights of a norm");
        self.level.run(RmsNormInPlace { x, weight, eps });
    }

    /// `x[i] = (x[i] - mean(x)) / sqrt(variance(x) + eps) * weight[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn layer_norm_in_place(&self, x: &mut [f32], weight: &[f32], eps: f32) {
        assert_eq!(x.len(), weight.len(), "values and weights of a norm");
        self.level.run(LayerNormInPlace { x, weight, eps });
    }

    /// Softmax in place: `x[i] = e^x[i] / sum_j e^x[j]`. The result is the largest value `max` and `sum_j e^(x[j] - max)`, with which
    /// softmaxes of parts can be put together; negative infinity and 0 if there are no values.
    pub fn softmax(&self, x: &mut [f32]) -> (f32, f32) {
        if x.is_empty() { (f32::NEG_INFINITY, 0.0) } else { self.level.run(Softmax(x)) }
    }

    /// `c[i][j] += sum_l a[i][l] * b[l][j]`: `a` is `i x l`, `b` is `l x LANES`, `c` is `i x LANES`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit.
    pub fn accumulate(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (rows, count) = (c.len() / LANES, b.len() / LANES);
        assert!(c.len() == rows * LANES && b.len() == count * LANES, "matrices of {LANES} columns");
        assert_eq!(a.len(), rows * count, "values of {rows} x {count}");
        self.level.run(Accumulate { a, row: count, column: 1, b, c });
    }

    /// `c[i][j] += sum_l a[l][i] * b[l][j]`: `a` is `l x i`, `b` is `l x LANES`, `c` is `i x LANES`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit.
    pub fn accumulate_transposed(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        let (rows, count) = (c.len() / LANES, b.len() / LANES);
        assert!(c.len() == rows * LANES && b.len() == count * LANES, "matrices of {LANES} columns");
        assert_eq!(a.len(), rows * count, "values of {count} x {rows}");
        self.level.run(Accumulate { a, row: 1, column: rows, b, c });
    }

    /// One step of an online softmax over scores `rows x LANES`, each lane by itself: scores become `e^(score - max)`, where `max` is the
    /// largest so far; `sum` grows by them; `scale` is what `sum` was, and results so far have to be, multiplied with, because `max` grew.
    ///
    /// # Panics
    ///
    /// If `scores` is no whole number of rows.
    pub fn softmax_tile(
        &self,
        scores: &mut [f32],
        max: &mut [f32; LANES],
        sum: &mut [f32; LANES],
        scale: &mut [f32; LANES],
    ) {
        assert!(scores.len().is_multiple_of(LANES), "{} scores in rows of {LANES}", scores.len());
        if scores.is_empty() {
            return *scale = [1.0; LANES];
        }
        self.level.run(SoftmaxTile { scores, max, sum, scale });
    }

    /// `x[i][j] *= scale[j]`: `x` is `rows x LANES`.
    ///
    /// # Panics
    ///
    /// If `x` is no whole number of rows.
    pub fn scale_columns(&self, x: &mut [f32], scale: &[f32; LANES]) {
        assert!(x.len().is_multiple_of(LANES), "{} values in rows of {LANES}", x.len());
        self.level.run(ScaleColumns { x, scale });
    }

    /// `gate[i] = f(gate[i], up[i])`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn gate(&self, function: Gate, gate: &mut [f32], up: &[f32]) {
        assert_eq!(gate.len(), up.len(), "gate and up");
        self.level.run(Gated { function, gate, up });
    }

    /// `x[i] = f(x[i])`.
    pub fn activate(&self, function: Activation, x: &mut [f32]) {
        self.level.run(Activated { function, x });
    }

    /// `x[i] = silu(x[i])`, as in [`Gate::Silu`].
    pub fn silu(&self, x: &mut [f32]) {
        self.level.run(SiluInPlace(x));
    }

    /// A token passes a head of a gated delta net: `state` is `values x keys`, `out` is `values`.
    ///
    /// # Panics
    ///
    /// If the sizes do not fit, or there are no keys.
    pub fn delta_rule(&self, state: &mut [f32], delta: Delta<'_>, out: &mut [f32]) {
        let (keys, values) = (delta.key.len(), delta.value.len());
        assert!(keys > 0 && delta.query.len() == keys, "values of a query and of a key");
        assert!(out.len() == values && state.len() == keys * values, "a state of {values} x {keys}");
        self.level.run(DeltaRule { state, delta, out });
    }

    /// `x[i] *= factor`.
    pub fn scale(&self, x: &mut [f32], factor: f32) {
        self.level.run(Scale { x, factor });
    }

    /// `x[i] = cap * tanh(x[i] / cap)`.
    pub fn soft_cap(&self, x: &mut [f32], cap: f32) {
        self.level.run(SoftCap { x, cap });
    }

    /// `x[i] += y[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add(&self, x: &mut [f32], y: &[f32]) {
        assert_eq!(x.len(), y.len(), "vectors to add");
        self.level.run(Add { x, y });
    }

    /// `x[i] += weight * y[i]`.
    ///
    /// # Panics
    ///
    /// If the lengths differ.
    pub fn add_scaled(&self, x: &mut [f32], weight: f32, y: &[f32]) {
        assert_eq!(x.len(), y.len(), "vectors to add");
        self.level.run(AddScaled { x, weight, y });
    }

    /// Rotary embedding of neighbouring pairs: `(x[2i], x[2i + 1])` turned by the angle with `cos[i]`, `sin[i]`. Values past
    /// `2 * cos.len()` are left alone.
    ///
    /// # Panics
    ///
    /// If the table is longer than half the head.
    pub fn rotate_pairs(&self, head: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(cos.len() == sin.len() && cos.len() * 2 <= head.len(), "rope table of {} angles", cos.len());
        self.level.run(RotatePairs { head, cos, sin });
    }

    /// Rotary embedding of halves: `(x[i], x[i + cos.len()])` turned by the angle with `cos[i]`, `sin[i]`. Values past
    /// `2 * cos.len()` are left alone.
    ///
    /// # Panics
    ///
    /// If the table is longer than half the head.
    pub fn rotate_halves(&self, head: &mut [f32], cos: &[f32], sin: &[f32]) {
        assert!(cos.len() == sin.len() && cos.len() * 2 <= head.len(), "rope table of {} angles", cos.len());
        self.level.run(RotateHalves { head, cos, sin });
    }
}
