//! What every pair of instruction set and format must do, and what every instruction set must do.

use super::data::Random;
use super::naive;
use crate::{
    ActGroup, Activation, Column, Delta, Format, Gate, Isa, Kernels, LANES, PANEL_ROWS, Panel, TILE, Tiles,
};

/// Runs a test with the kernels of an instruction set, or says that it is skipped.
pub fn with(isa: Isa, test: impl Fn(&Kernels)) {
    match Kernels::new(isa) {
        Ok(kernels) => test(&kernels),
        Err(error) => {
            let required = std::env::var("SISKIN_REQUIRE").unwrap_or_default();
            assert!(!required.split(',').any(|name| name == isa.name()), "{error}");
            eprintln!("skipped: {error}");
        }
    }
}

/// Row lengths: a block, several, odd numbers of them, more than one activation group, and tails for the float formats.
fn lengths(format: Format) -> Vec<usize> {
    let counts: &[usize] =
        if format.is_float() { &[1, 7, 8, 33, 172, 300] } else { &[1, 2, 3, 5, 8, 9, 11, 20] };
    counts.iter().map(|n| n * format.block_len()).collect()
}

fn quantized(kernels: &Kernels, x: &[f32]) -> Vec<ActGroup> {
    let mut groups = vec![ActGroup::ZERO; ActGroup::count(x.len())];
    kernels.quantize(x, &mut groups);
    groups
}

/// Rows of random blocks times random activations, against the oracle; then the extremes; then the same rows split among calls.
pub fn dot_rows(kernels: &Kernels, format: Format) {
    let mut random = Random(format as u64 + 1);
    for cols in lengths(format) {
        for rows in [1, 2, 5] {
            let bytes = random.rows(format, rows * cols);
            let x = random.floats(cols);
            check(kernels, format, &bytes, &x, rows);
            check(kernels, format, &bytes, &vec![1.0; cols], rows);
        }
        extremes(kernels, format, cols);
    }
}

fn check(kernels: &Kernels, format: Format, bytes: &[u8], x: &[f32], rows: usize) {
    let groups = quantized(kernels, x);
    let x = Column::new(x, &groups);
    let mut out = vec![f32::NAN; rows];
    kernels.dot_rows(format, bytes, x, &mut out);
    let row_bytes = bytes.len() / rows;
    for (r, &got) in out.iter().enumerate() {
        let row = &bytes[r * row_bytes..][..row_bytes];
        let (exact, size) = naive::dot(format, row, x);
        let error = (f64::from(got) - exact).abs();
        assert!(
            error <= 3e-6 * size + 1e-12,
            "{} row {r} of {} columns: {got}, expected {exact}",
            format.name(),
            x.cols()
        );
        let mut alone = [f32::NAN];
        kernels.dot_rows(format, row, x, &mut alone);
        assert_eq!(alone[0].to_bits(), got.to_bits(), "a row alone and among others");
    }
}

/// Every quant at its largest and smallest, activations at both ends: no intermediate sum may overflow.
fn extremes(kernels: &Kernels, format: Format, cols: usize) {
    if format.is_float() {
        return;
    }
    let mut random = Random(7);
    for fill in [0x00, 0xff, 0x7f, 0x80] {
        for sign in [1.0, -1.0] {
            let mut bytes = random.rows(format, cols);
            let (from, to) = quants_of(format);
            for block in bytes.chunks_exact_mut(format.block_bytes()) {
                block[from..to].fill(fill);
            }
            check(kernels, format, &bytes, &vec![sign; cols], 1);
        }
    }
}

/// The byte range of a block that holds no float field.
fn quants_of(format: Format) -> (usize, usize) {
    match format {
        Format::Q2_K => (0, 80),
        Format::Q3_K => (0, 108),
        Format::Q6_K => (0, 208),
        Format::TQ1_0 => (0, 52),
        Format::TQ2_0 => (0, 64),
        Format::IQ1_M => (0, 48),
        Format::MXFP4 => (1, 17),
        Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => (4, format.block_bytes()),
        _ => (2, format.block_bytes()),
    }
}

