//! The team of threads that one forward pass runs on: a leader, who is the caller, and workers that wait between jobs.
//!
//! A job is a number of chunks and a function. Each member has a share of neighbouring chunks, whose atomic counter hands each of them to
//! exactly one thread: to the member itself, and to others once their own shares are done. Neighbours lie side by side in memory, so what a
//! member asks for ahead of its use is what it will use; chunks in turn would let it ask for those of the others (a third of decoding's
//! speed). The leader takes chunks too, closes the job when none are left, and waits only for workers that had joined it. A worker that the operating system keeps off its
//! core never holds up the others, which is what makes a busy board bearable; pure spinning collapses there.
//!
//! [`Team::limit`] gives jobs to the first few members only, since prefill and decode may want different numbers of threads. The
//! others sleep meanwhile.
//!
//! Between jobs a worker spins, then yields, then parks, so an idle team costs nothing. Of a core that it shares with another process a worker
//! would lose hold in the middle of a chunk, for milliseconds in which the leader waits for it; so it offers its core of its own accord every
//! millisecond, between two jobs, when nobody waits. Nothing here allocates after [`Team::new`].
//! (rayon's `broadcast` allocates at every call, and waits for every thread even where there is no work left for it.)

use crate::topology;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};
use std::{fmt, hint, io};

/// Rounds of spinning before a waiting thread yields: some tens of microseconds, the length of the serial stretch between two jobs.
const SPINS: u32 = 2_000;
/// Rounds of yielding before a waiting thread parks.
const YIELDS: u32 = 100;

/// How long a worker keeps its core before it offers it to others: less than what schedulers let a process run for at a time.
const TURN: Duration = Duration::from_millis(1);

/// Most threads a team may have; more is a mistake in an option, not a machine.
pub const MAX_THREADS: usize = 1024;

/// Bytes of a worker's stack, of which only what it touches is taken.
pub const STACK_BYTES: usize = 256 << 10;

/// Set in the state while workers may join the current job.
const OPEN: u64 = 1 << 31;
/// The low bits of the state count the workers in the job.
const ACTIVE: u64 = OPEN - 1;
/// The high bits count jobs.
const EPOCH: u64 = 1 << 32;

/// A cache line of its own, so that waiting threads do not disturb their neighbours.
#[repr(align(128))]
struct Padded<T>(T);

/// What the current job calls: `work(thread, chunk)`.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

#[derive(Clone, Copy)]
struct Job {
    work: *const Work<'static>,
    chunks: usize,
    /// Members that the chunks are shared among.
    members: usize,
}

impl Job {
    /// The first chunk of a member's share, which ends where that of the next begins.
    fn share(&self, member: usize) -> usize {
        (self.chunks as u128 * member as u128 / self.members as u128) as usize
    }
}

struct Shared {
    /// Epoch, [`OPEN`] and the number of active workers, in one word so that joining is a single step.
    state: Padded<AtomicU64>,
    /// For each member, the next chunk of its share that nobody has taken.
    next: Vec<Padded<AtomicUsize>>,
    job: UnsafeCell<Option<Job>>,
    sleepers: AtomicUsize,
    /// Members that take part in jobs, the leader included. Changed only while the job is closed.
    limit: AtomicUsize,
    /// Workers that have started.
    started: AtomicUsize,
    quit: AtomicBool,
    panicked: AtomicBool,
}

// SAFETY: `job` is the only field that is not Sync. The leader writes it only while the job is closed and nobody is active; a
// worker reads it only between joining (which needs OPEN) and leaving. The state's acquire and release order the two.
unsafe impl Sync for Shared {}
// SAFETY: the pointer in `job` is only followed by active workers, during which the leader keeps its target alive (see `run`).
unsafe impl Send for Shared {}

/// Threads that run chunks of a job together. See the module's text.
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// As in `shared`.
    limit: usize,
}

impl Team {
    /// A team of `threads`, the caller included, so `threads - 1` are started.
    ///
    /// # Errors
    ///
    /// If `threads` is 0 or above [`MAX_THREADS`], or the operating system refuses to start one.
    pub fn new(threads: usize) -> io::Result<Team> {
        Team::on_cpus(threads, None)
    }

