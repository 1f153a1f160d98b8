//! Whether the instruction set that is chosen on this CPU is the right one, format by format:
//! `cargo bench -p siskin-simd --bench choice`.
//!
//! Every available instruction set multiplies the same weights, in turn, with one activation vector (GB/s of weights, from the second-level
//! cache) and with 64 (GOP/s: two operations a weight and vector). The chosen one has a star. The exit code is 1 if another is clearly faster,
//! by the median of the rounds.

use siskin_simd::{ActGroup, Column, Format, Isa, Kernels, PANEL_ROWS, Panel, TILE, Tiles};
use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

const COLS: usize = 2048;
const ROWS: usize = 8 * PANEL_ROWS;
const BATCH: usize = 64;
/// Rounds; in each, every instruction set has its turn.
const ROUNDS: usize = 15;
/// How much faster another must be to be clearly faster.
const CLEARLY: f64 = 1.15;

fn main() -> ExitCode {
    let all: Vec<Kernels> = Isa::available()
        .filter(|&isa| isa != Isa::Scalar || Isa::best() == Isa::Scalar)
        .filter_map(|isa| Kernels::new(isa).ok())
        .collect();
    println!("{:7} {:14} {:>8} {:>8}", "format", "kernels", "GB/s", "GOP/s");
    let mut wrong = Vec::new();
    for format in Format::ALL {
        let case = Case::new(format);
        let dots = case.rates(&all, case.weights.len() as f64 / 1e9, Case::dots);
        let operations = (2 * ROWS * COLS * BATCH) as f64 / 1e9;
        let products =
            if format.is_float() { Vec::new() } else { case.rates(&all, operations, Case::products) };
        for (i, kernels) in all.iter().enumerate() {
            let star = if kernels.isa() == Isa::best() { "*" } else { "" };
            let name = format!("{}{star}", kernels.isa());
            let products = products.get(i).map_or(String::new(), |rate| format!("{rate:.0}"));
            println!("{:7} {name:14} {:8.1} {products:>8}", format.name(), dots[i]);
        }
        for (what, rates) in [("one vector", &dots), ("many vectors", &products)] {
            wrong.extend(faster(&all, rates).map(|isa| format!("{} with {what}: {isa}", format.name())));
        }
    }
    for wrong in &wrong {
        println!("clearly faster than the chosen one: {wrong}");
    }
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The instruction sets that are clearly faster than the chosen one, which is the last.
fn faster<'a>(all: &'a [Kernels], rates: &'a [f64]) -> impl Iterator<Item = Isa> + 'a {
    let chosen = rates.last().copied().unwrap_or_default();
    all.iter().zip(rates).filter(move |(_, rate)| **rate > chosen * CLEARLY).map(|(kernels, _)| kernels.isa())
}

/// Weights of a format; what they are does not matter for the time.
struct Case {
    format: Format,
    weights: Vec<u8>,
    x: Vec<f32>,
}

impl Case {
    fn new(format: Format) -> Case {
        let bytes = ROWS * format.row_bytes(COLS).expect("whole blocks");
        let x = (0..BATCH * COLS).map(|i| (i * 37 % 201) as f32 / 100.0 - 1.0).collect();
        Case { format, weights: vec![0x11; bytes], x }
    }

    /// `work` divided by the median time of what `prepare` makes, for each instruction set.
    fn rates<'c, F: FnMut() + 'c>(
        &'c self,
        all: &[Kernels],
        work: f64,
        prepare: impl Fn(&'c Case, Kernels) -> F,
    ) -> Vec<f64> {
        let mut runs: Vec<F> = all.iter().map(|kernels| prepare(self, *kernels)).collect();
        let mut times = vec![Vec::with_capacity(ROUNDS); all.len()];
        for _ in 0..ROUNDS {
            for (run, times) in runs.iter_mut().zip(&mut times) {
                let start = Instant::now();
                run();
                times.push(start.elapsed().as_secs_f64());
            }
        }
        let median = |mut times: Vec<f64>| {
            times.sort_by(f64::total_cmp);
            work / times[ROUNDS / 2]
        };
        times.into_iter().map(median).collect()
    }

    fn dots(&self, kernels: Kernels) -> impl FnMut() {
        let x = &self.x[..COLS];
        let mut groups = vec![ActGroup::ZERO; ActGroup::count(COLS)];
        kernels.quantize(x, &mut groups);
        let mut out = vec![0.0; ROWS];
        move || {
            kernels.dot_rows(self.format, black_box(&self.weights), Column::new(x, &groups), &mut out);
            black_box(&out);
        }
    }

    fn products(&self, kernels: Kernels) -> impl FnMut() {
        let per_vector = ActGroup::count(COLS);
        let mut groups = vec![ActGroup::ZERO; BATCH * per_vector];
        for (x, groups) in self.x.chunks(TILE * COLS).zip(groups.chunks_mut(TILE * per_vector)) {
            kernels.quantize_tile(x, COLS, groups);
        }
        let mut panel = Panel::new(BATCH);
        move || {
            for strip in black_box(&self.weights).chunks(self.weights.len() * PANEL_ROWS / ROWS) {
                kernels.multiply(
                    self.format,
                    strip,
                    &[],
                    Tiles::new(&groups, COLS),
                    &mut panel,
                    |_, sums| {
                        black_box(sums);
                    },
                );
            }
        }
    }
}
