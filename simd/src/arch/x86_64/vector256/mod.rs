//! Block formats on vectors of 256 bits, written once: AVX2 and AVX-VNNI differ only in how they multiply bytes, and hand that in.
//!
//! - `rows.rs` walks rows a group of 256 weights at a time, and holds the partial sums;
//! - `panel.rs` unpacks rows for products with many columns, and `multiply.rs` computes these;
//! - a format's file says how the quants and scales of one group are read out of its blocks.
//!
//! `instances!` makes the kernels of one instruction set. All functions down to the multiplication are `#[inline]` and need no more
//! features than the caller has, so each kernel becomes one function with nothing left to call.

mod any;
mod iq4_nl;
mod iq4_xs;
mod multiply;
mod mxfp4;
mod panel;
mod q2_k;
mod q3_k;
mod q4_0;
mod q4_1;
mod q4_k;
mod q5_0;
mod q5_1;
mod q5_k;
mod q6_k;
mod q8_0;
mod rows;

pub(crate) use any::{dot_rows_any, unpack_any};
pub(crate) use iq4_nl::{dot_rows_iq4_nl, unpack_iq4_nl};
pub(crate) use iq4_xs::{dot_rows_iq4_xs, unpack_iq4_xs};
pub(crate) use multiply::{Columns, WIDTH, activations, multiply};
pub(crate) use mxfp4::{RAISED, dot_rows_mxfp4, scales as mxfp4_scales, unpack_mxfp4};
pub(crate) use panel::Quants;
pub(crate) use q2_k::{dot_rows_q2_k, unpack_q2_k};
pub(crate) use q3_k::{dot_rows_q3_k, unpack_q3_k};
pub(crate) use q4_0::{dot_rows_q4_0, unpack_q4_0};
pub(crate) use q4_1::{dot_rows_q4_1, unpack_q4_1};
pub(crate) use q4_k::{dot_rows_q4_k, unpack_q4_k};
pub(crate) use q5_0::{dot_rows_q5_0, unpack_q5_0};
pub(crate) use q5_1::{dot_rows_q5_1, unpack_q5_1};
pub(crate) use q5_k::{dot_rows_q5_k, unpack_q5_k};
pub(crate) use q6_k::{dot_rows_q6_k, unpack_q6_k};
pub(crate) use q8_0::{dot_rows_q8_0, unpack_q8_0};
pub(crate) use rows::Sums;

/// The kernels of all block formats for an instruction set: its features, its function that multiplies bytes, and what its panels hold.
macro_rules! instances {
    ($features:literal, $dot:path, $style:expr) => {
        crate::arch::x86_64::vector256::instances! { $features, $dot, $style;
            dot_rows_q4_0 unpack_q4_0, dot_rows_q4_1 unpack_q4_1, dot_rows_q5_0 unpack_q5_0, dot_rows_q5_1 unpack_q5_1,
            dot_rows_q8_0 unpack_q8_0, dot_rows_q2_k unpack_q2_k, dot_rows_q3_k unpack_q3_k, dot_rows_q4_k unpack_q4_k, dot_rows_q5_k unpack_q5_k, dot_rows_q6_k unpack_q6_k,
            dot_rows_iq4_nl unpack_iq4_nl, dot_rows_iq4_xs unpack_iq4_xs, dot_rows_mxfp4 unpack_mxfp4 }

        /// `out[r] = rows[r] . x` for a format without kernels of its own: `out.len()` rows x `x.cols()` columns.
        #[target_feature(enable = $features)]
        pub(crate) fn dot_rows_any<B: crate::block::QuantBlock>(rows: &[u8], x: crate::activation::Column<'_>, out: &mut [f32]) {
            crate::arch::x86_64::vector256::dot_rows_any::<B>(rows, x, out, |weights, activations| $dot(weights, activations));
        }

        /// Up to 16 rows of such a format into a panel.
        #[target_feature(enable = $features)]
        pub(crate) fn unpack_any<B: crate::block::QuantBlock>(source: crate::panel::Source<'_>, panel: &mut [crate::panel::PanelGroup]) {
            crate::arch::x86_64::vector256::unpack_any::<B>(source, panel, $style);
        }
    };
    ($features:literal, $dot:path, $style:expr; $($dot_rows:ident $unpack:ident),*) => { $(
        /// `out[r] = rows[r] . x`: `out.len()` rows x `x.cols()` columns.
        #[target_feature(enable = $features)]
        pub(crate) fn $dot_rows(rows: &[u8], x: crate::activation::Column<'_>, out: &mut [f32]) {
            crate::arch::x86_64::vector256::$dot_rows(rows, x, out, |weights, activations| $dot(weights, activations));
        }

        /// Up to 16 rows into a panel.
        #[target_feature(enable = $features)]
        pub(crate) fn $unpack(source: crate::panel::Source<'_>, panel: &mut [crate::panel::PanelGroup]) {
            crate::arch::x86_64::vector256::$unpack(source, panel, $style);
        }
    )* };
}
pub(crate) use instances;
