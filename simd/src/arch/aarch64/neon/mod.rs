//! ARMv8.0 NEON: the block formats with `smull` and `smlal`, the float formats, and the conversions.

pub(crate) mod bf16;
mod dots;
pub(crate) mod f16;
pub(crate) mod f32;
mod float;
mod quantize;

use super::instances;
use dots::Neon;
pub(crate) use quantize::quantize;

instances! { "neon", Neon::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q4_k, q5_k, q6_k }
