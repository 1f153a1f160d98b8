//! The kernels, a folder for each instruction set and the same file names in each. `scalar.rs` runs everywhere and is written once for all
//! formats; instruction-set folders never import each other's kernels.

#[cfg(target_arch = "aarch64")]
pub(crate) mod aarch64;
pub(crate) mod scalar;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86_64;
