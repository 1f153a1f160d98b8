//! The JSON objects that scripts depend on.

use super::report::Usage;
use serde::Serialize;
use siskin::model::Plan;
use siskin::session::Timing;
use siskin::stop::Reason;
use std::time::Duration;

/// What `generate --json` prints.
#[derive(Debug, Serialize)]
pub struct Generation<'a> {
    pub text: &'a str,
    pub prompt_tokens: &'a [u32],
    pub tokens: &'a [u32],
    pub stop: Stop,
    pub timing: Times,
    pub memory: Memory,
    pub seed: u64,
    pub isa: &'static str,
    pub threads: usize,
    pub prefill_threads: usize,
}

/// Why generation ended.
#[derive(Debug, Serialize)]
pub struct Stop {
    pub reason: &'static str,
    pub detail: String,
}

impl From<&Reason> for Stop {
    fn from(reason: &Reason) -> Stop {
        Stop { reason: reason.name(), detail: reason.detail() }
    }
}

/// Times in milliseconds.
#[derive(Debug, Serialize)]
pub struct Times {
    pub load_ms: f64,
    pub prefill_ms: f64,
    pub prefill_tokens: usize,
    pub decode_ms: f64,
    pub decode_tokens: usize,
}

impl Times {
    /// The times of a session, and how long it took until it could start.
    pub fn new(load: Duration, timing: Timing) -> Times {
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        Times {
            load_ms: ms(load),
            prefill_ms: ms(timing.prefill),
            prefill_tokens: timing.prefill_tokens,
            decode_ms: ms(timing.decode),
            decode_tokens: timing.decode_tokens,
        }
    }
}

/// Memory in bytes, by class; the classes are never added up as one.
#[derive(Debug, Serialize)]
pub struct Memory {
    pub mapped: u64,
    pub kv: usize,
    pub scratch: usize,
    pub tables: usize,
    pub owned: usize,
    pub peak_rss: Option<u64>,
    pub anon: Option<u64>,
}

impl Memory {
    /// A plan beside what the system measured.
    pub fn new(mapped: u64, plan: &Plan, usage: Usage) -> Memory {
        let Plan { kv, scratch, tables, .. } = *plan;
        Memory {
            mapped,
            kv,
            scratch,
            tables,
            owned: plan.owned(),
            peak_rss: usage.peak_rss,
            anon: usage.anon,
        }
    }
}
