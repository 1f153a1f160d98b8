//! `siskin batch`: continues the prompts of a file, several side by side.

mod item;
mod output;

use super::batch_args::Batch as BatchArgs;
use super::guard::Guard;
use super::json::Stop;
use super::output::message;
use super::setup::Threads;
use super::signals::Signals;
use super::{CliError, Outcome, input, options, progress, report, setup};
use item::Items;
use output::{Line, Output, fingerprint};
use siskin::batch::{Batch, Finished, Job, Room};
use siskin::memory::Footprint;
use siskin::model::Model;
use siskin::topology::Topology;
use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tokens that are generated when nobody says how many.
const MAX_TOKENS: usize = 256;

/// Prompts side by side when the user does not say how many.
const PARALLEL: usize = 8;

/// Runs the command.
pub fn run(args: &BatchArgs) -> Result<Outcome, CliError> {
    let (guard, cancelled) = (Guard::new(&args.run), Signals::new().cancelled());
    check_paths(args)?;
    let text = input::read(&args.input)?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let settings = settings(args);
    let output = Output::open(&args.output, &settings, &lines)?;
    if output.written() > 0 {
        message(&format!(
            "{}: {} of {} lines are done",
            args.output.display(),
            output.written(),
            lines.len()
        ));
    }
    if output.written() == lines.len() {
        return end(&output);
    }
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads);
    let mut defaults =
        options::session((&args.stop, &args.sample, &args.run), MAX_TOKENS, threads, cancelled.clone());
    // a line that was cut off is no result
    defaults.cancelled = None;
    let cpu = setup::cpu(&topology, threads)?;
    let file = guard.open(&args.model, threads)?;
    let (model, tokenizer) = setup::load(&file, threads, &cancelled, Some(&guard))?;
    let items = Items {
        tokenizer: &tokenizer,
        defaults: options::with_breakers(defaults, &args.sample, &tokenizer)?,
        #[cfg(feature = "chat")]
        file: &file,
        #[cfg(feature = "chat")]
        conversation: &args.conversation,
        #[cfg(feature = "chat")]
        template: std::cell::OnceCell::new(),
    };
    let kv_type = setup::kv_type(&model, args.run.kv_type)?;
    let (room, work) = needs(&items, &model, &lines, output.written());
    let room = room.with_kv_type(kv_type);
    let plan = |count| room.with_sequences(count).plan(&model, cpu.team.threads());
    let parts = (&file, &model, tokenizer.size());
    let parallel = args.parallel.map(|n| n as usize);
    let (count, footprint) =
        guard.check_batch(parts, cpu.team.threads(), (parallel, PARALLEL), room.positions(), plan)?;
    let mut batch =
        Batch::new(&model, &tokenizer, cpu, &room.with_sequences(count)).map_err(CliError::from)?;
    batch.limit_threads(threads.prefill, threads.decode);
    let mut work =
        Work { items, settings, lines: &lines, next: output.written(), work, jobs: HashMap::new(), output };
    let outcome = work.run(&mut batch, &cancelled)?;
    if args.stats {
        stats(&batch, &footprint, count);
    }
    match outcome {
        Outcome::Done => end(&work.output),
        Outcome::Interrupted => {
            let (written, all) = (work.output.written(), lines.len());
            message(&format!(
                "interrupted: {written} of {all} lines are done. The same command goes on with the others"
            ));
            Ok(outcome)
        }
    }
}

/// What the lines that are left need: room for one of them, whichever it is, and tokens of each that may have to be run.
fn needs(items: &Items<'_>, model: &Model, lines: &[&str], written: usize) -> (Room, Vec<usize>) {
    let (mut room, mut work) = (Room::new(1), vec![0; lines.len()]);
    for (index, line) in lines.iter().enumerate().skip(written) {
        if let Ok(job) = items.job(index, line) {
            room.extend(model, &job);
            work[index] = job.prompt.len().saturating_add(job.options.max_tokens);
        }
    }
    (room, work)
}

/// What results depend on beside their lines: the model and the options of the command.
fn settings(args: &BatchArgs) -> String {
    let model = args.model.model.as_deref();
    let length = model.and_then(|path| path.metadata().ok()).map(|metadata| metadata.len());
    let run = (args.run.context, args.run.kv_type);
    #[cfg(feature = "chat")]
    let conversation = &args.conversation;
    #[cfg(not(feature = "chat"))]
    let conversation = ();
    format!("{:?}", (model.and_then(Path::file_name), length, &args.stop, &args.sample, run, conversation))
}

