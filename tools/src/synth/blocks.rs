//! Random blocks of each format, with the scales chosen so that the decoded weights have a given standard deviation.
//!
//! Quants are uniform, so for `n` levels their deviation is `sqrt((n^2 - 1) / 12)`; the scale of a block is the
//! wanted deviation over that, times a factor between 3/4 and 5/4 that differs from block to block.

use std::io;

use half::{bf16, f16};
use siskin_simd::Format;

use super::rng::Rng;
use super::{Kind, Shape, Tensor};

/// Bytes that are made and written at a time, at least one row.
const CHUNK: usize = 1 << 20;

/// Hands the bytes of a tensor to `emit`, a few rows at a time.
///
/// # Errors
///
/// Those of `emit`.
pub fn fill(
    tensor: &Tensor,
    shape: &Shape,
    seed: u64,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut rng = Rng::new(seed, &tensor.name);
    let floats = |values: Vec<f32>| values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    match tensor.kind {
        Kind::Matrix => matrix(tensor, 1.0, &mut rng, emit),
        Kind::Router => matrix(tensor, 4.0, &mut rng, emit),
        Kind::Norm => emit(&floats((0..tensor.rows * tensor.cols).map(|_| rng.uniform(0.9, 1.1)).collect())),
        Kind::NormOf(size) => {
            let size = 2f32.powi(size);
            emit(&floats((0..tensor.cols).map(|_| rng.uniform(0.9, 1.1) * size).collect()))
        }
        Kind::Quarter => {
            let divisor = |i: usize| if i < tensor.cols / 4 { 1.0 } else { 1e30 };
            emit(&floats((0..tensor.cols).map(divisor).collect()))
        }
        Kind::Bias => emit(&floats((0..tensor.rows * tensor.cols).map(|_| rng.uniform(-0.5, 0.5)).collect())),
        Kind::Rate => emit(&floats((0..tensor.cols).map(|_| rng.uniform(-0.5, -0.02)).collect())),
        Kind::LongFactors(most) => {
            let share = |i: usize| i as f32 / tensor.cols as f32;
            emit(&floats((0..tensor.cols).map(|i| 1.0 + (most - 1) as f32 * share(i)).collect()))
        }
        Kind::RopeFactors => {
            emit(&floats(shape.rope_factors().expect("the tensor is listed only with scaling")))
        }
    }
}

fn matrix(
    tensor: &Tensor,
    factor: f32,
    rng: &mut Rng,
    emit: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let deviation = factor / (tensor.cols as f32).sqrt();
    let per_chunk = (CHUNK / tensor.row_bytes()).max(1);
    let mut buffer = vec![0; per_chunk.min(tensor.rows) * tensor.row_bytes()];
    let mut left = tensor.rows;
    while left > 0 {
        let rows = left.min(per_chunk);
        let bytes = &mut buffer[..rows * tensor.row_bytes()];
        random_blocks(tensor.format, deviation, rng, bytes);
        emit(bytes)?;
        left -= rows;
    }
    Ok(())
}

/// Fills `bytes` with blocks of `format` whose weights have mean zero and about the given standard deviation.
fn random_blocks(format: Format, deviation: f32, rng: &mut Rng, bytes: &mut [u8]) {
    match format {
        Format::F32 => floats(rng, deviation, bytes, |v| v.to_le_bytes()),
        Format::F16 => floats(rng, deviation, bytes, |v| f16::from_f32(v).to_le_bytes()),
        Format::BF16 => floats(rng, deviation, bytes, |v| bf16::from_f32(v).to_le_bytes()),
        _ => quants(format, deviation, rng, bytes),
    }
}

fn floats<const N: usize>(rng: &mut Rng, deviation: f32, bytes: &mut [u8], encode: impl Fn(f32) -> [u8; N]) {
    for out in bytes.chunks_exact_mut(N) {
        out.copy_from_slice(&encode(rng.normal() * deviation));
    }
}

