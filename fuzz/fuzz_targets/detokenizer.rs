//! Token ids, and bytes that come in pieces. See `tools/src/fuzz`.
#![no_main]

use libfuzzer_sys::fuzz_target;
use siskin_tools::fuzz::target;

fuzz_target!(|data: &[u8]| (target("detokenizer").expect("a target").run)(data.to_vec()));
