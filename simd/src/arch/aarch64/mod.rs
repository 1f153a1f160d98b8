//! Kernels for 64-bit ARM.
//!
//! Every block format has one recipe here, `FORMAT.rs`, which runs on any instruction set with exact int8 dot products ([`dots::Dots`]).
//! `neon` and `dotprod` supply those products and stamp the recipes; the kernels of float formats and the conversions are in `neon` only,
//! because the dot product instructions add nothing to them. Loads, the only unsafe memory accesses, are in [`load`].

mod convert;
pub(crate) mod dotprod;
mod dots;
mod load;
pub(crate) mod neon;
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
    )* };
}
use instances;
