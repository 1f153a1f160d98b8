//! Kernels for 64-bit ARM.
//!
//! Most block formats have one recipe here, `FORMAT.rs`, which runs on any instruction set with exact int8 dot products ([`dots::Dots`]); the
//! others share [`any`].
//! `neon` and `dotprod` supply those products and stamp the recipes; the kernels of float formats and the conversions are in `neon` only,
//! because the dot product instructions add nothing to them. Loads, the only unsafe memory accesses, are in [`load`].
//!
//! Products with many vectors: the same files unpack rows into panels ([`panels`]), in the layout that the products of an instruction set
//! ([`multiply::Products`]) want; the multiplication around those products is one.

mod any;
mod convert;
pub(crate) mod dotprod;
mod dots;
pub(crate) mod i8mm;
mod iq4_nl;
mod iq4_xs;
mod load;
mod multiply;
mod mxfp4;
pub(crate) mod neon;
mod panels;
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
mod quants;
mod rows;

/// `instances! { "features", token; format, .. }`: a kernel for each block format, the recipe run with the products of one instruction set.
macro_rules! instances {
    ($features:literal, $token:expr; $($format:ident),*) => { $(
        #[doc = concat!("`out[r] = rows[r] . x` for ", stringify!($format), " rows.")]
        #[target_feature(enable = $features)]
        pub(crate) fn $format(rows: &[u8], x: crate::Column<'_>, out: &mut [f32]) {
            super::$format::dot($token, rows, x, out);
        }
    )*
        /// `out[r] = rows[r] . x` for rows of a format without a recipe of its own.
        #[target_feature(enable = $features)]
        pub(crate) fn any<B: crate::block::QuantBlock>(rows: &[u8], x: crate::Column<'_>, out: &mut [f32]) {
            super::any::dot::<B>($token, rows, x, out);
        }
    };
}
use instances;

/// `unpacks! { "features", token; format, .. }`: an unpacking into panels for each block format, as one instruction set wants them.
macro_rules! unpacks {
    ($features:literal, $token:expr; $($format:ident),*) => {
        /// Weight rows of each format into panels.
        pub(crate) mod unpack {
            use super::*;
            use crate::panel::{PanelGroup, Source};
            $(
                #[doc = concat!("Up to sixteen ", stringify!($format), " rows.")]
                #[target_feature(enable = $features)]
                pub(crate) fn $format(source: Source<'_>, panel: &mut [PanelGroup]) {
                    super::super::$format::unpack($token, source, panel);
                }
            )*

            /// Up to sixteen rows of a format without a recipe of its own.
            #[target_feature(enable = $features)]
            pub(crate) fn any<B: crate::block::QuantBlock>(source: Source<'_>, panel: &mut [PanelGroup]) {
                super::super::any::unpack::<B>($token, source, panel);
            }
        }
    };
}
use unpacks;