fn quants(format: Format, deviation: f32, rng: &mut Rng, bytes: &mut [u8]) {
    let block_len = format.block_bytes();
    rng.fill(bytes);
    for block in bytes.chunks_exact_mut(block_len) {
        let unit = deviation * rng.uniform(0.75, 1.25);
        match format {
            Format::Q4_0 => put(block, 0, signed(rng, unit / 4.64)),
            Format::Q5_0 => put(block, 0, signed(rng, unit / 9.25)),
            Format::Q4_1 => scale_and_min(block, unit / 4.61, -7.5),
            Format::Q5_1 => scale_and_min(block, unit / 9.23, -15.5),
            Format::Q8_0 => q8_0(block, unit),
            Format::Q2_K => q2_k(block, rng, unit),
            Format::Q3_K => q3_k(block, rng, unit),
            Format::Q4_K => k_with_min(block, rng, unit / 4.61, 7.5),
            Format::Q5_K => k_with_min(block, rng, unit / 9.23, 15.5),
            Format::Q6_K => q6_k(block, rng, unit),
            Format::TQ1_0 => measured(format, block, rng, unit, 52),
            Format::TQ2_0 => {
                block[..64].iter_mut().for_each(|pairs| *pairs = ternary(*pairs));
                measured(format, block, rng, unit, 64);
            }
            Format::MXFP4 => block[0] = mxfp4_exponent(rng, unit),
            Format::IQ1_M => iq1_m(block, rng, unit),
            Format::IQ1_S | Format::IQ2_XXS | Format::IQ2_XS | Format::IQ2_S => {
                measured(format, block, rng, unit, 0);
            }
            Format::IQ3_XXS | Format::IQ3_S | Format::IQ4_NL | Format::IQ4_XS => {
                measured(format, block, rng, unit, 0);
            }
            other => unreachable!("random blocks of {}", other.name()),
        }
    }
}

/// Sets the f16 scale at byte `at` so that the block, whatever its quants are, has the deviation.
fn measured(format: Format, block: &mut [u8], rng: &mut Rng, unit: f32, at: usize) {
    put(block, at, 1.0);
    let deviation = deviation(format, block);
    put(block, at, signed(rng, unit / deviation));
}

/// Root mean square of a block's weights.
fn deviation(format: Format, block: &[u8]) -> f32 {
    let mut weights = [0.0f32; 256];
    let weights = &mut weights[..format.block_len()];
    format.decode(block, weights);
    (weights.iter().map(|w| w * w).sum::<f32>() / weights.len() as f32).sqrt()
}

/// Four quants 0..3 of two bits: what would be 3 becomes 1.
fn ternary(pairs: u8) -> u8 {
    let both = pairs >> 1 & pairs & 0x55;
    pairs & !(both << 1)
}

/// MXFP4: one of two neighbouring powers of two, so that the mean square over many blocks is as wanted.
fn mxfp4_exponent(rng: &mut Rng, unit: f32) -> u8 {
    let scale = unit / 2.926; // the root mean square of the values
    let exponent = scale.log2().floor();
    let share = ((scale / exponent.exp2()).powi(2) - 1.0) / 3.0;
    (exponent as i32 + 127) as u8 + u8::from(rng.uniform(0.0, 1.0) < share)
}

/// IQ1_M keeps the f16 scale in the upper nibbles of its last four numbers.
fn iq1_m(block: &mut [u8], rng: &mut Rng, unit: f32) {
    put_quarters(block, 1.0);
    let deviation = deviation(Format::IQ1_M, block);
    put_quarters(block, signed(rng, unit / deviation));
}

fn put_quarters(block: &mut [u8], value: f32) {
    let bits = f16::from_f32(value).to_bits();
    for i in 0..4 {
        let byte = &mut block[49 + 2 * i];
        *byte = (*byte & 15) | ((bits >> (4 * i)) as u8 & 15) << 4;
    }
}

/// Writes an f16 at byte `at` of the block.
fn put(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
}

/// Either sign: the quants of Q4_0 and Q5_0 have a mean of minus a half, which opposite signs cancel.
fn signed(rng: &mut Rng, value: f32) -> f32 {
    if rng.next() & 1 == 0 { value } else { -value }
}

/// Q4_1 and Q5_1: the scale, and a minimum of `min` scales.
fn scale_and_min(block: &mut [u8], scale: f32, min: f32) {
    put(block, 0, scale);
    put(block, 2, scale * min);
}

/// Q8_0: the scale; and no quant of -128, which no quantizer writes.
fn q8_0(block: &mut [u8], unit: f32) {
    put(block, 0, unit / 73.3);
    for quant in &mut block[2..] {
        *quant = if *quant == 0x80 { 0x7f } else { *quant };
    }
}