    /// As [`Team::new`], with the workers bound to a set of CPUs ([`topology::Topology::placement`]). The caller's thread is not
    /// touched: it may bind itself, with [`topology::bind_this_thread`].
    ///
    /// # Errors
    ///
    /// As [`Team::new`]. Workers that cannot be bound run unbound, with a logged warning.
    pub fn on_cpus(threads: usize, cpus: Option<&[usize]>) -> io::Result<Team> {
        Team::check(threads)?;
        let shared = Arc::new(Shared {
            state: Padded(AtomicU64::new(0)),
            next: (0..threads).map(|_| Padded(AtomicUsize::new(0))).collect(),
            job: UnsafeCell::new(None),
            sleepers: AtomicUsize::new(0),
            limit: AtomicUsize::new(threads),
            started: AtomicUsize::new(0),
            quit: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
        });
        let mut team = Team { shared, workers: Vec::with_capacity(threads - 1), limit: threads };
        for index in 1..threads {
            let shared = Arc::clone(&team.shared);
            let cpus = cpus.map(<[usize]>::to_vec);
            let builder = thread::Builder::new().name(format!("siskin-{index}"));
            team.workers.push(builder.stack_size(STACK_BYTES).spawn(move || {
                bind(cpus);
                shared.serve(index);
            })?);
        }
        // A thread allocates while it starts. Jobs do not wait for late workers, so without this it could do so during one.
        while team.shared.started.load(Ordering::Relaxed) < threads - 1 {
            thread::yield_now();
        }
        Ok(team)
    }

    /// Whether a team may have that many threads.
    ///
    /// # Errors
    ///
    /// If `threads` is 0 or above [`MAX_THREADS`].
    pub fn check(threads: usize) -> io::Result<()> {
        if (1..=MAX_THREADS).contains(&threads) {
            return Ok(());
        }
        let message = format!("a team of {threads} threads: expected 1 to {MAX_THREADS}");
        Err(io::Error::new(io::ErrorKind::InvalidInput, message))
    }

    /// Threads in the team, the caller included.
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Lets only the first `threads` members take part in the jobs to come, the caller included; 1 to [`Team::threads`], and
    /// numbers outside of that mean the nearest. The others sleep until the limit is raised, and no job waits for them.
    pub fn limit(&mut self, threads: usize) {
        let limit = threads.clamp(1, self.threads());
        if limit == self.limit {
            return;
        }
        self.limit = limit;
        self.shared.limit.store(limit, Ordering::Relaxed);
        // Those that are to take part wake up; those that are not, and sleep as one who does, go to sleep anew.
        self.workers.iter().map(JoinHandle::thread).for_each(Thread::unpark);
    }

    /// Calls `work(thread, chunk)` for every chunk in `0..chunks`, each exactly once, and returns when all are done. `thread` is
    /// below [`Team::threads`] and no two calls at the same time have the same one.
    ///
    /// # Panics
    ///
    /// If `work` does, on any thread.
    pub fn run(&mut self, chunks: usize, work: &Work<'_>) {
        if self.limit == 1 || chunks <= 1 {
            return (0..chunks).for_each(|chunk| work(0, chunk));
        }
        let shared = &*self.shared;
        // SAFETY: only the lifetime is changed. `Closing` waits, also when `work` panics here, until no worker is active, and nobody
        // can join a closed job; so no worker follows this pointer after `run` returns.
        let work_static = unsafe { std::mem::transmute::<*const Work<'_>, *const Work<'static>>(work) };
        let job = Job { work: work_static, chunks, members: self.limit };
        // SAFETY: the last job is closed and without active workers, so nobody else touches the cell.
        unsafe { *shared.job.get() = Some(job) };
        for (member, next) in shared.next[..self.limit].iter().enumerate() {
            next.0.store(job.share(member), Ordering::Relaxed);
        }
        let epoch = shared.state.0.load(Ordering::Relaxed) & !(EPOCH - 1);
        shared.state.0.store(epoch.wrapping_add(EPOCH) | OPEN, Ordering::SeqCst);
        if shared.sleepers.load(Ordering::SeqCst) > 0 {
            self.workers[..self.limit - 1].iter().map(JoinHandle::thread).for_each(Thread::unpark);
        }
        let closing = Closing(shared);
        shared.take_chunks(0, job);
        drop(closing);
        assert!(
            !shared.panicked.swap(false, Ordering::Relaxed),
            "a worker thread panicked; see its message above"
        );
    }

