//! Prompt caches. See `tools/src/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siskin_tools::fuzz::target;

fuzz_target!(|data: &[u8]| (target("cache").expect("a target").run)(data.to_vec()));
