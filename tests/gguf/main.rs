//! The GGUF reader against hand-made files, damage planned and random, real files, and another reader.

mod build;
mod damaged;
mod ggus;
mod random;
mod real;
mod split;
mod valid;

#[global_allocator]
static ALLOCATOR: siskin_tools::meter::Counting = siskin_tools::meter::Counting;