    /// Splits `data` into chunks of `len` (the last may be shorter) and calls `work(index, chunk)` for each.
    ///
    /// # Panics
    ///
    /// If `len` is 0, or `work` panics.
    pub fn chunks_mut<T: Send>(&mut self, data: &mut [T], len: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        // Units take no memory, so this vector is no allocation.
        self.chunks_with(&mut vec![(); self.threads()], data, len, |(), index, chunk| work(index, chunk));
    }

    /// As [`Team::chunks_mut`], with a state for each thread: `work(state, index, chunk)`.
    ///
    /// # Panics
    ///
    /// If `len` is 0, there are fewer states than threads, or `work` panics.
    pub fn chunks_with<S: Send, T: Send>(
        &mut self,
        states: &mut [S],
        data: &mut [T],
        len: usize,
        work: impl Fn(&mut S, usize, &mut [T]) + Sync,
    ) {
        assert!(len > 0, "chunks of no elements");
        let (states, data) = (Disjoint::new(states), Disjoint::new(data));
        let threads = self.threads();
        assert!(states.len >= threads, "{} states for {threads} threads", states.len);
        self.run(data.len.div_ceil(len), &|thread, chunk| {
            let (from, to) = (chunk * len, data.len.min((chunk + 1) * len));
            // SAFETY: no two calls at the same time have the same `thread`, and each `chunk` comes once: the ranges are disjoint.
            let (state, data) = unsafe { (states.range(thread, thread + 1), data.range(from, to)) };
            work(&mut state[0], chunk, data);
        });
    }

    /// Splits two slices into the same number of chunks, the first of `lens.0` and the other of `lens.1` elements (the last ones may be
    /// shorter), and calls `work(index, chunk, other)` for each.
    ///
    /// # Panics
    ///
    /// If one of `lens` is 0, the second slice has fewer chunks, or `work` panics.
    pub fn chunk_pairs_mut<T: Send, U: Send>(
        &mut self,
        data: &mut [T],
        others: &mut [U],
        lens: (usize, usize),
        work: impl Fn(usize, &mut [T], &mut [U]) + Sync,
    ) {
        assert!(lens.0 > 0 && lens.1 > 0, "chunks of no elements");
        let (data, others) = (Disjoint::new(data), Disjoint::new(others));
        let chunks = data.len.div_ceil(lens.0);
        assert!(others.len.div_ceil(lens.1) >= chunks, "{} elements in {chunks} chunks", others.len);
        self.run(chunks, &|_, chunk| {
            let part = |len: usize, all: usize| (chunk * len, all.min((chunk + 1) * len));
            let ((from, to), (start, end)) = (part(lens.0, data.len), part(lens.1, others.len));
            // SAFETY: each `chunk` comes once: the ranges are disjoint.
            let (data, others) = unsafe { (data.range(from, to), others.range(start, end)) };
            work(chunk, data, others);
        });
    }

