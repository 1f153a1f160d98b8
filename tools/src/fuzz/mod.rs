//! Hostile input for every part of siskin that reads what others wrote: files, vocabularies, token ids, templates, generated text.
//!
//! | file | what |
//! |---|---|
//! | `targets/` | one function a part: takes bytes, whatever they are, and panics if a promise is broken |
//! | `seeds.rs`, `writer.rs` | sound inputs to begin with, made by code |
//! | `mutate.rs` | damages them: case `i` of a seed is the same everywhere |
//! | `run.rs` | runs cases and says what was worst; of memory too, in programs that make [`Counting`](crate::meter::Counting) their allocator |
//!
//! Three programs share it: `tools/tests/fuzz.rs` (some cases in every test run), the program `fuzz` (as many as one wants), and the
//! targets of `fuzz/` for cargo-fuzz, whose coverage finds what blind damage does not.

pub mod mutate;
mod run;
mod seeds;
mod targets;
mod writer;

pub use run::{Cases, Failure, Report, Watch, run};

/// A part that is fed with hostile input.
#[derive(Clone, Copy)]
pub struct Target {
    /// What it is called on the command line.
    pub name: &'static str,
    /// Feeds it with one input. Panics if something is wrong.
    pub run: fn(Vec<u8>),
    /// Sound inputs.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Words that its format knows, to be put into inputs.
    pub words: &'static [&'static str],
    /// Bytes that a case may hold at once at most, for an input of so many bytes, whatever the target itself asserts.
    pub memory: fn(usize) -> usize,
}

/// All of them.
pub const TARGETS: [Target; 7] = [
    targets::GGUF,
    targets::METADATA,
    targets::TOKENIZER,
    targets::DETOKENIZER,
    targets::TEMPLATE,
    targets::STOP,
    targets::CACHE,
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.into_iter().find(|target| target.name == name)
}
