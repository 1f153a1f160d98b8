//! NEON with the int8 matrix multiplication instructions (ARMv8.6, and optional before): products of panels with `smmla`. One vector alone
//! gains nothing from them: dot products are those of `dotprod`.

mod products;

use super::{multiply, unpacks};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use products::I8mm;

unpacks! { "neon,i8mm", I8mm::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 }

/// Panels with a scale, and if `OFFSETS` an offset, per `PER` columns (16 or 32), times a tile.
#[target_feature(enable = "neon,i8mm")]
pub(crate) fn multiply<const PER: usize, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    multiply::multiply::<PER, OFFSETS, 2>(I8mm::new(), panel, tile, sums);
}
