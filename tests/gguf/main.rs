//! The GGUF reader against hand-made files, damage planned and random, real files, and another reader.

mod build;
mod damaged;
mod ggus;
mod memory;
mod random;
mod real;
mod split;
mod valid;
