//! Quantizing needs the same memory for any model: a batch of encoded rows, and a row of floats for each thread.
//!
//! A program of its own, without the test harness, whose threads would allocate meanwhile.

use siskin::gguf::Gguf;
use siskin::quantize::{Plan, RECIPES};
use siskin::threads::Team;
use siskin_tools::synth::{Mix, Model, Shape};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

/// What a batch and the rows may take: less than half of the largest tensor in F16.
const LIMIT: usize = (4 << 20) + (256 << 10);

struct Counting;

fn take(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK.fetch_max(held, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Answers a test runner that asks for the list of tests; else runs the only one.
fn main() {
    let asked = |flag: &str| std::env::args().any(|arg| arg == flag);
    if asked("--list") {
        return if !asked("--ignored") {
            println!("memory_does_not_grow_with_the_model: test")
        };
    }
    memory_does_not_grow_with_the_model();
    println!("test memory_does_not_grow_with_the_model ... ok");
}

/// Bytes of files that are mapped into this process and in memory, where Linux tells; an emulator need not heed the request to let go of them.
fn file_pages() -> u64 {
    if !cfg!(target_os = "linux") || std::env::var_os("SISKIN_RUNNER").is_some() {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").expect("the process's status");
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") << 10
}

fn memory_does_not_grow_with_the_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("f16.gguf");
    let shape = Shape { vocab: 24_000, tied: true, ..Shape::named("tiny").expect("a shape") };
    Model::new(shape, Mix::named("F16").expect("a mix"), 1).save(&path).expect("a file");
    let file = Gguf::open(&path).expect("a model");
    let largest = file.tensors().iter().map(|tensor| tensor.bytes()).max().expect("tensors");
    assert!(largest as usize > 2 * LIMIT, "{largest}");
    let mut team = Team::new(2).expect("threads");
    for name in ["Q4_0", "F32"] {
        let recipe = RECIPES.into_iter().find(|recipe| recipe.name == name).expect("a recipe");
        let plan = Plan::new(&file, &recipe).expect("a plan");
        let before = HELD.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let mapped_before = file_pages();
        plan.write(std::io::sink(), &mut team, |_| ControlFlow::Continue(())).expect("a file");
        let mapped = file_pages().saturating_sub(mapped_before);
        assert!(mapped < largest / 2, "{name}: {mapped} bytes of files");
        let peak = PEAK.load(Ordering::Relaxed) - before;
        assert!((1 << 20..LIMIT).contains(&peak), "{name}: {peak} bytes");
    }
}
