//! Arithmetic on bytes for siskin: quantized dot products and vector operations.
//!
//! This crate knows no file, model or thread. It is handed rows of weights in a GGUF block
//! layout, as plain bytes, and columns of activations, and multiplies them; nothing is copied or repacked.
//!
//! ```
//! use siskin_simd::{ActGroup, Column, Format, Kernels};
//!
//! let kernels = Kernels::best();
//! let x = [1.0f32; 32];
//! let mut groups = vec![ActGroup::ZERO; ActGroup::count(32)];
//! kernels.quantize(&x, &mut groups);
//!
//! // one Q8_0 row of 32 weights: an f16 scale of 0.5, then 32 quants of 2
//! let mut row = vec![0x00, 0x38];
//! row.extend([2u8; 32]);
//! let mut out = [0.0f32];
//! kernels.dot_rows(Format::Q8_0, &row, Column::new(&x, &groups), &mut out);
//! assert_eq!(out, [32.0]);
//! ```
//!
//! # Map
//!
//! - [`Isa`]: an instruction set, detected once and carried as a value; it can be forced down, never up.
//! - [`Kernels`]: the functions chosen for one [`Isa`].
//! - [`Format`] and `block`: what the bytes of each format mean, one file a format.
//! - [`ActGroup`] and [`Column`]: an activation vector, as floats and as int8 with its scales and sums.
//! - [`Tiles`] and [`Panel`]: what the product of a matrix with many activation vectors works on.
//! - `generic`: operations on `f32` written once over pulp's vectors (norm, softmax, SiLU).
//! - `arch`: the kernels, a folder for each instruction set, the same file names in each.
//!
//! # How to add a format
//!
//! Write `block/NAME.rs` (the layout, `decode` and `unpack`) and add a line to [`Format`] and to `block/mod.rs`: it runs on every
//! CPU through the scalar kernel. Then, where it pays, add `arch/ISA/NAME.rs` and its entry in `kernels/table.rs`. The test suite is stamped
//! on every pair of instruction set and format, so a new pair is tested by naming it.
//!
//! # How to add an instruction set
//!
//! Add the variant to [`Isa`] with its detection, a folder in `arch`, and a constructor in `kernels/table.rs`.
//!
//! # Safety
//!
//! Kernels are `#[target_feature]` functions. A [`Kernels`] value is only built after the CPU was seen to have the features that its
//! functions need; that, and nothing remembered about lengths, is what makes its methods safe. Every bound comes from the slices of the call.

mod activation;
mod arch;
pub mod block;
mod generic;
mod isa;
mod kernels;
mod panel;
#[cfg(test)]
mod tests;

pub use activation::{ActGroup, Column};
pub use block::Format;
pub use generic::{Activation, Delta, Gate, LANES, Work, widest};
pub use isa::{Isa, IsaError};
pub use kernels::Kernels;
pub use panel::{PANEL_ROWS, Panel, TILE, Tiles};
