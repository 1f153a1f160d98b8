//! The sampler against a plain reference, against statistics, and against bad input.

mod any;
mod chain;
mod errors;
mod filters;
mod plain;
mod statistics;

use super::rng::{Stream, uniform};
use super::*;
use plain::Plain;

/// Boundaries nearer than this (as a share of the mass) are left out: there, rounding may decide.
const MARGIN: f64 = 1e-9;

fn sampler(options: &Options, vocab: usize) -> Sampler {
    Sampler::new(options.clone(), vocab).expect("options in range")
}

fn at(position: u64) -> Context<'static> {
    Context { position, ..Context::default() }
}
