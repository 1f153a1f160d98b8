//! What `bench` times: a prompt, tokens one at a time, and a plain read of the weights for comparison.

use super::super::args::Bench;
use super::super::machine;
use super::super::report::{self, Usage};
use super::super::setup::Threads;
use siskin::memory::sum;
use siskin::model::{Decoder, Model};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bytes that a thread reads at a time in the plain read.
const READ_CHUNK: usize = 1 << 20;

/// One repetition.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Tokens of the prompt a second.
    pub prefill: f64,
    /// Generated tokens a second; none if none were asked for.
    pub decode: Option<f64>,
    /// Bytes a second of a plain read of the weights.
    pub read: f64,
}

/// What was measured.
pub struct Measured {
    /// From the start of the command until a pass could begin.
    pub load: Duration,
    /// From the start of the command until the first token after the prompt was known.
    pub first_token: Duration,
    pub samples: Vec<Sample>,
    pub usage: Usage,
    /// CPUs that the threads were on at the end.
    pub cpus: Vec<usize>,
    /// Clock and temperature, before and after.
    pub clocks: [Option<String>; 2],
}

impl Measured {
    /// Runs a model, once to warm up and then as often as asked for; `start` is when the command began.
    pub fn take(
        args: &Bench,
        model: &Model,
        decoder: Decoder<'_>,
        threads: Threads,
        start: Instant,
    ) -> Measured {
        let load = start.elapsed();
        let before = machine::clock();
        let mut run = Run::new(args, model, decoder, threads);
        run.prefill();
        let first_token = start.elapsed();
        run.decode();
        let samples = (0..args.repetitions).map(|_| run.sample()).collect();
        let (usage, cpus) = (report::usage(), machine::cpus_of_threads());
        Measured { load, first_token, samples, usage, cpus, clocks: [before, machine::clock()] }
    }
}

/// A model at work.
struct Run<'m> {
    args: &'m Bench,
    decoder: Decoder<'m>,
    weights: Vec<&'m [u8]>,
    threads: Threads,
    prompt: Vec<u32>,
}

impl<'m> Run<'m> {
    fn new(args: &'m Bench, model: &'m Model, decoder: Decoder<'m>, threads: Threads) -> Run<'m> {
        let vocabulary = model.weights().vocabulary();
        let longest = args.depth.max(args.prompt).max(args.max_tokens);
        let prompt = (0..longest).map(|i| (i.wrapping_mul(2_654_435_761) >> 7) % vocabulary);
        let weights = model.weights().in_order_of_use().into_iter().map(|bytes| &**bytes).collect();
        Run { args, decoder, weights, threads, prompt: prompt.map(|id| id as u32).collect() }
    }

    /// Everything once, with the caches of the CPU as the last repetition left them.
    fn sample(&mut self) -> Sample {
        let prefill = self.prefill();
        let decode = self.decode();
        let read = self.read();
        let rate = |n: usize, time: Duration| n as f64 / time.as_secs_f64();
        let bytes = self.weights.iter().map(|bytes| bytes.len()).sum();
        Sample {
            prefill: rate(self.args.prompt, prefill),
            decode: (self.args.max_tokens > 0).then(|| rate(self.args.max_tokens, decode)),
            read: rate(bytes, read),
        }
    }

    /// The prompt, after `depth` tokens that are not counted, and the logits after it.
    fn prefill(&mut self) -> Duration {
        self.decoder.limit_threads(self.threads.prefill);
        self.decoder.truncate(0);
        self.forward(self.args.depth);
        let start = Instant::now();
        let last = self.forward(self.args.prompt);
        self.decoder.logits(last);
        start.elapsed()
    }

    /// Runs so many tokens, in batches as long as each other; the row of the last one.
    fn forward(&mut self, tokens: usize) -> usize {
        let batches = tokens.div_ceil(self.decoder.max_batch()).max(1);
        let mut last = 0;
        for batch in self.prompt[..tokens].chunks(tokens.div_ceil(batches).max(1)) {
            self.decoder.forward(batch);
            last = batch.len() - 1;
        }
        last
    }

    /// Tokens one at a time, with the logits after each.
    fn decode(&mut self) -> Duration {
        self.decoder.limit_threads(self.threads.decode);
        let start = Instant::now();
        for &token in &self.prompt[..self.args.max_tokens] {
            self.decoder.forward(&[token]);
            self.decoder.logits(0);
        }
        start.elapsed()
    }

    /// All weights that a token reads, by the threads that generate it.
    fn read(&mut self) -> Duration {
        let chunks: Vec<&[u8]> = self.weights.iter().flat_map(|bytes| bytes.chunks(READ_CHUNK)).collect();
        let total = AtomicU64::new(0);
        let start = Instant::now();
        self.decoder.cpu_mut().team.run(chunks.len(), &|_, chunk| {
            total.fetch_add(sum(chunks[chunk]), Ordering::Relaxed);
        });
        let time = start.elapsed();
        std::hint::black_box(total);
        time
    }
}
