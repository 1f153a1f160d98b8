//! How far two programs are from the oracle, as it is recorded and printed.

use serde::Deserialize;
use std::fmt;

/// How far logits are from the oracle's.
#[derive(Clone, Copy, Deserialize)]
pub struct Distance {
    /// Root of the mean square difference.
    pub rms: f64,
    /// Largest difference.
    pub max_abs: f64,
    /// Mean divergence of the oracle's distribution from this one, in nats.
    pub kl: f64,
}

impl fmt::Display for Distance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:8.1e} {:8.1e} {:8.1e}", self.rms, self.max_abs, self.kl)
    }
}

/// The root of the mean square of values.
pub fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0u32), |(sum, count), value| (sum + value * value, count + 1));
    (sum / f64::from(count)).sqrt()
}
