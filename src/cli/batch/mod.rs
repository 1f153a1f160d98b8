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
use siskin::gguf::Gguf;
use siskin::memory::Footprint;
use siskin::model::Model;
use siskin::session::Options;
use siskin::tokenizer::Tokenizer;
use siskin::topology::Topology;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
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
    let (path, written, all) = (args.output.display(), output.written(), lines.len());
    if written > 0 {
        message(&format!("{path}: {written} of {all} lines are done"));
    }
    if written == all {
        return end(&output);
    }
    rest(args, &guard, &cancelled, Lines { all: &lines, settings, output })
}

/// The lines of the input, and what was written of them.
struct Lines<'a> {
    all: &'a [&'a str],
    settings: String,
    output: Output,
}

/// Loads the model, and runs the lines that are left.
fn rest(
    args: &BatchArgs,
    guard: &Guard,
    cancelled: &Arc<AtomicBool>,
    lines: Lines<'_>,
) -> Result<Outcome, CliError> {
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads)?;
    let cpu = setup::cpu(&topology, threads)?;
    let file = guard.open(&args.model, threads)?;
    let (model, tokenizer) = setup::load(&file, threads, cancelled, Some(guard))?;
    let items = items(args, threads, (&file, &tokenizer))?;
    let (room, tokens) = needs(&items, &model, &lines);
    let room = room.with_kv_type(setup::kv_type(&model, args.run.kv_type)?);
    let parts = (&file, &model, tokenizer.size());
    let parallel = (args.parallel.map(|n| n as usize), PARALLEL);
    let (room, footprint) = guard.check_batch(parts, cpu.team.threads(), parallel, &room)?;
    let mut batch = Batch::new(&model, &tokenizer, cpu, &room).map_err(CliError::from)?;
    batch.limit_threads(threads.prefill, threads.decode);
    let next = lines.output.written();
    let mut work = Work { items, lines, next, tokens, waiting: None, jobs: HashMap::new() };
    let outcome = work.run(&mut batch, cancelled)?;
    if args.stats {
        stats(&batch, &footprint, &room);
    }
    work.end(outcome)
}

/// What makes jobs of lines.
fn items<'a>(
    args: &'a BatchArgs,
    threads: Threads,
    (file, tokenizer): (&'a Gguf, &'a Tokenizer),
) -> Result<Items<'a>, CliError> {
    let flags = (&args.stop, &args.sample, &args.run);
    // a line that was cut off is no result: Ctrl-C is looked for between passes
    let defaults =
        Options { cancelled: None, ..options::session(flags, MAX_TOKENS, threads, Arc::default()) };
    #[cfg(not(feature = "chat"))]
    let _ = file;
    Ok(Items {
        tokenizer,
        defaults: options::with_breakers(defaults, &args.sample, tokenizer)?,
        #[cfg(feature = "chat")]
        file,
        #[cfg(feature = "chat")]
        conversation: &args.conversation,
        #[cfg(feature = "chat")]
        template: std::cell::OnceCell::new(),
    })
}

/// What the lines that are left need: room for one of them, whichever it is, and tokens of each that may have to be run.
fn needs(items: &Items<'_>, model: &Model, lines: &Lines<'_>) -> (Room, Vec<usize>) {
    let (mut room, mut tokens) = (Room::new(1), vec![0; lines.all.len()]);
    for (index, line) in lines.all.iter().enumerate().skip(lines.output.written()) {
        if let Ok(job) = items.job(index, line) {
            room.extend(model, &job);
            tokens[index] = job.prompt.len().saturating_add(job.options.max_tokens);
        }
    }
    (room, tokens)
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
    lines: Lines<'a>,
    /// The next line that is to become a job.
    next: usize,
    /// Tokens of each line that may have to be run.
    tokens: Vec<usize>,
    /// A job that there was no room for yet.
    waiting: Option<(usize, Job)>,
    /// What is at work.
    jobs: HashMap<usize, Job>,
}

impl Work<'_> {
    fn run(&mut self, batch: &mut Batch<'_>, cancelled: &AtomicBool) -> Result<Outcome, CliError> {
        let all = self.lines.all.len();
        let bar = progress::batch(self.tokens.iter().fold(0, |sum, n| sum.saturating_add(*n)));
        let mut ended = 0;
        loop {
            self.start(batch)?;
            while let Some(finished) = batch.take() {
                ended = self.tokens[finished.index].saturating_add(ended);
                self.finish(finished)?;
            }
            bar.set_position(ended.saturating_add(batch.tokens_at_work()) as u64);
            bar.set_message(format!("{} of {all}", self.lines.output.written()));
            if batch.is_idle() && self.waiting.is_none() && self.next == all {
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

    /// Starts lines, in their order, as long as there is room for the next.
    fn start(&mut self, batch: &mut Batch<'_>) -> Result<(), CliError> {
        while let Some((index, job)) = self.next_job()? {
            if !batch.start(index, &job) {
                self.waiting = Some((index, job));
                break;
            }
            self.jobs.insert(index, job);
        }
        Ok(())
    }

    /// The job whose turn it is; what is wrong with lines before it is written.
    fn next_job(&mut self) -> Result<Option<(usize, Job)>, CliError> {
        if self.waiting.is_some() {
            return Ok(self.waiting.take());
        }
        while let Some(line) = self.lines.all.get(self.next) {
            let index = self.next;
            self.next += 1;
            match self.items.job(index, line) {
                Ok(job) => return Ok(Some((index, job))),
                Err(error) => self.write(index, output::Outcome::Failed { error: &error })?,
            }
        }
        Ok(None)
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
        let Lines { all, settings, output } = &mut self.lines;
        let line = all[index];
        output.put(&Line { index, id: item::id(line), input: fingerprint(settings, line), result })
    }

    /// What the command ends with.
    fn end(&self, outcome: Outcome) -> Result<Outcome, CliError> {
        let Lines { all, output, .. } = &self.lines;
        if let Outcome::Done = outcome {
            return end(output);
        }
        let (written, all) = (output.written(), all.len());
        message(&format!(
            "interrupted: {written} of {all} lines are done. The same command goes on with the others"
        ));
        Ok(outcome)
    }
}

/// Times and memory for people, on stderr.
fn stats(batch: &Batch<'_>, footprint: &Footprint, room: &Room) {
    let (count, positions) = (room.sequences(), room.shared());
    let timing = batch.timing();
    message(&format!(
        "{count} side by side in {positions} positions, prefill {} tokens {:.1} tokens/s, decode {} tokens {:.1} tokens/s",
        timing.prefill_tokens,
        report::rate(timing.prefill_tokens, timing.prefill),
        timing.decode_tokens,
        report::rate(timing.decode_tokens, timing.decode),
    ));
    message(&report::memory(footprint));
}