/// Rows of random blocks times batches, against the oracle; then the extremes. Whole and part tiles, panels and slabs.
pub fn products(kernels: &Kernels, format: Format) {
    if format.is_float() {
        return;
    }
    let mut random = Random(format as u64 + 100);
    let long = 5 * ActGroup::LEN / format.block_len() + usize::from(format.block_len() < ActGroup::LEN);
    for blocks in [1, 3, 8, long] {
        let cols = blocks * format.block_len();
        for (rows, batch) in [(1, 1), (5, 3), (16, 7), (16, 8), (9, 21)] {
            let bytes = random.rows(format, rows * cols);
            check_product(kernels, format, &bytes, &random.floats(batch * cols), cols);
        }
    }
    let cols = 8 * format.block_len();
    for (fill, sign) in [(0x00, 1.0), (0xff, -1.0), (0x7f, 1.0), (0x80, -1.0)] {
        let mut bytes = random.rows(format, 2 * cols);
        let (from, to) = quants_of(format);
        bytes.chunks_exact_mut(format.block_bytes()).for_each(|block| block[from..to].fill(fill));
        check_product(kernels, format, &bytes, &vec![sign; 9 * cols], cols);
    }
}

fn check_product(kernels: &Kernels, format: Format, bytes: &[u8], x: &[f32], cols: usize) {
    let (batch, row_bytes) = (x.len() / cols, format.row_bytes(cols).unwrap());
    let product = |x: &[f32], panel: &mut Panel| {
        let mut groups = vec![ActGroup::ZERO; x.len() / cols * ActGroup::count(cols)];
        let tiles = groups.chunks_mut(TILE * ActGroup::count(cols));
        x.chunks(TILE * cols).zip(tiles).for_each(|(x, groups)| kernels.quantize_tile(x, cols, groups));
        let mut all = Vec::new();
        kernels.multiply(format, bytes, bytes, Tiles::new(&groups, cols), panel, |v, sums| {
            assert_eq!(v, all.len());
            all.push(*sums);
        });
        all
    };
    // a panel with something left in it
    let mut panel = Panel::new(batch);
    product(&vec![0.5; x.len()], &mut panel);
    let sums = product(x, &mut panel);
    assert_eq!(sums.len(), batch);
    for (v, (x, sums)) in x.chunks_exact(cols).zip(&sums).enumerate() {
        let groups = quantized(kernels, x);
        for (r, row) in bytes.chunks_exact(row_bytes).enumerate() {
            let (exact, size) = naive::dot(format, row, Column::new(x, &groups));
            let error = (f64::from(sums[r]) - exact).abs();
            let what = format!("{} row {r} of {cols} columns, vector {v} of {batch}", format.name());
            assert!(error <= 3e-6 * size + 1e-12, "{what}: {}, expected {exact}", sums[r]);
        }
    }
    let rows = bytes.len() / row_bytes;
    let bits = |sums: &[f32; PANEL_ROWS]| sums[..rows].iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    let last = product(&x[(batch - 1) * cols..], &mut panel);
    assert_eq!(bits(&last[0]), bits(&sums[batch - 1]), "a vector alone and among others");
}

/// Everything that is no dot product with weights.
pub fn operations(kernels: &Kernels) {
    for n in [1, 7, 16, 32, 33, 64, 100, 256, 300] {
        let mut random = Random(n as u64);
        same_groups_as_scalar(kernels, &random.floats(n));
        norm(kernels, &random.floats(n), &random.floats(n));
        softmax(kernels, &random.floats(n));
        add_scaled(kernels, &random.floats(n), &random.floats(n));
        layer_norm(kernels, &random.floats(n), &random.floats(n));
        gates(kernels, &random.floats(n), &random.floats(n));
        scaled_and_capped(kernels, &random.floats(n));
        f16_rows(kernels, &random.floats(n * 3), &random.floats(3));
        delta_rule(kernels, &random.floats(n * 5), &random.floats(5), &random.floats(n), &random.floats(n));
    }
    same_groups_as_scalar(kernels, &[0.0; 64]);
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE, 1e-42, 1e-45] {
        for other in [0.0, odd / 3.0, -1.0] {
            same_groups_as_scalar(
                kernels,
                &[vec![other; 5], vec![odd; 1], vec![other; 26], vec![odd; 3]].concat(),
            );
        }
    }
    rotations(kernels);
    for (rows, count) in [(1, 1), (4, 7), (9, 64), (66, 32)] {
        tile(kernels, rows, count);
    }
}