/// Refuses to write over the input.
fn check_paths(args: &BatchArgs) -> Result<(), CliError> {
    let real = |path: &Path| if path == Path::new("-") { None } else { path.canonicalize().ok() };
    match (real(&args.input), real(&args.output)) {
        (Some(input), Some(output)) if input == output && input.is_file() => Err(CliError::Usage(format!(
            "{}: found the same file as input and output. Try another output",
            args.output.display()
        ))),
        _ => Ok(()),
    }
}

/// All lines are written: the failure is that of some of them.
fn end(output: &Output) -> Result<Outcome, CliError> {
    match output.failed {
        0 => Ok(Outcome::Done),
        failed => Err(CliError::Failed(format!(
            "{failed} of {} lines failed; the output says why, in \"error\"",
            output.written()
        ))),
    }
}

/// Lines on their way.
struct Work<'a> {
    items: Items<'a>,
    settings: String,
    lines: &'a [&'a str],
    /// The next line to be started.
    next: usize,
    /// Tokens of each line that may have to be run.
    work: Vec<usize>,
    /// What is at work.
    jobs: HashMap<usize, Job>,
    output: Output,
}

impl Work<'_> {
    fn run(&mut self, batch: &mut Batch<'_>, cancelled: &AtomicBool) -> Result<Outcome, CliError> {
        let bar = progress::batch(self.work.iter().fold(0, |sum, n| sum.saturating_add(*n)));
        let mut ended = 0;
        loop {
            while batch.free() > 0 && self.next < self.lines.len() {
                self.start(batch)?;
            }
            while let Some(finished) = batch.take() {
                ended = self.work[finished.index].saturating_add(ended);
                self.finish(finished)?;
            }
            bar.set_position(ended.saturating_add(batch.tokens_at_work()) as u64);
            bar.set_message(format!("{} of {}", self.output.written(), self.lines.len()));
            if batch.is_idle() && self.next == self.lines.len() {
                bar.finish_and_clear();
                return Ok(Outcome::Done);
            }
            if cancelled.load(Ordering::Relaxed) {
                bar.finish_and_clear();
                return Ok(Outcome::Interrupted);
            }
            batch.step();
        }
    }

    /// Starts the next line, or writes what is wrong with it.
    fn start(&mut self, batch: &mut Batch<'_>) -> Result<(), CliError> {
        let index = self.next;
        self.next += 1;
        match self.items.job(index, self.lines[index]) {
            Ok(job) => {
                batch.start(index, &job);
                self.jobs.insert(index, job);
                Ok(())
            }
            Err(error) => self.write(index, output::Outcome::Failed { error: &error }),
        }
    }

    fn finish(&mut self, Finished { index, result }: Finished) -> Result<(), CliError> {
        let Some(job) = self.jobs.remove(&index) else { return Ok(()) };
        match result {
            Ok(done) => {
                let outcome = output::Outcome::Done {
                    text: &done.text,
                    prompt_tokens: &job.prompt,
                    tokens: &done.tokens,
                    stop: Stop::from(&done.reason),
                    seed: job.options.sampling.seed,
                };
                self.write(index, outcome)
            }
            Err(error) => self.write(index, output::Outcome::Failed { error: &error.to_string() }),
        }
    }

    fn write(&mut self, index: usize, result: output::Outcome<'_>) -> Result<(), CliError> {
        let line = self.lines[index];
        self.output.put(&Line { index, id: item::id(line), input: fingerprint(&self.settings, line), result })
    }
}

/// Times and memory for people, on stderr.
fn stats(batch: &Batch<'_>, footprint: &Footprint, count: usize) {
    let timing = batch.timing();
    message(&format!(
        "{count} side by side, prefill {} tokens {:.1} tokens/s, decode {} tokens {:.1} tokens/s",
        timing.prefill_tokens,
        report::rate(timing.prefill_tokens, timing.prefill),
        timing.decode_tokens,
        report::rate(timing.decode_tokens, timing.decode),
    ));
    message(&report::memory(footprint));
}
