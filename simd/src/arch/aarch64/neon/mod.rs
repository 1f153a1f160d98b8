//! ARMv8.0 NEON: the block formats with `smull` and `smlal`, the float formats, and the conversions.

pub(crate) mod bf16;
mod dots;
pub(crate) mod f16;
pub(crate) mod f32;
mod float;
mod products;
mod quantize;

use super::{instances, multiply, unpacks};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use dots::Neon;
use products::{Narrow, Wide};
pub(crate) use quantize::quantize;

instances! { "neon", Neon::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 }
unpacks! { "neon", Neon::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 }

/// Panels with a scale, and if `OFFSETS` an offset, per `PER` columns (16 or 32), times a tile. Weights are -16..=16 if `PER` is 32, and
/// -32..=32 if 16: all formats but those whose values need eight bits.
#[target_feature(enable = "neon")]
pub(crate) fn multiply<const PER: usize, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    multiply::multiply::<PER, OFFSETS, 1>(Narrow(Neon::new()), panel, tile, sums);
}

/// Panels of any int8 weights, with a scale per `PER` columns (16 or 32), times a tile.
#[target_feature(enable = "neon")]
pub(crate) fn multiply_wide<const PER: usize>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    multiply::multiply::<PER, false, 1>(Wide(Neon::new()), panel, tile, sums);
}
