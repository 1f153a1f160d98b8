//! Operations on `f32` written once over pulp's vectors; `kernels` runs them at the level of its instruction set.
//!
//! A vector operation is compiled for its instruction set only where it is inlined, so vectors are handed to `#[inline(always)]` functions and
//! never to closures. Sums are taken in an order that depends on the vector width and the length only, so a result never depends on threads or chunks.

mod add;
mod cached;
mod cap;
mod delta;
mod exp;
mod gate;
mod norm;
mod rope;
mod softmax;
mod tile;

pub(crate) use add::{Add, AddRows32, AddScaled};
pub(crate) use cached::{AddCached, DotCached, NarrowCached, WidenCached};
pub(crate) use cap::{Scale, SoftCap};
pub use delta::Delta;
pub(crate) use delta::DeltaRule;
pub(crate) use gate::{Activated, Gated, SiluInPlace};
pub use gate::{Activation, Gate};
pub(crate) use norm::{LayerNormInPlace, RmsNorm, RmsNormInPlace};
pub(crate) use rope::{RotateHalves, RotatePairs};
pub(crate) use softmax::Softmax;
pub use tile::LANES;
pub(crate) use tile::{Accumulate, ScaleColumns, SoftmaxTile};

use crate::Isa;
use pulp::{Simd, WithSimd};

/// Plain code with loops that the compiler vectorizes by itself; see [`widest`].
pub trait Work {
    /// What comes out.
    type Output;

    /// Does it. Must be `#[inline(always)]`, and so must be what it calls: code that is not inlined is compiled for any CPU.
    fn run(self) -> Self::Output;
}

/// Runs plain code, compiled for the widest vectors that this CPU has. No arithmetic is fused or reordered for it, so the result is the
/// same on every CPU.
#[inline]
pub fn widest<W: Work>(work: W) -> W::Output {
    struct Plain<W>(W);

    impl<W: Work> WithSimd for Plain<W> {
        type Output = W::Output;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> W::Output {
            self.0.run()
        }
    }

    Level::new(Isa::best()).run(Plain(work))
}

/// The vector width that generic operations run with: a token of pulp's that only exists on a CPU with the features.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Level {
    Scalar(pulp::Scalar),
    #[cfg(target_arch = "x86_64")]
    V3(pulp::x86::V3),
    #[cfg(target_arch = "x86_64")]
    V4(pulp::x86::V4),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
}

impl Level {
    /// The level of an instruction set; scalar when the CPU lacks it.
    pub fn new(isa: Isa) -> Level {
        let token = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 | Isa::AvxVnni => pulp::x86::V3::try_new().map(Level::V3),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => pulp::x86::V4::try_new().map(Level::V4),
            #[cfg(target_arch = "aarch64")]
            Isa::Neon | Isa::Dotprod | Isa::I8mm => pulp::aarch64::Neon::try_new().map(Level::Neon),
            _ => None,
        };
        token.unwrap_or(Level::Scalar(pulp::Scalar::new()))
    }

    /// Runs an operation at this level.
    #[inline(always)]
    pub fn run<Op: WithSimd>(self, op: Op) -> Op::Output {
        match self {
            Level::Scalar(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Level::V3(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "x86_64")]
            Level::V4(simd) => Simd::vectorize(simd, op),
            #[cfg(target_arch = "aarch64")]
            Level::Neon(simd) => Simd::vectorize(simd, op),
        }
    }
}
