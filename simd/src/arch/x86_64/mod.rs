//! Kernels for x86-64: a folder for each instruction set, the same file names in each. Only `kernels/table.rs` names them.
//! What AVX2 and AVX-VNNI share is in `vector256`; `load.rs` and `k_scales.rs` serve every folder.
//!
//! All of them stream one weight row at a time and ask for the bytes some way ahead of it: on the machines measured, one
//! sequential stream reaches the bandwidth of a plain read, and several interleaved rows do not.

pub(crate) mod avx2;
pub(crate) mod avx512_vnni;
pub(crate) mod avx_vnni;
mod k_scales;
mod load;
mod vector256;
