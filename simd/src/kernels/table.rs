//! Which function serves which format on which instruction set. Each starts from the portable functions, or from those of a lower one, and
//! replaces what it does better.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::{DotRows, Multiply, Unpack};
use super::{Kernels, Product};
use crate::arch::scalar;
use crate::block::*;
use crate::generic::Level;
use crate::isa::Isa;

impl Kernels {
    /// Portable functions for every format; `isa` decides only the vector width of the float operations.
    pub(super) fn scalar(isa: Isa) -> Kernels {
        let mut kernels = Kernels {
            isa,
            level: Level::new(isa),
            dot: [scalar::dot_float::<BlockF32>; Format::ALL.len()],
            product: [None; Format::ALL.len()],
            prefetch: scalar::prefetch,
            quantize: scalar::quantize,
            add_rows_f16: scalar::add_rows_f16,
            narrow_f16: scalar::narrow_f16,
            widen_f16: scalar::widen_f16,
        };
        kernels.dot[Format::F16 as usize] = scalar::dot_float::<BlockF16>;
        kernels.dot[Format::BF16 as usize] = scalar::dot_float::<BlockBf16>;
        kernels.scalar_blocks::<BlockQ4_0>();
        kernels.scalar_blocks::<BlockQ4_1>();
        kernels.scalar_blocks::<BlockQ5_0>();
        kernels.scalar_blocks::<BlockQ5_1>();
        kernels.scalar_blocks::<BlockQ8_0>();
        kernels.scalar_blocks::<BlockQ2K>();
        kernels.scalar_blocks::<BlockQ3K>();
        kernels.scalar_blocks::<BlockQ4K>();
        kernels.scalar_blocks::<BlockQ5K>();
        kernels.scalar_blocks::<BlockQ6K>();
        kernels.scalar_blocks::<BlockTQ1>();
        kernels.scalar_blocks::<BlockTQ2>();
        kernels.scalar_blocks::<BlockIQ1S>();
        kernels.scalar_blocks::<BlockIQ1M>();
        kernels.scalar_blocks::<BlockIQ2XXS>();
        kernels.scalar_blocks::<BlockIQ2XS>();
        kernels.scalar_blocks::<BlockIQ2S>();
        kernels.scalar_blocks::<BlockIQ3XXS>();
        kernels.scalar_blocks::<BlockIQ3S>();
        kernels.scalar_blocks::<BlockIQ4NL>();
        kernels.scalar_blocks::<BlockIQ4XS>();
        kernels.scalar_blocks::<BlockMxfp4>();
        kernels
    }

    fn scalar_blocks<B: QuantBlock>(&mut self) {
        self.dot[B::FORMAT as usize] = scalar::dot_quant::<B>;
        self.product[B::FORMAT as usize] =
            Some(Product { unpack: scalar::unpack::<B>, multiply: scalar::multiply });
    }
}