    /// Hands out the columns of several matrices in strips, all in one job, with a state for each thread:
    /// `work(state, target, first_column, strip)`.
    ///
    /// # Panics
    ///
    /// If a target's `out` is no whole number of rows or its `strip` is 0, there are fewer states than threads, or `work` panics.
    pub fn strips_with<S: Send>(
        &mut self,
        states: &mut [S],
        targets: &mut [Target<'_>],
        work: impl Fn(&mut S, usize, usize, Strip<'_>) + Sync,
    ) {
        let (states, threads) = (Disjoint::new(states), self.threads());
        assert!(states.len >= threads, "{} states for {threads} threads", states.len);
        let matrices: [Option<Columns<'_>>; MAX_TARGETS] = {
            assert!(targets.len() <= MAX_TARGETS, "{} targets, at most {MAX_TARGETS}", targets.len());
            let mut targets = targets.iter_mut();
            std::array::from_fn(|_| targets.next().map(Columns::new))
        };
        let total = matrices.iter().flatten().map(|matrix| matrix.strips).sum();
        self.run(total, &|thread, mut chunk| {
            // SAFETY: no two calls at the same time have the same `thread`.
            let state = unsafe { &mut states.range(thread, thread + 1)[0] };
            for (index, matrix) in matrices.iter().flatten().enumerate() {
                if chunk < matrix.strips {
                    let first = chunk * matrix.strip;
                    // SAFETY: each chunk comes once, so no two strips share a column of the same matrix.
                    return work(state, index, first, unsafe { matrix.strip_from(first) });
                }
                chunk -= matrix.strips;
            }
        });
    }
}

impl fmt::Debug for Team {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Team")
            .field("threads", &self.threads())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.quit.store(true, Ordering::SeqCst);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker's panic was reported by `run`; there is nothing left to say here.
            let _ = worker.join();
        }
    }
}

/// Binds a starting worker, if it is to be bound.
fn bind(cpus: Option<Vec<usize>>) {
    if let Some(cpus) = cpus
        && let Err(error) = topology::bind_this_thread(&cpus)
    {
        log::warn!("a thread cannot be bound to CPUs {cpus:?}: {error}");
    }
}

impl Shared {
    /// A worker's life.
    fn serve(&self, index: usize) {
        self.started.fetch_add(1, Ordering::Relaxed);
        let (mut last_epoch, mut turn) = (0, Instant::now());
        while let Some(epoch) = self.join_next(index, last_epoch) {
            last_epoch = epoch;
            // SAFETY: this thread is active, so the leader does not write the cell.
            if let Some(job) = unsafe { *self.job.get() } {
                let result = catch_unwind(AssertUnwindSafe(|| self.take_chunks(index, job)));
                if result.is_err() {
                    self.panicked.store(true, Ordering::Relaxed);
                }
            }
            self.state.0.fetch_sub(1, Ordering::Release);
            if turn.elapsed() >= TURN {
                thread::yield_now();
                turn = Instant::now();
            }
        }
    }

