//! The oracle: weights decoded by their definition, activations taken back from their quants, products added up in `f64`.

use crate::{ActGroup, Column, Format};

/// A dot product and the sum of the magnitudes of its terms, which tolerances scale with.
pub fn dot(format: Format, row: &[u8], x: Column<'_>) -> (f64, f64) {
    let mut weights = vec![0.0f32; x.cols()];
    format.decode(row, &mut weights);
    let terms = weights.iter().enumerate().map(|(i, &w)| f64::from(w) * activation(format, x, i));
    terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
}

/// What a kernel of the format sees as value `i`.
fn activation(format: Format, x: Column<'_>, i: usize) -> f64 {
    if format.is_float() {
        return f64::from(x.x[i]);
    }
    let (group, at) = (&x.groups[i / ActGroup::LEN], i % ActGroup::LEN);
    f64::from(group.scale[at / 32]) * f64::from(group.q[at])
}