/// Q4_K and Q5_K: scales in 32..64, each minimum near its scale, and `dmin` so that the mean is zero.
fn k_with_min(block: &mut [u8], rng: &mut Rng, unit: f32, mean_quant: f32) {
    let scale = unit / 48.4; // the root of the mean square of 32..64
    put(block, 0, scale);
    put(block, 2, scale * mean_quant);
    let bits = rng.next();
    let scales: [u8; 8] = std::array::from_fn(|j| 32 + (bits >> (5 * j)) as u8 % 32);
    let mins: [u8; 8] = std::array::from_fn(|j| (scales[j] + (bits >> (40 + 3 * j)) as u8 % 8 - 4).min(63));
    for j in 0..4 {
        block[4 + j] = scales[j] | (scales[j + 4] >> 4) << 6;
        block[8 + j] = mins[j] | (mins[j + 4] >> 4) << 6;
        block[12 + j] = scales[j + 4] & 15 | (mins[j + 4] & 15) << 4;
    }
}

/// Q2_K: scales in 8..16, each minimum its scale, and `dmin` so that the mean is zero.
fn q2_k(block: &mut [u8], rng: &mut Rng, unit: f32) {
    for scales in block[..16].chunks_exact_mut(8) {
        for (scale, bits) in scales.iter_mut().zip(rng.next().to_le_bytes()) {
            *scale = (8 + bits % 8) * 0x11;
        }
    }
    let scale = unit / 1.118 / 11.73; // deviation of 4 levels, root mean square of 8..16
    put(block, 80, scale);
    put(block, 82, scale * 1.5);
}

/// Q3_K: scales of either sign with a size in 16..32.
fn q3_k(block: &mut [u8], rng: &mut Rng, unit: f32) {
    let bits = rng.next().to_le_bytes();
    let scales: [u8; 16] = std::array::from_fn(|i| {
        let bits = bits[i / 2] >> (4 * (i % 2));
        let size = 16 + (bits & 7) * 2;
        if bits & 8 == 0 { 32 + size } else { 32 - size }
    });
    block[96..108].fill(0);
    for (i, scale) in scales.into_iter().enumerate() {
        block[96 + i % 8] |= (scale & 15) << (4 * (i / 8));
        block[104 + i % 4] |= (scale >> 4) << (2 * (i / 4));
    }
    put(block, 108, unit / 2.345 / 23.45); // root mean square of -4..4, and of the sizes
}

/// Q6_K: scales of either sign with a size in 64..128.
fn q6_k(block: &mut [u8], rng: &mut Rng, unit: f32) {
    for scales in block[192..208].chunks_exact_mut(8) {
        for (scale, bits) in scales.iter_mut().zip(rng.next().to_le_bytes()) {
            let size = (64 + bits % 64) as i8;
            *scale = (if bits < 128 { size } else { -size }) as u8;
        }
    }
    put(block, 208, unit / 18.5 / 97.3); // deviation of 64 levels, root mean square of 64..128
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every format decodes to the mean and deviation that were asked for.
    #[test]
    fn weights_are_well_behaved() {
        for format in Format::ALL {
            let n = 64 * 1024;
            let mut bytes = vec![0; format.row_bytes(n).unwrap()];
            random_blocks(format, 0.05, &mut Rng::new(7, "test"), &mut bytes);
            let mut weights = vec![0.0; n];
            format.decode(&bytes, &mut weights);
            let mean = weights.iter().map(|&w| f64::from(w)).sum::<f64>() / n as f64;
            let square = weights.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>() / n as f64;
            assert!(mean.abs() < 0.002, "{}: mean {mean}", format.name());
            assert!(
                (square.sqrt() / 0.05 - 1.0).abs() < 0.05,
                "{}: deviation {}",
                format.name(),
                square.sqrt()
            );
            assert!(weights.iter().all(|w| w.abs() < 0.5), "{}", format.name());
        }
    }

    /// The packing of scales and minima is what the decoder reads: the smallest weight of 32 is the minimum's.
    #[test]
    fn k_scales_are_packed_as_they_are_read() {
        let mut block = [0u8; 144];
        k_with_min(&mut block, &mut Rng::new(3, "test"), 48.4, 2.0); // d = 1, dmin = 2, all quants 0
        let bits = Rng::new(3, "test").next();
        let mut weights = [0.0; 256];
        Format::Q4_K.decode(&block, &mut weights);
        for (j, part) in weights.chunks_exact(32).enumerate() {
            let scale = 32 + (bits >> (5 * j)) % 32;
            let min = (scale + (bits >> (40 + 3 * j)) % 8 - 4).min(63);
            assert_eq!(part, [-2.0 * min as f32; 32]);
        }
    }
}
