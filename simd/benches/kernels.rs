//! Throughput of the kernels on one thread, in bytes of weights a second, beside a plain read of as many bytes:
//! `cargo bench -p siskin-simd --bench kernels`, with a part of a name (`q4_k`, `avx2`, `memory`) to run some.
//!
//! `cache` is a matrix that stays in the second-level cache and shows what a kernel computes; `memory` is one that does not, and shows
//! how much of the plain read is left. Compare within a run: a shared machine changes from minute to minute.

use divan::Bencher;
use divan::counter::BytesCount;
use siskin_simd::block::f32_to_f16;
use siskin_simd::{ActGroup, Column, Format, Isa, Kernels};
use std::fmt;
use std::hint::black_box;

/// Columns of every matrix: a common model width.
const COLS: usize = 2048;
/// Bytes of a matrix that stays in the second-level cache.
const CACHE: usize = 200 << 10;
/// Bytes of a matrix that does not.
const MEMORY: usize = 64 << 20;

fn main() {
    divan::main();
}

/// What one line of the report measures.
struct Case {
    format: Format,
    isa: Isa,
}

impl fmt::Display for Case {
    /// `q4_k avx2`, with a star behind the instruction set that would be chosen on this CPU.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.isa == Isa::best() { "*" } else { "" };
        write!(f, "{} {}{star}", self.format.name().to_lowercase(), self.isa)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    Format::ALL.into_iter().flat_map(|format| Isa::available().map(move |isa| Case { format, isa }))
}

#[divan::bench(args = cases())]
fn cache(bencher: Bencher, case: &Case) {
    dot_rows(bencher, case, CACHE);
}

#[divan::bench(args = cases(), sample_count = 20)]
fn memory(bencher: Bencher, case: &Case) {
    dot_rows(bencher, case, MEMORY);
}

#[divan::bench(args = [CACHE, MEMORY])]
fn plain_read(bencher: Bencher, bytes: usize) {
    let data = vec![1u8; bytes];
    bencher.counter(BytesCount::new(bytes)).bench_local(|| read(black_box(&data)));
}

#[divan::bench(args = Isa::available())]
fn quantize(bencher: Bencher, isa: Isa) {
    let kernels = Kernels::new(isa).expect("an available instruction set");
    let (x, mut groups) = activations(&kernels);
    bencher.counter(BytesCount::of_slice(&x)).bench_local(|| kernels.quantize(black_box(&x), &mut groups));
}

/// One head's values of 1024 positions, weighted and added up.
#[divan::bench(args = Isa::available())]
fn add_rows_f16(bencher: Bencher, isa: Isa) {
    let kernels = Kernels::new(isa).expect("an available instruction set");
    let rows = matrix(Format::F16, 1024, 64);
    let (weights, mut out) = ([0.5; 1024], [0.0; 64]);
    bencher.counter(BytesCount::of_slice(&rows)).bench_local(|| {
        kernels.add_rows(Format::F16, black_box(&rows), &weights, &mut out);
    });
}

fn dot_rows(bencher: Bencher, case: &Case, bytes: usize) {
    let kernels = Kernels::new(case.isa).expect("an available instruction set");
    let rows = bytes / case.format.row_bytes(COLS).expect("whole blocks");
    let weights = matrix(case.format, rows, COLS);
    let (x, groups) = activations(&kernels);
    let mut out = vec![0.0; rows];
    bencher.counter(BytesCount::of_slice(&weights)).bench_local(|| {
        kernels.dot_rows(case.format, black_box(&weights), Column::new(&x, &groups), &mut out);
    });
}

fn activations(kernels: &Kernels) -> (Vec<f32>, Vec<ActGroup>) {
    let x: Vec<f32> = (0..COLS).map(|i| (i * 37 % 201) as f32 / 100.0 - 1.0).collect();
    let mut groups = vec![ActGroup::ZERO; ActGroup::count(COLS)];
    kernels.quantize(&x, &mut groups);
    (x, groups)
}

/// Rows of blocks with ordinary float fields and quants of every value.
fn matrix(format: Format, rows: usize, cols: usize) -> Vec<u8> {
    let bytes = rows * format.row_bytes(cols).expect("whole blocks");
    let mut out: Vec<u8> = (0..bytes).map(|i| (i * 131 % 251) as u8).collect();
    for (i, block) in out.chunks_exact_mut(format.block_bytes()).enumerate() {
        let value = i as f32 % 17.0 / 16.0 - 0.5;
        let half = f32_to_f16(value);
        match format {
            Format::F32 => block.copy_from_slice(&value.to_le_bytes()),
            Format::BF16 => block.copy_from_slice(&value.to_le_bytes()[2..]),
            Format::Q2_K => block[80..].copy_from_slice(&[half, half].concat()),
            Format::Q3_K => block[108..].copy_from_slice(&half),
            Format::Q6_K => block[208..].copy_from_slice(&half),
            Format::TQ1_0 => block[52..].copy_from_slice(&half),
            Format::TQ2_0 => block[64..].copy_from_slice(&half),
            Format::MXFP4 => block[0] = 120 + (i % 8) as u8,
            Format::IQ1_M => block[49..].iter_mut().step_by(2).for_each(|byte| *byte = 0x22),
            Format::Q4_1 | Format::Q5_1 | Format::Q4_K | Format::Q5_K => {
                block[..4].copy_from_slice(&[half, half].concat());
            }
            _ => block[..2].copy_from_slice(&half),
        }
    }
    out
}

/// Touches every byte, in sums wide enough that reading is all that takes time.
fn read(data: &[u8]) -> u64 {
    let mut sums = [0u64; 32];
    for line in data.as_chunks::<256>().0 {
        for (sum, word) in sums.iter_mut().zip(line.as_chunks::<8>().0) {
            *sum ^= u64::from_le_bytes(*word);
        }
    }
    sums.iter().fold(0, |a, b| a ^ b)
}
