//! Rows of keys and values as blocks: against the formula in `f64` over what `decode` gives, and storing against the scalar kernels.

use super::data::Random;
use crate::block::f16_to_f32;
use crate::{Format, Isa, Kernels};

/// The formats of blocks that keys and values are stored in.
const FORMATS: [Format; 2] = [Format::Q8_0, Format::Q4_0];

/// All that is done with them.
pub fn cached(kernels: &Kernels) {
    for format in FORMATS {
        for (rows, cols) in [(1, 32), (2, 64), (3, 96), (33, 128), (5, 256)] {
            let mut random = Random((rows * cols) as u64);
            let bytes = random.rows(format, rows * cols);
            read(kernels, format, &bytes, &random.floats(cols), &random.floats(rows));
            stored(kernels, format, &random.floats(rows * cols));
        }
        odd_values(kernels, format);
    }
    no_rows(kernels);
}

/// Widened as they are decoded; products and sums as they are defined.
fn read(kernels: &Kernels, format: Format, bytes: &[u8], x: &[f32], weights: &[f32]) {
    let (cols, what) = (x.len(), format!("{} of {} columns", format.name(), x.len()));
    let mut exact = vec![0.0; cols * weights.len()];
    format.decode(bytes, &mut exact);
    let mut wide = vec![f32::NAN; exact.len()];
    kernels.widen(format, bytes, &mut wide);
    assert_eq!(wide, exact, "{what}");

    let products =
        |row: &[f32]| -> Vec<f64> { row.iter().zip(x).map(|(&w, &x)| f64::from(w) * f64::from(x)).collect() };
    let mut dots = vec![f32::NAN; weights.len()];
    kernels.dot_floats(format, bytes, x, &mut dots);
    for (row, dot) in exact.chunks_exact(cols).zip(dots) {
        near(dot, &products(row), &what);
    }
    let mut sums = vec![0.5; cols];
    kernels.add_rows(format, bytes, weights, &mut sums);
    for (i, sum) in sums.into_iter().enumerate() {
        let rows = exact.chunks_exact(cols).zip(weights);
        let terms = rows.map(|(row, &weight)| f64::from(weight) * f64::from(row[i]));
        near(sum, &terms.chain([0.5]).collect::<Vec<_>>(), &what);
    }
}

fn near(got: f32, terms: &[f64], what: &str) {
    let (exact, size) = (terms.iter().sum::<f64>(), terms.iter().map(|x| x.abs()).sum::<f64>());
    assert!((f64::from(got) - exact).abs() <= 3e-6 * size + 1e-12, "{what}: {got}, expected {exact}");
}

fn narrowed(kernels: &Kernels, format: Format, x: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let mut bytes = vec![0xaa; format.row_bytes(x.len()).expect("whole blocks")];
    kernels.narrow(format, x, &mut bytes);
    let mut decoded = vec![f32::NAN; x.len()];
    format.decode(&bytes, &mut decoded);
    (bytes, decoded)
}

/// The same bytes as the scalar kernels store; no value off by more than half a step, or a step where four bits leave the largest one out.
fn stored(kernels: &Kernels, format: Format, x: &[f32]) {
    let (bytes, decoded) = narrowed(kernels, format, x);
    let scalar = Kernels::new(Isa::Scalar).expect("every CPU has it");
    assert_eq!(bytes, narrowed(&scalar, format, x).0, "{} as scalar kernels store it", format.name());
    let blocks = bytes.chunks_exact(format.block_bytes());
    for (block, (x, decoded)) in blocks.zip(x.chunks(32).zip(decoded.chunks(32))) {
        let step = f16_to_f32([block[0], block[1]]).abs();
        let limit = if format == Format::Q8_0 { 0.501 } else { 1.5 } * step;
        assert!(x.iter().zip(decoded).all(|(x, y)| (x - y).abs() <= limit), "{x:?} as {decoded:?}");
        if format == Format::Q4_0 {
            let error: f32 = x.iter().zip(decoded).map(|(x, y)| (x - y).powi(2)).sum();
            let plain = plain_q4_0(x);
            assert!(error <= plain * 1.01, "{error}, and {plain} if the largest becomes -8");
        }
    }
}

/// The squared error where the value of the largest magnitude becomes -8.
fn plain_q4_0(x: &[f32]) -> f32 {
    let largest = x.iter().fold(0.0f32, |largest, x| if x.abs() > largest.abs() { *x } else { largest });
    let d = half::f16::from_f32(largest / -8.0).to_f32();
    x.iter().map(|x| (x - d * (x / d).round().clamp(-8.0, 7.0)).powi(2)).sum()
}

/// Zeros stay; the tiny becomes zero; what is no number, or too large, is none afterwards.
fn odd_values(kernels: &Kernels, format: Format) {
    let stored =
        |x: f32, other: f32| narrowed(kernels, format, &[&[other; 9][..], &[x], &[other; 22]].concat()).1;
    for tiny in [0.0, -0.0, 1e-45, -1e-40, f32::MIN_POSITIVE] {
        assert!(stored(tiny, tiny).iter().all(|&x| x == 0.0), "{tiny:e}");
    }
    for none in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN] {
        assert!(stored(none, 1.0).iter().any(|x| !x.is_finite()), "{none}");
    }
    for one in [1.0, -3.0, 1e-3] {
        assert!(stored(one, one).iter().all(|x| (x / one - 1.0).abs() < 1e-3), "{one}");
        let alone = stored(one, 0.0);
        assert!((alone[9] / one - 1.0).abs() < 1e-3 && alone[8] == 0.0, "{alone:?}");
    }
}

fn no_rows(kernels: &Kernels) {
    let mut out = [1.0; 32];
    kernels.add_rows(Format::Q8_0, &[], &[], &mut out);
    kernels.dot_floats(Format::Q4_0, &[], &[1.0; 32], &mut []);
    assert_eq!(out, [1.0; 32]);
}
