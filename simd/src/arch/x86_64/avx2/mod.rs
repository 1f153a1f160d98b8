//! Kernels for AVX2 with FMA and F16C, on vectors of 256 bits.
//!
//! Every function here is a safe `#[target_feature]` function: only a caller that has the features, or `unsafe` code that has
//! seen the CPU to have them, can reach it. Memory is touched by `load.rs` alone, through references to arrays of the right size.
//!
//! - `rows.rs` and `floats.rs` walk the rows of block formats and of float formats, and hold the partial sums;
//! - a format's file says how the quants and scales of 256 weights are read out of its blocks.

mod bf16;
mod f16;
mod f32;
mod floats;
mod load;
mod q4_0;
mod q4_k;
mod q6_k;
mod q8_0;
mod rows;

pub(crate) use bf16::dot_rows_bf16;
pub(crate) use f16::{add_rows_f16, dot_rows_f16, narrow_f16};
pub(crate) use f32::dot_rows_f32;
pub(crate) use q4_0::dot_rows_q4_0;
pub(crate) use q4_k::dot_rows_q4_k;
pub(crate) use q6_k::dot_rows_q6_k;
pub(crate) use q8_0::dot_rows_q8_0;
