//! Counts memory: what the program holds and what a thread of it holds, and how often it asks for more. For programs that make [`Counting`]
//! their `#[global_allocator]`; in others all counts are 0.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's allocator, counting.
pub struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

static HELD_BY_ALL: AtomicUsize = AtomicUsize::new(0);
static PEAK_OF_ALL: AtomicUsize = AtomicUsize::new(0);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

fn take(bytes: usize) {
    let held = HELD_BY_ALL.fetch_add(bytes, Ordering::Relaxed) + bytes;
    PEAK_OF_ALL.fetch_max(held, Ordering::Relaxed);
    ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    of_this_thread(bytes as isize);
}

fn give(bytes: usize) {
    HELD_BY_ALL.fetch_sub(bytes, Ordering::Relaxed);
    of_this_thread(-(bytes as isize));
}

fn of_this_thread(change: isize) {
    // a thread that ends frees memory after its locals are gone; that is nobody's peak
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is passed on
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promise is passed on
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        give(layout.size());
        // SAFETY: the caller's promise is passed on
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // as if both were held while the bytes move
        take(new_size);
        // SAFETY: the caller's promise is passed on
        let moved = unsafe { System.realloc(pointer, layout, new_size) };
        give(if moved.is_null() { new_size } else { layout.size() });
        moved
    }
}

/// What `f` gives, and the most bytes that this thread held at once in it beyond what it held before. Calls may nest.
pub fn peak<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let (before, outer) = (HELD.get(), PEAK.get());
    PEAK.set(before);
    let value = f();
    let peak = PEAK.get();
    PEAK.set(outer.max(peak));
    (value, (peak - before).max(0) as usize)
}

/// What `f` gives, and what all threads together did meanwhile. Not to be nested.
pub fn measure<T>(f: impl FnOnce() -> T) -> (T, Measured) {
    let (before, allocations) = (HELD_BY_ALL.load(Ordering::Relaxed), ALLOCATIONS.load(Ordering::Relaxed));
    PEAK_OF_ALL.store(before, Ordering::Relaxed);
    let value = f();
    let measured = Measured {
        kept: HELD_BY_ALL.load(Ordering::Relaxed).saturating_sub(before),
        peak: PEAK_OF_ALL.load(Ordering::Relaxed).saturating_sub(before),
        allocations: ALLOCATIONS.load(Ordering::Relaxed) - allocations,
    };
    (value, measured)
}

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Bytes held afterwards beyond those before; 0 if there are fewer.
    pub kept: usize,
    /// The most bytes held at once beyond those before.
    pub peak: usize,
    /// How often memory was asked for.
    pub allocations: usize,
}

/// The `main` of a test without the harness, whose threads would allocate meanwhile: answers a runner that asks for the list of tests; else
/// runs all, or those whose names hold one of the words of the command line.
pub fn main(tests: &[(&str, fn())]) {
    let asked = |flag: &str| std::env::args().any(|arg| arg == flag);
    if asked("--list") {
        let list = tests.iter().filter(|_| !asked("--ignored"));
        return list.for_each(|(name, _)| println!("{name}: test"));
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let is_asked = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    for (name, test) in tests.iter().filter(|(name, _)| is_asked(name)) {
        test();
        println!("test {name} ... ok");
    }
}
