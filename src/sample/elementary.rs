//! Exponentials and logarithms of additions and multiplications only: every CPU and every C library yields the same bits, which the platform's own
//! `exp` does not promise. Called by whoever weighs logits.

use std::f64::consts::{LOG2_E, SQRT_2};

/// Below this, `e^x` counts as 0: added to a sum of at least 1 it would change nothing.
const SMALLEST: f64 = -700.0;
pub(super) const SMALLEST_POWER: f64 = SMALLEST * LOG2_E;
/// `1.5 * 2^52 + 1023`: adding it leaves the nearest integer, biased as an exponent is, in the low bits of an f64.
const ROUND: f64 = 6_755_399_441_055_744.0 + 1023.0;
/// `ln 2` in two parts; the first has 32 trailing zero bits, so that `k * LN_2_HIGH` is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3FE6_2E42_FEE0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3DEA_39EF_3579_3C76);
/// The polynomial of degree 6 that equals `(2^(f / 4) - 1) / f` at Chebyshev's seven nodes of `[-1/2, 1/2]`, the highest power first.
const QUARTER_POWER: [f64; 7] = [
    9.311_228_705_983_226e-10,
    3.761_509_858_361_155e-8,
    1.302_105_266_501_655_7e-6,
    3.757_081_572_373_81e-5,
    8.672_516_978_885_008e-4,
    1.501_415_668_497_826_2e-2,
    1.732_867_951_399_863_2e-1,
];

/// `e^x` for `x <= 0`, within a relative error of `1e-14 + 4e-16 |x|`, the latter no more than rounding `x` costs; exactly 1 at 0 and exactly 0
/// under [`SMALLEST`].
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    if x < SMALLEST { 0.0 } else { power(x * LOG2_E) }
}

/// `2^y` for `-1022 <= y <= 0`.
///
/// It is `2^k 2^f` with an integer `k` and `|f| <= 1/2`; `2^f` is the fourth power of a polynomial, which is off by less than 6e-15, and
/// `2^k` is written into the exponent bits (W. J. Cody and W. Waite, "Software Manual for the Elementary Functions", 1980). No branch and no
/// table, so that the compiler can run it on several logits at once: this is what sampling from a whole vocabulary spends its time on.
#[inline(always)]
pub(super) fn power(y: f64) -> f64 {
    let shifted = y + ROUND;
    let f = y - (shifted - ROUND);
    let [first, rest @ ..] = QUARTER_POWER;
    let quarter = rest.iter().fold(first, |sum, c| sum * f + c) * f + 1.0;
    let half = quarter * quarter;
    half * half * f64::from_bits(shifted.to_bits() << 52)
}

/// `2^y` for `y <= 0` as [`power`], by a Taylor polynomial in single precision; never less than `2^-126`.
#[inline(always)]
pub(super) fn rough_power(y: f32) -> f32 {
    const ROUND: f32 = 12_582_912.0 + 127.0;
    const FIRST: f32 = 0.009_618_129;
    const REST: [f32; 3] = [0.055_504_11, 0.240_226_5, std::f32::consts::LN_2];
    let y = if y > -126.0 { y } else { -126.0 };
    let shifted = y + ROUND;
    let f = y - (shifted - ROUND);
    let fraction = REST.iter().fold(FIRST, |sum, c| sum * f + c) * f + 1.0;
    fraction * f32::from_bits(shifted.to_bits() << 23)
}

/// `ln x` for normal `x > 0`, within `2e-15` and a relative error of as much; the same bits on every CPU.
///
/// `x = 2^k m` with `m` in `(1 / sqrt 2, sqrt 2]`, and `ln m = 2 atanh s` with `s = (m - 1) / (m + 1)`, `|s| < 0.172`, by its Taylor
/// polynomial (Cody and Waite, as above).
pub(super) fn ln(x: f64) -> f64 {
    let exponent = (x.to_bits() >> 52) as i32 - 1023;
    let mantissa = f64::from_bits(x.to_bits() & !(0x7FF << 52) | 1023 << 52);
    let above = mantissa > SQRT_2;
    let m = if above { mantissa / 2.0 } else { mantissa };
    let k = f64::from(exponent + i32::from(above));
    let s = (m - 1.0) / (m + 1.0);
    let atanh = (0..12).rev().fold(0.0, |sum, n| sum * s * s + 1.0 / f64::from(2 * n + 1)) * s;
    k * LN_2_HIGH + (2.0 * atanh + k * LN_2_LOW)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exp_at_its_borders() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-0.0), 1.0);
        assert_eq!(exp(f64::NEG_INFINITY), 0.0);
        assert_eq!(exp(SMALLEST.next_down()), 0.0);
        assert!(exp(SMALLEST) > 0.0);
    }

    proptest! {
        #[test]
        fn exp_is_as_near_as_it_says(x in prop_oneof![SMALLEST..0.0, -1.0..0.0]) {
            let (expected, bound) = (x.exp(), 1e-14 + 4e-16 * x.abs());
            prop_assert!((exp(x) - expected).abs() <= bound * expected, "{} {}", exp(x), expected);
        }

        #[test]
        fn ln_is_within_2e_15(x in -700.0f64..700.0) {
            let x = x.exp();
            prop_assert!((ln(x) - x.ln()).abs() <= 2e-15 * (1.0 + x.ln().abs()), "{} {}", ln(x), x.ln());
        }
    }
}
