//! Programs that make test models, and what they share with siskin's own tests.

pub mod fuzz;
pub mod synth;
