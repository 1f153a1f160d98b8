//! The JSON objects that scripts depend on.

use super::CliError;
use super::report::Usage;
use serde::Serialize;
use siskin::memory::Footprint;
use siskin::model::Plan;
use siskin::session::Timing;
use siskin::stop::Reason;
use std::time::Duration;

/// An object as text, in one line.
pub fn text(object: &impl Serialize) -> Result<String, CliError> {
    serde_json::to_string(object).map_err(|error| CliError::Failed(format!("json: {error}")))
}

/// Milliseconds, to the microsecond.
pub fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}

/// What `generate --json` prints.
#[derive(Debug, Serialize)]
pub struct Generation<'a> {
    pub text: &'a str,
    pub prompt_tokens: &'a [u32],
    pub tokens: &'a [u32],
    pub stop: Stop,
    /// All that were asked for, the best first; absent where only one was generated.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub continuations: Vec<OneOf<'a>>,
    pub timing: Times,
    pub memory: Memory,
    pub seed: u64,
    pub isa: &'static str,
    pub threads: usize,
    pub prefill_threads: usize,
}

/// One of several continuations.
#[derive(Debug, Serialize)]
pub struct OneOf<'a> {
    pub text: &'a str,
    pub tokens: &'a [u32],
    pub logprob: f64,
    pub score: f64,
    pub stop: Stop,
}

/// Why generation ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    pub kept_tokens: usize,
    pub prefill_ms: f64,
    pub prefill_tokens: usize,
    pub decode_ms: f64,
    pub decode_tokens: usize,
}

impl Times {
    /// The times of a session, and how long it took until it could start.
    pub fn new(load: Duration, timing: Timing) -> Times {
        Times {
            load_ms: ms(load),
            kept_tokens: timing.kept_tokens,
            prefill_ms: ms(timing.prefill),
            prefill_tokens: timing.prefill_tokens,
            decode_ms: ms(timing.decode),
            decode_tokens: timing.decode_tokens,
        }
    }
}

/// Memory in bytes: planned by class, and measured at the end.
#[derive(Debug, Serialize)]
pub struct Memory {
    pub mapped: u64,
    pub weights_owned: u64,
    pub kv: usize,
    pub scratch: usize,
    pub search: usize,
    pub tables: usize,
    pub tokenizer: usize,
    pub owned: u64,
    pub stacks: u64,
    pub planned: u64,
    pub read_per_token: u64,
    pub peak_rss: Option<u64>,
    pub peak_outside_file: Option<u64>,
    pub anon: Option<u64>,
    pub file: Option<u64>,
    pub locked: Option<u64>,
    pub pss: Option<u64>,
    pub swap: Option<u64>,
    pub minor_faults: Option<u64>,
    pub major_faults: Option<u64>,
    pub disk_read: Option<u64>,
}

impl Memory {
    /// A plan beside what the system measured.
    pub fn new(footprint: &Footprint, usage: Usage) -> Memory {
        let Plan { kv, scratch, search, tables, .. } = footprint.plan;
        Memory {
            mapped: footprint.mapped,
            weights_owned: footprint.weights,
            kv,
            scratch,
            search,
            tables,
            tokenizer: footprint.tokenizer.owned,
            owned: footprint.owned(),
            stacks: footprint.stacks,
            planned: footprint.needed(),
            read_per_token: footprint.bytes_per_token(),
            peak_rss: usage.peak_rss,
            peak_outside_file: usage.peak_outside_file(),
            anon: usage.anon,
            file: usage.file,
            locked: usage.locked,
            pss: usage.pss,
            swap: usage.swap,
            minor_faults: usage.faults.map(|(minor, _)| minor),
            major_faults: usage.faults.map(|(_, major)| major),
            disk_read: usage.disk_read,
        }
    }
}
