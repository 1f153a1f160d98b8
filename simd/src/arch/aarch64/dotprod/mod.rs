//! NEON with the dot product instructions (ARMv8.2): the block formats with `sdot`. Everything else is as in plain NEON.

mod dots;
mod products;

use super::{instances, multiply, unpacks};
use crate::activation::ActGroup;
use crate::panel::{PANEL_ROWS, PanelGroup};
use dots::Dotprod;

instances! { "neon,dotprod", Dotprod::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 }
unpacks! { "neon,dotprod", Dotprod::new(); q4_0, q4_1, q5_0, q5_1, q8_0, q2_k, q3_k, q4_k, q5_k, q6_k, iq4_nl, iq4_xs, mxfp4 }

/// Panels with a scale, and if `OFFSETS` an offset, per `PER` columns (16 or 32), times a tile.
#[target_feature(enable = "neon,dotprod")]
pub(crate) fn multiply<const PER: usize, const OFFSETS: bool>(
    panel: &[PanelGroup],
    tile: &[ActGroup],
    sums: &mut [[f32; PANEL_ROWS]],
) {
    multiply::multiply::<PER, OFFSETS, 2>(Dotprod::new(), panel, tile, sums);
}
