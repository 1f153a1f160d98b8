//! `siskin generate`: continues a prompt.

use super::args::{Generate, SampleArgs};
use super::json::{Generation, Memory, Stop, Times};
use super::npy::NpyWriter;
use super::output::{Answer, message};
use super::report;
use super::setup::Threads;
use super::{CliError, Outcome, input, setup};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use siskin::gguf::Gguf;
use siskin::sample;
use siskin::session::{LogitSink, Options, Session};
use siskin::stop::Reason;
use siskin::tokenizer::Encode;
use siskin::topology::Topology;
use std::hash::{BuildHasher, RandomState};
use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Prompts from this many tokens on get a progress bar.
const LONG_PROMPT: usize = 64;

/// Runs the command.
pub fn run(args: &Generate) -> Result<Outcome, CliError> {
    let start = Instant::now();
    let cancelled = cancel_on_signal();
    let text = input::text(args.prompt.as_deref(), args.source.file.as_deref())?;
    if text.is_none() && args.source.tokens.is_none() {
        return Err(CliError::Usage("no prompt given. Try a text, -f FILE, or -f - for stdin".into()));
    }
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads);
    let options = options(args, threads, Arc::clone(&cancelled));
    let cpu = setup::cpu(&topology, threads)?;
    let file = setup::open(&args.model)?;
    let (model, tokenizer) = setup::load(&file, threads, &cancelled)?;
    let prompt = match (&args.source.tokens, &text) {
        (Some(ids), _) => ids.clone(),
        (None, text) => {
            let encode = Encode { add_special: true, parse_special: args.source.special };
            tokenizer.encode(text.as_deref().unwrap_or_default(), encode)
        }
    };
    let session = Session::new(&model, &tokenizer, cpu, &prompt, &options)?;
    let load = start.elapsed();
    let echo = args
        .output
        .echo
        .then(|| text.unwrap_or_else(|| String::from_utf8_lossy(&tokenizer.decode(&prompt)).into_owned()));
    Run { args, prompt: &prompt, seed: options.sampling.seed, file: &file, load, echo }
        .run(session, model.weights().vocabulary())
}

/// A run whose session stands ready.
struct Run<'a> {
    args: &'a Generate,
    prompt: &'a [u32],
    seed: u64,
    file: &'a Gguf,
    load: Duration,
    echo: Option<String>,
}

