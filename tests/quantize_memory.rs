//! Quantizing needs the same memory for any model: a batch of encoded rows, and a row of floats for each thread.
//!
//! A program of its own, without the test harness, whose threads would allocate meanwhile.

use siskin::gguf::Gguf;
use siskin::quantize::{Plan, RECIPES};
use siskin::threads::Team;
use siskin_tools::meter;
use siskin_tools::synth::{Mix, Model, Shape};
use std::ops::ControlFlow;

/// What a batch and the rows may take: less than half of the largest tensor in F16.
const LIMIT: usize = (4 << 20) + (256 << 10);

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

fn main() {
    meter::main(&[("memory_does_not_grow_with_the_model", memory_does_not_grow_with_the_model)]);
}

/// Bytes of files that are mapped into this process and in memory, where Linux tells; an emulator need not heed the request to let go of them.
fn file_pages() -> u64 {
    if !cfg!(target_os = "linux") || siskin_tools::emulated() {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn memory_does_not_grow_with_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f16.gguf");
    // an emulated machine is slow: just as large as it has to be
    let vocab = if siskin_tools::emulated() { 17_500 } else { 24_000 };
    let shape = Shape { vocab, tied: true, ..Shape::named("tiny").expect("a shape") };
    Model::new(shape, Mix::named("F16").expect("a mix"), 1).save(&path).expect("a file");
    let file = Gguf::open(&path).expect("a model");
    let largest = file.tensors().iter().map(|tensor| tensor.bytes()).max().expect("tensors");
    assert!(largest as usize > 2 * LIMIT, "{largest}");
    let mut team = Team::new(2).expect("threads");
    for name in siskin_tools::some(["F32", "Q4_0"], 2) {
        let recipe = RECIPES.into_iter().find(|recipe| recipe.name == name).expect("a recipe");
        let plan = Plan::new(&file, &recipe).expect("a plan");
        let mapped_before = file_pages();
        let write = || plan.write(std::io::sink(), &mut team, |_| ControlFlow::Continue(()));
        let (written, memory) = meter::measure(write);
        written.expect("a file");
        let mapped = file_pages().saturating_sub(mapped_before);
        assert!(mapped < largest / 2, "{name}: {mapped} bytes of files");
        assert!((1 << 20..LIMIT).contains(&memory.peak), "{name}: {memory:?}");
    }
}