    /// Waits for an open job other than the last one and joins it; `None` when the team ends.
    fn join_next(&self, index: usize, last_epoch: u64) -> Option<u64> {
        let mut rounds = 0;
        while !self.quit.load(Ordering::Relaxed) {
            let state = self.state.0.load(Ordering::Acquire);
            let epoch = state / EPOCH;
            // The limit was stored before the job was opened: whoever sees the job sees its limit.
            if index >= self.limit.load(Ordering::Relaxed) {
                thread::park();
                rounds = 0;
            } else if epoch == last_epoch || state & OPEN == 0 {
                self.rest(&mut rounds, state);
            } else if self
                .state
                .0
                .compare_exchange(state, state + 1, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
            {
                return Some(epoch);
            }
        }
        None
    }

    /// One round of waiting for the state to differ from `seen`: spin, later yield, in the end park.
    fn rest(&self, rounds: &mut u32, seen: u64) {
        *rounds += 1;
        if *rounds < SPINS {
            return hint::spin_loop();
        }
        if *rounds < SPINS + YIELDS {
            return thread::yield_now();
        }
        // The leader publishes the state before it looks for sleepers, and a sleeper announces itself before it looks at the state:
        // one of the two sees the other.
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        if self.state.0.load(Ordering::SeqCst) / EPOCH == seen / EPOCH && !self.quit.load(Ordering::SeqCst) {
            thread::park();
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
        *rounds = 0;
    }

    /// Takes what is left of the thread's own share, then of the shares of those after it, in a circle.
    fn take_chunks(&self, thread: usize, job: Job) {
        // SAFETY: called by the leader inside `run`, or by an active worker: the target is alive (see `run`).
        let work = unsafe { &*job.work };
        for member in (thread..job.members).chain(0..thread) {
            let (next, end) = (&self.next[member].0, job.share(member + 1));
            loop {
                let chunk = next.fetch_add(1, Ordering::Relaxed);
                if chunk >= end {
                    break;
                }
                work(thread, chunk);
            }
        }
    }
}

/// Closes the current job and waits for its active workers when dropped.
struct Closing<'a>(&'a Shared);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let state = &self.0.state.0;
        state.fetch_and(!OPEN, Ordering::AcqRel);
        let mut rounds = 0u32;
        while state.load(Ordering::Acquire) & ACTIVE != 0 {
            rounds += 1;
            if rounds < SPINS { hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

/// Most matrices that [`Team::strips_with`] takes at once: what a gated delta net reads of a token.
pub const MAX_TARGETS: usize = 4;

/// A matrix, `height x width` row by row, whose columns are to be written in strips.
pub struct Target<'a> {
    /// The matrix.
    pub out: &'a mut [f32],
    /// Columns, and so the distance between rows.
    pub width: usize,
    /// Columns of a strip; the last may have fewer.
    pub strip: usize,
}

/// Some neighbouring columns of a matrix, of all its rows.
pub struct Strip<'a> {
    start: *mut f32,
    width: usize,
    height: usize,
    len: usize,
    matrix: PhantomData<&'a mut [f32]>,
}

impl Strip<'_> {
    /// Rows of the matrix.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The strip's part of row `row`.
    ///
    /// # Panics
    ///
    /// If the matrix has no such row.
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        assert!(row < self.height, "row {row} of {}", self.height);
        // SAFETY: `Columns::strip_from` made sure that `len` columns from `start` on lie in each of the `height` rows, and the
        // caller of it that no other strip has them. The borrow of `self` keeps two rows from being held at once.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(row * self.width), self.len) }
    }
}

/// A [`Target`] as the threads share it.
struct Columns<'a> {
    data: Disjoint<'a, f32>,
    width: usize,
    strip: usize,
    strips: usize,
}

impl<'a> Columns<'a> {
    fn new(target: &'a mut Target<'_>) -> Self {
        let (width, strip) = (target.width, target.strip);
        assert!(
            strip > 0 && width > 0 && target.out.len().is_multiple_of(width),
            "strips of {strip} in rows of {width}"
        );
        Columns { data: Disjoint::new(target.out), width, strip, strips: width.div_ceil(strip) }
    }

    /// # Safety
    ///
    /// - No other strip with any of these columns may be alive.
    unsafe fn strip_from(&self, first: usize) -> Strip<'_> {
        assert!(first < self.width, "column {first} of {}", self.width);
        let len = self.strip.min(self.width - first);
        // SAFETY: a matrix without rows has an offset past its end, so then the start is taken instead; `row` refuses every row.
        let start = if self.data.len == 0 { self.data.start } else { unsafe { self.data.start.add(first) } };
        Strip { start, width: self.width, height: self.data.len / self.width, len, matrix: PhantomData }
    }
}

/// A mutable slice that several threads take disjoint parts of.
struct Disjoint<'a, T> {
    start: *mut T,
    len: usize,
    slice: PhantomData<&'a mut [T]>,
}

// SAFETY: it stands for `&mut [T]`, whose parts may be used by other threads when T is Send; `range` demands that they are disjoint.
unsafe impl<T: Send> Sync for Disjoint<'_, T> {}

impl<'a, T> Disjoint<'a, T> {
    fn new(slice: &'a mut [T]) -> Self {
        Disjoint { start: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// Elements `from..to`.
    ///
    /// # Safety
    ///
    /// - No other reference to any of these elements may be alive.
    #[allow(clippy::mut_from_ref)]
    unsafe fn range(&self, from: usize, to: usize) -> &mut [T] {
        assert!(from <= to && to <= self.len, "elements {from}..{to} of {}", self.len);
        // SAFETY: in bounds by the assertion; alone by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(from), to - from) }
    }
}

#[cfg(test)]
mod tests;