/// The matrix products of attention tiles, and their softmax in two steps against one over all.
fn tile(kernels: &Kernels, rows: usize, count: usize) {
    let mut random = Random((rows * 100 + count) as u64);
    let (a, b, c) = (random.floats(rows * count), random.floats(count * LANES), random.floats(rows * LANES));
    let transposed: Vec<f32> = (0..rows * count).map(|i| a[i % rows * count + i / rows]).collect();
    let (mut out, mut out_transposed) = (c.clone(), c.clone());
    kernels.accumulate(&a, &b, &mut out);
    kernels.accumulate_transposed(&transposed, &b, &mut out_transposed);
    assert_eq!(out, out_transposed);
    for (i, (&got, &c)) in out.iter().zip(&c).enumerate() {
        let (row, lane) = (i / LANES, i % LANES);
        let terms = (0..count).map(|l| f64::from(a[row * count + l]) * f64::from(b[l * LANES + lane]));
        let (sum, size) =
            terms.fold((f64::from(c), 1.0), |(sum, size), term| (sum + term, size + term.abs()));
        assert!((f64::from(got) - sum).abs() <= 1e-6 * size, "{rows} x {count}: {got}, expected {sum}");
    }

    let scores: Vec<f32> = c.iter().map(|x| x * 20.0).collect();
    let (mut max, mut sum, mut scale) = ([f32::NEG_INFINITY; LANES], [0.0; LANES], [0.0; LANES]);
    let mut steps = scores.clone();
    let (first, second) = steps.split_at_mut(rows / 2 * LANES);
    kernels.softmax_tile(first, &mut max, &mut sum, &mut scale);
    kernels.softmax_tile(second, &mut max, &mut sum, &mut scale);
    kernels.scale_columns(first, &scale);
    for lane in 0..LANES {
        let column = |x: &[f32]| (0..rows).map(|row| x[row * LANES + lane]).collect::<Vec<f32>>();
        let mut whole = column(&scores);
        let (whole_max, whole_sum) = kernels.softmax(&mut whole);
        assert_eq!(max[lane], whole_max);
        assert!((sum[lane] - whole_sum).abs() <= 1e-5 * whole_sum);
        let got: Vec<f32> = column(&steps).iter().map(|x| x / sum[lane]).collect();
        assert_close(&got, whole.into_iter().map(f64::from));
    }
}

fn same_groups_as_scalar(kernels: &Kernels, x: &[f32]) {
    let scalar = Kernels::new(Isa::Scalar).expect("scalar runs everywhere");
    // as text, in which a NaN equals itself
    assert_eq!(format!("{:?}", quantized(kernels, x)), format!("{:?}", quantized(&scalar, x)));
}

#[track_caller]
fn assert_close(got: &[f32], expected: impl Iterator<Item = f64>) {
    assert_within(2e-6, got, expected);
}

fn assert_within(tolerance: f64, got: &[f32], expected: impl Iterator<Item = f64>) {
    for (i, (&got, expected)) in got.iter().zip(expected).enumerate() {
        let error = (f64::from(got) - expected).abs();
        assert!(error <= tolerance * (1.0 + expected.abs()), "value {i}: {got}, expected {expected}");
    }
}