impl Run<'_> {
    fn run(&self, mut session: Session<'_>, vocabulary: usize) -> Result<Outcome, CliError> {
        let mut answer = Answer::new();
        let mut npy =
            self.args.output.logits.as_deref().map(|path| create_npy(path, vocabulary)).transpose()?;
        self.prefill(&mut session, npy.as_mut())?;
        if let Some(prompt) = &self.echo {
            answer.print(prompt)?;
        }
        let (text, tokens) = self.decode(&mut session, npy.as_mut(), &mut answer)?;
        if let (Some(npy), Some(path)) = (npy, &self.args.output.logits) {
            npy.finish().map_err(|error| npy_error(path, &error))?;
        }
        self.report(&session, &text, &tokens, &mut answer)?;
        let interrupted = matches!(session.ended(), Some(Reason::Cancelled));
        Ok(if interrupted { Outcome::Interrupted } else { Outcome::Done })
    }

    fn prefill(&self, session: &mut Session<'_>, npy: Option<&mut NpyWriter>) -> Result<(), CliError> {
        let bar = prefill_bar(self.prompt.len());
        let mut row = npy.map(|npy| |logits: &[f32]| npy.row(logits));
        let sink = row.as_mut().map(|row| row as &mut LogitSink<'_>);
        let result = session.prefill(self.prompt, |done| bar.set_position(done as u64), sink);
        bar.finish_and_clear();
        Ok(result?)
    }

    /// Generates until something stops it; prints as text comes, unless it is all to be in the JSON object.
    fn decode(
        &self,
        session: &mut Session<'_>,
        npy: Option<&mut NpyWriter>,
        answer: &mut Answer,
    ) -> Result<(String, Vec<u32>), CliError> {
        let (mut text, mut tokens) = (String::new(), Vec::new());
        let mut row = npy.map(|npy| |logits: &[f32]| npy.row(logits));
        loop {
            let sink = row.as_mut().map(|row| row as &mut LogitSink<'_>);
            let step = session.step(sink)?;
            tokens.extend(step.choice.map(|choice| choice.token));
            if self.args.output.json {
                text.push_str(step.text);
            } else if !step.text.is_empty() {
                answer.print(step.text)?;
            }
            if step.stop.is_some() {
                return Ok((text, tokens));
            }
        }
    }

    fn report(
        &self,
        session: &Session<'_>,
        text: &str,
        tokens: &[u32],
        answer: &mut Answer,
    ) -> Result<(), CliError> {
        let Some(reason) = session.ended() else { return Ok(()) };
        let (timing, usage, cpu) = (session.timing(), report::usage(), session.cpu());
        if self.args.output.json {
            let object = Generation {
                text,
                prompt_tokens: self.prompt,
                tokens,
                stop: Stop::from(reason),
                timing: Times::new(self.load, timing),
                memory: Memory::new(self.file.file_bytes(), session.plan(), usage),
                seed: self.seed,
                isa: cpu.kernels.isa().name(),
                threads: session.decode_threads(),
                prefill_threads: session.prefill_threads(),
            };
            let json =
                serde_json::to_string(&object).map_err(|error| CliError::Failed(format!("json: {error}")))?;
            answer.line(&json)?;
        } else {
            answer.print("\n")?;
        }
        if self.args.output.stats {
            self.stats(session, reason);
        }
        Ok(())
    }

    /// Times and memory for people, on stderr.
    fn stats(&self, session: &Session<'_>, reason: &Reason) {
        let (timing, plan, usage) = (session.timing(), session.plan(), report::usage());
        let rate = |tokens: usize, time: Duration| tokens as f64 / time.as_secs_f64().max(1e-9);
        let size = |n: Option<u64>| n.map_or("unknown".to_owned(), report::bytes);
        message(&format!("stopped: {} ({})", reason.name(), reason.detail()));
        message(&format!(
            "load {:.1} ms, prefill {} tokens {:.1} tokens/s, decode {} tokens {:.1} tokens/s",
            self.load.as_secs_f64() * 1e3,
            timing.prefill_tokens,
            rate(timing.prefill_tokens, timing.prefill),
            timing.decode_tokens,
            rate(timing.decode_tokens, timing.decode),
        ));
        message(&format!(
            "memory: mapped {}, owned {} (kv {}, scratch {}, tables {}), peak resident {}, of it anonymous {}",
            report::bytes(self.file.file_bytes()),
            report::bytes(plan.owned() as u64),
            report::bytes(plan.kv as u64),
            report::bytes(plan.scratch as u64),
            report::bytes(plan.tables as u64),
            size(usage.peak_rss),
            size(usage.anon),
        ));
        message(&format!(
            "seed {}, kernels {}, threads {} (prefill {})",
            self.seed,
            session.cpu().kernels.isa(),
            session.decode_threads(),
            session.prefill_threads()
        ));
    }
}

fn options(args: &Generate, threads: Threads, cancelled: Arc<AtomicBool>) -> Options {
    Options {
        max_tokens: args.stop.max_tokens,
        context: args.run.context,
        kv_type: args.run.kv_type.into(),
        stop_texts: args.stop.stop.clone(),
        ignore_eos: args.stop.ignore_eos,
        sampling: sampling(&args.sample),
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

/// A flag that Ctrl-C and SIGTERM set; a second one ends the program at once.
pub fn cancel_on_signal() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let handler = move || {
        if set.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        log::warn!("Ctrl-C will not stop cleanly: {error}");
    }
    flag
}

/// A bar on stderr for a long prompt, if a person watches.
fn prefill_bar(tokens: usize) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(tokens as u64), ProgressDrawTarget::hidden());
    if tokens >= LONG_PROMPT && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
    }
    if let Ok(style) = ProgressStyle::with_template("reading prompt {bar:30} {pos}/{len} tokens, {eta} left")
    {
        bar.set_style(style);
    }
    bar
}

fn create_npy(path: &Path, cols: usize) -> Result<NpyWriter, CliError> {
    NpyWriter::create(path, cols).map_err(|error| npy_error(path, &error))
}

fn npy_error(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("{}: cannot write the logits: {error}", path.display()))
}
