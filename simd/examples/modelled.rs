//! Runs one kernel once between two marks, for `tools/modelled` to see its instructions: `modelled FORMAT dot ROWS COLS` or
//! `modelled FORMAT product VECTORS COLS` (16 rows). The instruction set is the best of the CPU, or what `SISKIN_ISA` says.

use siskin_simd::{ActGroup, Column, Format, Isa, Kernels, PANEL_ROWS, Panel, TILE, Tiles};
use std::hint::black_box;

/// The instructions from here ...
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark_start() {
    black_box(0);
}

/// ... to here are counted.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn mark_stop() {
    black_box(1);
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [format, kind, count, cols] = args.try_into().expect("FORMAT dot|product COUNT COLS");
    let format = Format::ALL.into_iter().find(|f| f.name() == format).expect("a format");
    let (count, cols) = (count.parse().expect("a count"), cols.parse().expect("columns"));
    let isa = std::env::var("SISKIN_ISA").map(|name| name.parse().expect("an instruction set"));
    let kernels = Kernels::new(isa.unwrap_or_else(|_| Isa::best())).expect("kernels");
    match kind.as_str() {
        "dot" => dot(&kernels, format, count, cols),
        "product" => product(&kernels, format, count, cols),
        other => panic!("neither dot nor product: {other}"),
    }
}

/// `rows` rows times one vector.
fn dot(kernels: &Kernels, format: Format, rows: usize, cols: usize) {
    let bytes = vec![0x11; rows * format.row_bytes(cols).expect("whole blocks")];
    let x = vec![1.0; cols];
    let mut groups = vec![ActGroup::ZERO; ActGroup::count(cols)];
    kernels.quantize(&x, &mut groups);
    let mut out = vec![0.0; rows];
    mark_start();
    kernels.dot_rows(format, black_box(&bytes), Column::new(&x, &groups), &mut out);
    mark_stop();
    black_box(out);
}

/// Sixteen rows times `batch` vectors.
fn product(kernels: &Kernels, format: Format, batch: usize, cols: usize) {
    let bytes = vec![0x11; PANEL_ROWS * format.row_bytes(cols).expect("whole blocks")];
    let x = vec![1.0; batch * cols];
    let mut groups = vec![ActGroup::ZERO; batch * ActGroup::count(cols)];
    let tiles = groups.chunks_mut(TILE * ActGroup::count(cols));
    x.chunks(TILE * cols).zip(tiles).for_each(|(x, groups)| kernels.quantize_tile(x, cols, groups));
    let mut panel = Panel::new(batch);
    mark_start();
    let tiles = Tiles::new(&groups, cols);
    kernels.multiply(format, black_box(&bytes), &[], tiles, &mut panel, |_, sums| {
        black_box(sums);
    });
    mark_stop();
}