fn norm(kernels: &Kernels, x: &[f32], weight: &[f32]) {
    let mut out = vec![f32::NAN; x.len()];
    kernels.rms_norm(x, weight, 1e-5, &mut out);
    let mean = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (mean + 1e-5).sqrt();
    let expected = || x.iter().zip(weight).map(|(&x, &w)| f64::from(x) * scale * f64::from(w));
    assert_close(&out, expected());
    let mut out = x.to_vec();
    kernels.rms_norm_in_place(&mut out, weight, 1e-5);
    assert_close(&out, expected());
}

fn layer_norm(kernels: &Kernels, x: &[f32], weight: &[f32]) {
    let x: Vec<f32> = x.iter().map(|x| x + 0.5).collect();
    let mut out = x.clone();
    kernels.layer_norm_in_place(&mut out, weight, 1e-5);
    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / x.len() as f64;
    let variance = x.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / x.len() as f64;
    let scale = 1.0 / (variance + 1e-5).sqrt();
    // few values may be nearly equal: their differences have few digits
    let expected = x.iter().zip(weight).map(|(&x, &w)| (f64::from(x) - mean) * scale * f64::from(w));
    assert_within(1e-7 * scale.max(20.0), &out, expected);
}

fn softmax(kernels: &Kernels, x: &[f32]) {
    let x: Vec<f32> = x.iter().map(|x| x * 20.0).collect();
    let mut out = x.clone();
    kernels.softmax(&mut out);
    let max = x.iter().fold(f64::MIN, |max, &x| max.max(f64::from(x)));
    let sum: f64 = x.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    assert_close(&out, x.iter().map(|&x| (f64::from(x) - max).exp() / sum));
}

fn add_scaled(kernels: &Kernels, x: &[f32], y: &[f32]) {
    let mut out = x.to_vec();
    kernels.add_scaled(&mut out, 0.75, y);
    assert_close(&out, x.iter().zip(y).map(|(&x, &y)| f64::from(x) + 0.75 * f64::from(y)));
}

fn gates(kernels: &Kernels, gate: &[f32], up: &[f32]) {
    let gate: Vec<f32> = gate.iter().map(|x| x * 30.0).collect();
    let up: Vec<f32> = up.iter().map(|x| x * 10.0).collect();
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let check = |function: Gate, exact: &dyn Fn(f64, f64) -> f64| {
        let mut out = gate.clone();
        kernels.gate(function, &mut out, &up);
        assert_close(&out, gate.iter().zip(&up).map(|(&g, &u)| exact(f64::from(g), f64::from(u))));
    };
    check(Gate::Silu, &|g, u| g * sigmoid(g) * u);
    check(Gate::Gelu, &|g, u| gelu(g) * u);
    check(Gate::ClampedSilu, &|g, u| {
        let g = g.min(7.0);
        g * sigmoid(1.702 * g) * (u.clamp(-7.0, 7.0) + 1.0)
    });
    check(Gate::Sigmoid, &|g, u| sigmoid(g) * u);
    let mut out = gate.clone();
    kernels.silu(&mut out);
    assert_close(&out, gate.iter().map(|&x| f64::from(x) * sigmoid(f64::from(x))));
    activations(kernels, &gate);
}

fn activations(kernels: &Kernels, x: &[f32]) {
    let check = |function: Activation, exact: &dyn Fn(f64) -> f64| {
        let mut out = x.to_vec();
        kernels.activate(function, &mut out);
        assert_close(&out, x.iter().map(|&x| exact(f64::from(x))));
    };
    check(Activation::Gelu, &gelu);
    check(Activation::ReluSquared, &|x| x.max(0.0).powi(2));
    let (positive, negative, beta) = (0.75, 1.25, 0.5);
    check(Activation::Xielu { positive, negative, beta }, &|x| match x > 0.0 {
        true => 0.75 * x * x + 0.5 * x,
        false => 1.25 * (x.exp_m1() - x) + 0.5 * x,
    });
}

fn gelu(x: f64) -> f64 {
    0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044_715 * x.powi(3))).tanh())
}

