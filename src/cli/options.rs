//! The flags that commands which generate text share, as options of a session.

use super::args::{RunArgs, SampleArgs, StopArgs};
use super::setup::Threads;
use siskin::sample;
use siskin::session::Options;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The options that the flags ask for; `max_tokens` is for when they do not say.
pub fn session(
    (stop, sample, run): (&StopArgs, &SampleArgs, &RunArgs),
    max_tokens: usize,
    threads: Threads,
    cancelled: Arc<AtomicBool>,
) -> Options {
    Options {
        max_tokens: stop.max_tokens.unwrap_or(max_tokens),
        context: run.context,
        kv_type: run.kv_type.into(),
        stop_texts: stop.stop.clone(),
        ignore_eos: stop.ignore_eos,
        sampling: sampling(sample),
        prefill_threads: Some(threads.prefill),
        decode_threads: Some(threads.decode),
        cancelled: Some(cancelled),
    }
}

fn sampling(args: &SampleArgs) -> sample::Options {
    let mut options = sample::Options::default();
    options.temperature = args.temp;
    options.top_k = args.top_k;
    options.top_p = args.top_p;
    options.min_p = args.min_p;
    options.seed = args.seed.unwrap_or_else(new_seed);
    options
}

/// A seed that differs each time: the standard library's randomly keyed hash of nothing. Below 2^53, so that JSON readers keep it exact.
fn new_seed() -> u64 {
    RandomState::new().hash_one(0) >> 11
}