/// `others!(kernels; dot, unpack, multiply)`: the formats without kernels of their own, through those of an instruction set for any format.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! others {
    (@each $kernels:expr, $dot:ident, $unpack:ident, $multiply:expr; $($block:ty),*) => {
        $kernels
            .with_dots([$((<$block>::FORMAT, $dot::<$block> as DotRows)),*])
            .with_products([$((<$block>::FORMAT, $unpack::<$block> as Unpack, $multiply as Multiply)),*])
    };
    ($kernels:expr; $dot:ident, $unpack:ident, $multiply:expr) => {
        others!(@each $kernels, $dot, $unpack, $multiply;
            BlockTQ1, BlockTQ2, BlockIQ1S, BlockIQ1M, BlockIQ2XXS, BlockIQ2XS, BlockIQ2S, BlockIQ3XXS, BlockIQ3S)
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Kernels {
    /// Replaces the dot products of some formats.
    fn with_dots<const N: usize>(mut self, dots: [(Format, DotRows); N]) -> Kernels {
        for (format, dot) in dots {
            self.dot[format as usize] = dot;
        }
        self
    }

    /// Replaces the unpacking and the multiplication of some formats.
    fn with_products<const N: usize>(mut self, products: [(Format, Unpack, Multiply); N]) -> Kernels {
        for (format, unpack, multiply) in products {
            self.product[format as usize] = Some(Product { unpack, multiply });
        }
        self
    }
}

/// `vnni!(kernels)`: what both folders with dot product instructions have, under the same names. Those of one are to be in scope.
#[cfg(target_arch = "x86_64")]
macro_rules! vnni {
    ($kernels:expr) => {{
        let kernels = $kernels
            .with_dots([
                (Format::Q4_0, dot_rows_q4_0 as DotRows),
                (Format::Q4_1, dot_rows_q4_1),
                (Format::Q5_0, dot_rows_q5_0),
                (Format::Q5_1, dot_rows_q5_1),
                (Format::Q8_0, dot_rows_q8_0),
                (Format::Q2_K, dot_rows_q2_k),
                (Format::Q3_K, dot_rows_q3_k),
                (Format::Q4_K, dot_rows_q4_k),
                (Format::Q5_K, dot_rows_q5_k),
                (Format::Q6_K, dot_rows_q6_k),
                (Format::IQ4_NL, dot_rows_iq4_nl),
                (Format::IQ4_XS, dot_rows_iq4_xs),
                (Format::MXFP4, dot_rows_mxfp4),
            ])
            .with_products([
                (Format::Q4_0, unpack_q4_0 as Unpack, multiply_scales32 as Multiply),
                (Format::Q4_1, unpack_q4_1, multiply_offsets32),
                (Format::Q5_0, unpack_q5_0, multiply_scales32),
                (Format::Q5_1, unpack_q5_1, multiply_offsets32),
                (Format::Q8_0, unpack_q8_0, multiply_scales32),
                (Format::Q2_K, unpack_q2_k, multiply_offsets16),
                (Format::Q3_K, unpack_q3_k, multiply_scales16),
                (Format::Q4_K, unpack_q4_k, multiply_offsets32),
                (Format::Q5_K, unpack_q5_k, multiply_offsets32),
                (Format::Q6_K, unpack_q6_k, multiply_scales16),
                (Format::IQ4_NL, unpack_iq4_nl, multiply_scales32),
                (Format::IQ4_XS, unpack_iq4_xs, multiply_scales32),
                (Format::MXFP4, unpack_mxfp4, multiply_scales32),
            ]);
        others!(kernels; dot_rows_any, unpack_any, multiply_scales16)
    }};
}

#[cfg(target_arch = "x86_64")]
impl Kernels {
    /// Replaces what AVX2, FMA and F16C do better.
    pub(super) fn with_avx2(self) -> Kernels {
        use crate::arch::x86_64::avx2::{self, dot_rows_any, unpack_any};
        let kernels = self.with_dots([
            (Format::F32, avx2::dot_rows_f32 as DotRows),
            (Format::F16, avx2::dot_rows_f16),
            (Format::BF16, avx2::dot_rows_bf16),
            (Format::Q4_0, avx2::dot_rows_q4_0),
            (Format::Q4_1, avx2::dot_rows_q4_1),
            (Format::Q5_0, avx2::dot_rows_q5_0),
            (Format::Q5_1, avx2::dot_rows_q5_1),
            (Format::Q8_0, avx2::dot_rows_q8_0),
            (Format::Q2_K, avx2::dot_rows_q2_k),
            (Format::Q3_K, avx2::dot_rows_q3_k),
            (Format::Q4_K, avx2::dot_rows_q4_k),
            (Format::Q5_K, avx2::dot_rows_q5_k),
            (Format::Q6_K, avx2::dot_rows_q6_k),
            (Format::IQ4_NL, avx2::dot_rows_iq4_nl),
            (Format::IQ4_XS, avx2::dot_rows_iq4_xs),
            (Format::MXFP4, avx2::dot_rows_mxfp4),
        ]);
        let kernels = kernels.with_products([
            (Format::Q4_0, avx2::unpack_q4_0 as Unpack, avx2::multiply_4bit as Multiply),
            (Format::Q4_1, avx2::unpack_q4_1, avx2::multiply_4bit),
            (Format::Q5_0, avx2::unpack_q5_0, avx2::multiply_5bit),
            (Format::Q5_1, avx2::unpack_q5_1, avx2::multiply_5bit),
            (Format::Q8_0, avx2::unpack_q8_0, avx2::multiply_8bit),
            (Format::Q2_K, avx2::unpack_q2_k, avx2::multiply_2bit),
            (Format::Q3_K, avx2::unpack_q3_k, avx2::multiply_3bit),
            (Format::Q4_K, avx2::unpack_q4_k, avx2::multiply_4bit),
            (Format::Q5_K, avx2::unpack_q5_k, avx2::multiply_5bit),
            (Format::Q6_K, avx2::unpack_q6_k, avx2::multiply_6bit),
            (Format::IQ4_NL, avx2::unpack_iq4_nl, avx2::multiply_8bit),
            (Format::IQ4_XS, avx2::unpack_iq4_xs, avx2::multiply_8bit),
            (Format::MXFP4, avx2::unpack_mxfp4, avx2::multiply_5bit),
        ]);
        let kernels = others!(kernels; dot_rows_any, unpack_any, avx2::multiply_8bit_by_16);
        Kernels {
            prefetch: avx2::prefetch,
            quantize: avx2::quantize,
            add_rows_f16: avx2::add_rows_f16,
            narrow_f16: avx2::narrow_f16,
            widen_f16: avx2::widen_f16,
            ..kernels
        }
    }

    /// Replaces what AVX-VNNI does better than AVX2.
    pub(super) fn with_avx_vnni(self) -> Kernels {
        use crate::arch::x86_64::avx_vnni::*;
        vnni!(self)
    }

    /// Replaces what AVX-512 with VNNI does better than AVX2.
    pub(super) fn with_avx512_vnni(self) -> Kernels {
        use crate::arch::x86_64::avx512_vnni::*;
        vnni!(self)
    }
}

#[cfg(target_arch = "aarch64")]
impl Kernels {
    /// Replaces what NEON does better.
    pub(super) fn with_neon(self) -> Kernels {
        use crate::arch::aarch64::neon::{self, any as dot_any, unpack::any as unpack_any};
        let kernels = self.with_dots([
            (Format::F32, neon::f32::dot as DotRows),
            (Format::F16, neon::f16::dot),
            (Format::BF16, neon::bf16::dot),
            (Format::Q4_0, neon::q4_0),
            (Format::Q4_1, neon::q4_1),
            (Format::Q5_0, neon::q5_0),
            (Format::Q5_1, neon::q5_1),
            (Format::Q8_0, neon::q8_0),
            (Format::Q2_K, neon::q2_k),
            (Format::Q3_K, neon::q3_k),
            (Format::Q4_K, neon::q4_k),
            (Format::Q5_K, neon::q5_k),
            (Format::Q6_K, neon::q6_k),
            (Format::IQ4_NL, neon::iq4_nl),
            (Format::IQ4_XS, neon::iq4_xs),
            (Format::MXFP4, neon::mxfp4),
        ]);
        let kernels = kernels.with_products([
            (Format::Q4_0, neon::unpack::q4_0 as Unpack, neon::multiply::<32, false> as Multiply),
            (Format::Q4_1, neon::unpack::q4_1, neon::multiply::<32, true>),
            (Format::Q5_0, neon::unpack::q5_0, neon::multiply::<32, false>),
            (Format::Q5_1, neon::unpack::q5_1, neon::multiply::<32, true>),
            (Format::Q8_0, neon::unpack::q8_0, neon::multiply_wide::<32>),
            (Format::Q2_K, neon::unpack::q2_k, neon::multiply::<16, true>),
            (Format::Q3_K, neon::unpack::q3_k, neon::multiply::<16, false>),
            (Format::Q4_K, neon::unpack::q4_k, neon::multiply::<32, true>),
            (Format::Q5_K, neon::unpack::q5_k, neon::multiply::<32, true>),
            (Format::Q6_K, neon::unpack::q6_k, neon::multiply::<16, false>),
            (Format::IQ4_NL, neon::unpack::iq4_nl, neon::multiply_wide::<32>),
            (Format::IQ4_XS, neon::unpack::iq4_xs, neon::multiply_wide::<32>),
            (Format::MXFP4, neon::unpack::mxfp4, neon::multiply::<32, false>),
        ]);
        let kernels = others!(kernels; dot_any, unpack_any, neon::multiply_wide::<16>);
        Kernels {
            quantize: neon::quantize,
            add_rows_f16: neon::f16::add_rows,
            narrow_f16: neon::f16::narrow,
            widen_f16: neon::f16::widen,
            ..kernels
        }
    }

    /// Replaces what the dot product instructions do better than plain NEON.
    pub(super) fn with_dotprod(self) -> Kernels {
        use crate::arch::aarch64::dotprod::{self, any as dot_any, unpack::any as unpack_any};
        let kernels = self
            .with_dots([
                (Format::Q4_0, dotprod::q4_0 as DotRows),
                (Format::Q4_1, dotprod::q4_1),
                (Format::Q5_0, dotprod::q5_0),
                (Format::Q5_1, dotprod::q5_1),
                (Format::Q8_0, dotprod::q8_0),
                (Format::Q2_K, dotprod::q2_k),
                (Format::Q3_K, dotprod::q3_k),
                (Format::Q4_K, dotprod::q4_k),
                (Format::Q5_K, dotprod::q5_k),
                (Format::Q6_K, dotprod::q6_k),
                (Format::IQ4_NL, dotprod::iq4_nl),
                (Format::IQ4_XS, dotprod::iq4_xs),
                (Format::MXFP4, dotprod::mxfp4),
            ])
            .with_products([
                (Format::Q4_0, dotprod::unpack::q4_0 as Unpack, dotprod::multiply::<32, false> as Multiply),
                (Format::Q4_1, dotprod::unpack::q4_1, dotprod::multiply::<32, true>),
                (Format::Q5_0, dotprod::unpack::q5_0, dotprod::multiply::<32, false>),
                (Format::Q5_1, dotprod::unpack::q5_1, dotprod::multiply::<32, true>),
                (Format::Q8_0, dotprod::unpack::q8_0, dotprod::multiply::<32, false>),
                (Format::Q2_K, dotprod::unpack::q2_k, dotprod::multiply::<16, true>),
                (Format::Q3_K, dotprod::unpack::q3_k, dotprod::multiply::<16, false>),
                (Format::Q4_K, dotprod::unpack::q4_k, dotprod::multiply::<32, true>),
                (Format::Q5_K, dotprod::unpack::q5_k, dotprod::multiply::<32, true>),
                (Format::Q6_K, dotprod::unpack::q6_k, dotprod::multiply::<16, false>),
                (Format::IQ4_NL, dotprod::unpack::iq4_nl, dotprod::multiply::<32, false>),
                (Format::IQ4_XS, dotprod::unpack::iq4_xs, dotprod::multiply::<32, false>),
                (Format::MXFP4, dotprod::unpack::mxfp4, dotprod::multiply::<32, false>),
            ]);
        others!(kernels; dot_any, unpack_any, dotprod::multiply::<16, false>)
    }

    /// Replaces what the int8 matrix multiplication instructions do better: products with many vectors.
    pub(super) fn with_i8mm(self) -> Kernels {
        use crate::arch::aarch64::dotprod::any as dot_any;
        use crate::arch::aarch64::i8mm::{self, unpack::any as unpack_any};
        let kernels = self.with_products([
            (Format::Q4_0, i8mm::unpack::q4_0 as Unpack, i8mm::multiply::<32, false> as Multiply),
            (Format::Q4_1, i8mm::unpack::q4_1, i8mm::multiply::<32, true>),
            (Format::Q5_0, i8mm::unpack::q5_0, i8mm::multiply::<32, false>),
            (Format::Q5_1, i8mm::unpack::q5_1, i8mm::multiply::<32, true>),
            (Format::Q8_0, i8mm::unpack::q8_0, i8mm::multiply::<32, false>),
            (Format::Q2_K, i8mm::unpack::q2_k, i8mm::multiply::<16, true>),
            (Format::Q3_K, i8mm::unpack::q3_k, i8mm::multiply::<16, false>),
            (Format::Q4_K, i8mm::unpack::q4_k, i8mm::multiply::<32, true>),
            (Format::Q5_K, i8mm::unpack::q5_k, i8mm::multiply::<32, true>),
            (Format::Q6_K, i8mm::unpack::q6_k, i8mm::multiply::<16, false>),
            (Format::IQ4_NL, i8mm::unpack::iq4_nl, i8mm::multiply::<32, false>),
            (Format::IQ4_XS, i8mm::unpack::iq4_xs, i8mm::multiply::<32, false>),
            (Format::MXFP4, i8mm::unpack::mxfp4, i8mm::multiply::<32, false>),
        ]);
        others!(kernels; dot_any, unpack_any, i8mm::multiply::<16, false>)
    }
}