fn scaled_and_capped(kernels: &Kernels, x: &[f32]) {
    let x: Vec<f32> = x.iter().map(|x| x * 100.0).collect();
    let mut out = x.clone();
    kernels.scale(&mut out, 0.3);
    assert_close(&out, x.iter().map(|&x| f64::from(x) * f64::from(0.3f32)));
    let mut out = x.clone();
    kernels.soft_cap(&mut out, 50.0);
    assert_within(1e-5, &out, x.iter().map(|&x| 50.0 * (f64::from(x) / 50.0).tanh()));
}

/// Narrowed to F16 (as the half crate does it), then a weighted sum of the rows.
fn f16_rows(kernels: &Kernels, x: &[f32], weights: &[f32]) {
    let mut bytes = vec![0; x.len() * 2];
    kernels.narrow_f16(x, &mut bytes);
    let halves: Vec<half::f16> = x.iter().map(|&x| half::f16::from_f32(x)).collect();
    let expected: Vec<u8> = halves.iter().flat_map(|x| x.to_le_bytes()).collect();
    assert_eq!(bytes, expected);

    let mut wide = vec![f32::NAN; x.len()];
    kernels.widen(Format::F16, &bytes, &mut wide);
    assert!(wide.iter().zip(&halves).all(|(wide, half)| *wide == half.to_f32()));

    let cols = x.len() / weights.len();
    let mut out = vec![0.5; cols];
    kernels.add_rows(Format::F16, &bytes, weights, &mut out);
    let sum = |i: usize| {
        (0..weights.len()).map(|r| f64::from(weights[r]) * halves[r * cols + i].to_f64()).sum::<f64>()
    };
    assert_close(&out, (0..cols).map(|i| 0.5 + sum(i)));

    let wide: Vec<u8> = halves.iter().flat_map(|x| x.to_f32().to_le_bytes()).collect();
    out.fill(0.5);
    kernels.add_rows(Format::F32, &wide, weights, &mut out);
    assert_close(&out, (0..cols).map(|i| 0.5 + sum(i)));
}

/// The rule as it is written, with vectors that were normalized before.
fn delta_rule(kernels: &Kernels, state: &[f32], value: &[f32], query: &[f32], key: &[f32]) {
    let (decay, beta, eps) = (0.9, 0.4, 1e-6);
    let (mut new, mut out) = (state.to_vec(), vec![f32::NAN; value.len()]);
    kernels.delta_rule(&mut new, Delta { query, key, value, decay, beta, eps }, &mut out);

    let normalized = |x: &[f32]| -> Vec<f64> {
        let length = (x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() + f64::from(eps)).sqrt();
        x.iter().map(|&x| f64::from(x) / length).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (query, key) = (normalized(query), normalized(key));
    let mut answers = Vec::new();
    for ((row, new), &value) in state.chunks_exact(key.len()).zip(new.chunks_exact(key.len())).zip(value) {
        let mut row: Vec<f64> = row.iter().map(|&x| f64::from(x) * f64::from(decay)).collect();
        let change = f64::from(beta) * (f64::from(value) - dot(&row, &key));
        row.iter_mut().zip(&key).for_each(|(x, key)| *x += change * key);
        answers.push(dot(&row, &query) / (key.len() as f64).sqrt());
        assert_close(new, row.into_iter());
    }
    assert_close(&out, answers.into_iter());
}

fn rotations(kernels: &Kernels) {
    let (cos, sin) = ([0.0, 0.6], [1.0, 0.8]);
    let mut pairs = [1.0, 2.0, 3.0, 4.0, 9.0];
    kernels.rotate_pairs(&mut pairs, &cos, &sin);
    assert_close(&pairs, [-2.0, 1.0, -1.4, 4.8, 9.0].into_iter());
    let mut halves = [1.0, 2.0, 3.0, 4.0, 9.0];
    kernels.rotate_halves(&mut halves, &cos, &sin);
    assert_close(&halves, [-3.0, -2.0, 1.0, 4.0, 9.0].into_iter());
}
