//! Kernels for 64-bit ARM.
