//! The exponential function, for softmax and SiLU.

use pulp::Simd;

/// `e^x` within 2 ULP for x in -87..=88; clamped outside, so it never overflows and never gives less than 1e-38.
///
/// `x = n ln 2 + r` with `n` whole and `|r| <= ln 2 / 2`; `e^r` is a polynomial of degree 6 (Cephes `expf`) and
/// `2^n` is built in the exponent bits. Adding 1.5 * 2^23 rounds to a whole number and leaves it in the low mantissa bits.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const TERMS: [f32; 5] = [1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 5e-1];

    let splat = |v: f32| simd.splat_f32s(v);
    let x = simd.min_f32s(simd.max_f32s(x, splat(-87.0)), splat(88.0));
    let shifted = simd.mul_add_f32s(x, splat(std::f32::consts::LOG2_E), splat(ROUND));
    let n = simd.sub_f32s(shifted, splat(ROUND));
    let r = simd.mul_add_f32s(n, splat(-LN2_HIGH), x);
    let r = simd.mul_add_f32s(n, splat(-LN2_LOW), r);

    let mut p = splat(1.987_569_1e-4);
    for term in TERMS {
        p = simd.mul_add_f32s(p, r, splat(term));
    }
    let p = simd.add_f32s(simd.mul_add_f32s(simd.mul_f32s(p, r), r, r), splat(1.0));

    let bits = simd.transmute_u32s_f32s(shifted);
    let n = simd.add_u32s(bits, simd.splat_u32s(127));
    let power = simd.transmute_f32s_u32s(simd.wrapping_dyn_shl_u32s(n, simd.splat_u32s(23)));
    simd.mul_f32s(p, power)
}

/// `x[i] = e^(x[i] - max)`.
#[inline(always)]
pub(crate) fn exp_in_place<S: Simd>(simd: S, x: &mut [f32], max: S::f32s) {
    let (head, tail) = S::as_mut_simd_f32s(x);
    for x in head {
        *x = exp(simd, simd.sub_f32s(*x, max));
    }
    if !tail.is_empty() {
        let y = exp(simd, simd.sub_f32s(simd.partial_load_f32s(tail), max));
        simd.partial_store_f32s(tail, y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Isa, generic::Level};
    use pulp::WithSimd;

    struct Map<'a>(&'a mut [f32]);

    impl WithSimd for Map<'_> {
        type Output = ();
        fn with_simd<S: Simd>(self, simd: S) {
            exp_in_place(simd, self.0, simd.splat_f32s(0.0));
        }
    }

    #[test]
    fn close_to_the_exact_value_everywhere() {
        for isa in Isa::available() {
            let x: Vec<f32> = (-8700..=8800).map(|i| i as f32 / 100.0).collect();
            let mut y = x.clone();
            Level::new(isa).run(Map(&mut y));
            for (x, y) in x.iter().zip(y) {
                let exact = f64::from(*x).exp();
                let ulp = f64::from(f32::EPSILON) * exact;
                assert!((f64::from(y) - exact).abs() <= 2.0 * ulp, "{isa}: exp({x}) = {y}, expected {exact}");
            }
        }
    }
}
