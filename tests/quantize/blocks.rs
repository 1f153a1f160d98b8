//! Encoders against those of gguf-py and ggml on the same weights, and on weights that nobody would train.

use crate::golden;
use crate::util::from_hex;
use proptest::prelude::*;
use serde::Deserialize;
use siskin::quantize::RECIPES;
use siskin::quantize::encode::{MAX_F16, encode};
use siskin_simd::Format;
use siskin_tools::some;
use std::collections::BTreeMap;

/// What the other encoders make of rows of 256 weights; bytes in hexadecimal.
#[derive(Deserialize)]
struct Golden {
    weights: Vec<String>,
    bytes: BTreeMap<String, Vec<String>>,
}

/// Formats whose bytes are those of the others.
const EXACT: [Format; 3] = [Format::F16, Format::BF16, Format::Q8_0];

/// Formats that encoders exist for.
fn formats() -> Vec<Format> {
    let mut formats = RECIPES.map(|recipe| recipe.base).to_vec();
    formats.sort();
    formats.dedup();
    formats
}

fn encoded(format: Format, weights: &[f32]) -> Vec<u8> {
    let mut out = vec![0; format.row_bytes(weights.len()).expect("whole blocks")];
    encode(format, weights, &mut out);
    out
}

fn decoded(format: Format, bytes: &[u8], len: usize) -> Vec<f32> {
    let mut out = vec![0.0; len];
    format.decode(bytes, &mut out);
    out
}

/// Sum of squared differences.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum()
}

/// Rows of the golden, in order: this many like those of trained models, then others.
const TYPICAL: usize = 16;
/// How far the squared error of a row may exceed the other encoder's.
const SLACK: f64 = 1.01;
/// The same in formats of 256, where the search gives large weights more weight.
const SLACK_256: f64 = 1.25;

#[test]
fn errors_are_at_most_those_of_other_encoders() {
    let golden: Golden = golden("blocks.json");
    for (name, theirs) in &golden.bytes {
        let format = Format::ALL.into_iter().find(|format| format.name() == name).expect("a format");
        let mut typical = (0.0, 0.0);
        for (row, (weights, theirs)) in some(golden.weights.iter().zip(theirs).enumerate(), 4) {
            let weights: Vec<f32> =
                from_hex(weights).as_chunks().0.iter().map(|x| f32::from_le_bytes(*x)).collect();
            let (ours, theirs) = (encoded(format, &weights), from_hex(theirs));
            if EXACT.contains(&format) {
                assert_eq!(ours, theirs, "{name}, row {row}");
                continue;
            }
            let error = |bytes: &[u8]| distance(&weights, &decoded(format, bytes, weights.len()));
            let (ours, theirs) = (error(&ours), error(&theirs));
            // beside rounding of the last bit of a scale
            let power = distance(&weights, &vec![0.0; weights.len()]);
            let slack = if format.block_len() == 256 { SLACK_256 } else { SLACK };
            assert!(
                ours <= theirs * slack + power * 3e-7,
                "{name}, row {row}: {ours:e}, the other's {theirs:e}"
            );
            if row < TYPICAL {
                typical = (typical.0 + ours, typical.1 + theirs);
            }
        }
        let (ours, theirs) = typical;
        println!("{name}: squared error {ours:.3e}, the other's {theirs:.3e}");
        assert!(ours <= theirs, "{name}: {ours:e}, the other's {theirs:e}");
    }
}

/// Any float: also those that are no number, infinite or subnormal, and several of one size, which is what blocks are made of.
fn hostile() -> impl Strategy<Value = Vec<f32>> {
    let any = any::<u32>().prop_map(f32::from_bits);
    let special = prop::sample::select(vec![
        0.0,
        -0.0,
        f32::NAN,
        f32::from_bits(u32::MAX),
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::MAX,
        f32::MIN_POSITIVE,
        1e-45,
        MAX_F16,
        -MAX_F16,
    ]);
    let near =
        (-30i32..16).prop_flat_map(|exponent| (-1.0f32..1.0).prop_map(move |x| x * 2f32.powi(exponent)));
    prop::collection::vec(prop_oneof![1 => any, 1 => special, 6 => near], 256)
}

/// Finite weights of one size, with zeros and some outliers among them.
fn storable() -> impl Strategy<Value = Vec<f32>> {
    (-40i32..17).prop_flat_map(|exponent| {
        let size = 2f32.powi(exponent).min(MAX_F16);
        let weight = prop_oneof![
            12 => (-1.0f32..=1.0).prop_map(move |x| x * size * 0.01),
            2 => (-1.0f32..=1.0).prop_map(move |x| x * size),
            1 => Just(0.0),
            1 => Just(size),
        ];
        prop::collection::vec(weight, 256)
    })
}

/// Scales cannot be finer.
const SMALLEST_F16: f64 = 6e-8;

proptest! {
    #[test]
    fn no_weights_panic(weights in hostile()) {
        for format in formats() {
            encoded(format, &weights);
        }
    }

    /// Finite weights stay finite, and nearer to themselves than zeros are.
    #[test]
    fn finite_weights_are_kept(weights in storable()) {
        for format in formats() {
            let found = decoded(format, &encoded(format, &weights), weights.len());
            prop_assert!(found.iter().all(|x| x.is_finite()), "{}: {found:?}", format.name());
            let (error, power) = (distance(&weights, &found), distance(&weights, &vec![0.0; 256]));
            prop_assert!(error <= power * 1.01 + 256.0 * SMALLEST_F16.powi(2), "{}: {error:e} of {power:e}", format.name());
        }
    }
}

#[test]
fn equal_and_missing_weights_are_exact_or_nearly() {
    for format in formats() {
        for value in [0.0, -0.0, 1.0, -0.25] {
            let weights = [value; 256];
            let found = decoded(format, &encoded(format, &weights), 256);
            let near = found.iter().all(|x| (x - value).abs() <= 1e-3 * value.abs());
            assert!(near, "{}: {value} became {:?}", format.name(), &found[..4]);
        }
    }
}

/// f32 to BF16 is rounding to nearest even in every bit.
#[test]
fn bf16_rounds_as_a_wider_sum_would() {
    let around = |bits: u32| (bits.saturating_sub(2)..=bits.saturating_add(2)).collect::<Vec<_>>();
    for bits in
        [0, 0x3f80_8000, 0x3f81_8000, 0xbf80_8000, 0x0000_8000, 0x7f7f_7fff].into_iter().flat_map(around)
    {
        let x = f32::from_bits(bits);
        let found = decoded(Format::BF16, &encoded(Format::BF16, &[x]), 1)[0];
        assert_eq!(found, half::bf16::from_f32(x).to_f32(), "{bits:08x}");
    }
}
