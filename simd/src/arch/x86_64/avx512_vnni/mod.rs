//! Kernels for AVX-512 (F, BW, DQ, VL) with VNNI, on vectors of 512 bits: the block formats, whose dot products `dpbusd` makes shorter.
//!
//! Everything else is as fast on AVX2. As there, functions are safe `#[target_feature]` functions, and memory is touched only by
//! `load.rs` and `../load.rs`.

mod any;
mod iq4_nl;
mod iq4_xs;
mod load;
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
pub(crate) use multiply::{multiply_offsets16, multiply_offsets32, multiply_scales16, multiply_scales32};
pub(crate) use mxfp4::{dot_rows_mxfp4, unpack_mxfp4};
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
