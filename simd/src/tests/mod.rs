//! One suite, stamped on every pair of instruction set and format; the oracle computes in `f64` from the decoded weights.
//!
//! A CPU that lacks an instruction set skips its tests and says so, and fails instead when `SISKIN_REQUIRE` (a comma-separated list) names it.

mod cached;
mod data;
mod naive;
mod suite;

use crate::{Format, Isa};

/// `stamp!(isa_module, Isa::X)`: the suite for one instruction set, a module per format.
macro_rules! stamp {
    ($($module:ident = $isa:expr;)*) => { $(
        mod $module {
            use super::*;
            stamp!(@formats $isa;
                f32 = Format::F32, f16 = Format::F16, bf16 = Format::BF16,
                q4_0 = Format::Q4_0, q4_1 = Format::Q4_1, q5_0 = Format::Q5_0, q5_1 = Format::Q5_1, q8_0 = Format::Q8_0,
                q2_k = Format::Q2_K, q3_k = Format::Q3_K, q4_k = Format::Q4_K, q5_k = Format::Q5_K, q6_k = Format::Q6_K,
                tq1_0 = Format::TQ1_0, tq2_0 = Format::TQ2_0, iq1_s = Format::IQ1_S, iq1_m = Format::IQ1_M, iq2_xxs = Format::IQ2_XXS, iq2_xs = Format::IQ2_XS, iq2_s = Format::IQ2_S, iq3_xxs = Format::IQ3_XXS, iq3_s = Format::IQ3_S, iq4_nl = Format::IQ4_NL, iq4_xs = Format::IQ4_XS, mxfp4 = Format::MXFP4);

            #[test]
            fn operations() {
                suite::with($isa, suite::operations);
            }

            #[test]
            fn keys_and_values() {
                suite::with($isa, cached::cached);
            }
        }
    )* };
    (@formats $isa:expr; $($name:ident = $format:expr),*) => { $(
        #[test]
        fn $name() {
            suite::with($isa, |kernels| {
                suite::dot_rows(kernels, $format);
                suite::products(kernels, $format);
            });
        }
    )* };
}

stamp! {
    scalar = Isa::Scalar;
    avx2 = Isa::Avx2;
    avx_vnni = Isa::AvxVnni;
    avx512_vnni = Isa::Avx512Vnni;
    neon = Isa::Neon;
    dotprod = Isa::Dotprod;
    i8mm = Isa::I8mm;
}
