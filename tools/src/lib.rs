//! Programs that make test models, and what they share with siskin's own tests.

pub mod fuzz;
pub mod meter;
pub mod synth;

use siskin_simd::Isa;
use std::iter::StepBy;

/// Whether an emulator runs the tests (`SISKIN_RUNNER` names it): some hundred times slower where floats are computed, so what is the same on
/// every CPU is tried less often there, and what the machine is to tell is not what an emulator tells.
pub fn emulated() -> bool {
    std::env::var_os("SISKIN_RUNNER").is_some_and(|runner| !runner.is_empty())
}

/// Of cases that are the same on every CPU, those to try: all; on an emulated core each so many-th, from the first on.
pub fn some<I: IntoIterator>(cases: I, each: usize) -> StepBy<I::IntoIter> {
    cases.into_iter().step_by(if emulated() { each } else { 1 })
}

/// Instruction sets that a test of whole models tries: all of this machine; of an emulated one the best, as each core that is emulated has another.
pub fn instruction_sets() -> impl Iterator<Item = Isa> {
    Isa::available().filter(|&isa| !emulated() || isa == Isa::best())
}
