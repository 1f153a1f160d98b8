//! `siskin generate`: continues a prompt.

use super::args::Generate;
use super::ask::Asked;
use super::json::{Generation, Memory, OneOf, Stop, Times};
use super::npy::NpyWriter;
use super::output::{self, Answer, message};
use super::{CliError, Outcome, progress, report, search, setup};
use siskin::memory::Footprint;
use siskin::session::{CacheError, LogitSink, Session};
use siskin::stop::Reason;
use std::path::Path;
use std::time::{Duration, Instant};

/// Runs the command.
pub fn run(args: &Generate) -> Result<Outcome, CliError> {
    let start = Instant::now();
    if let Some(path) = &args.output.logits {
        output::file("--logits", path)?;
    }
    let asked = Asked::new(&args.ask)?;
    let cpu = setup::cpu(&asked.topology, asked.threads)?;
    let footprint = asked.check()?;
    let Asked { model, tokenizer, options, prompt, text, .. } = &asked;
    let session = Session::new(model, tokenizer, cpu, prompt, options)?;
    let load = start.elapsed();
    let echo = args.output.echo.then(|| text.clone());
    Run { args, prompt, seed: options.sampling.seed, footprint, load, echo }
        .run(session, model.weights().vocabulary())
}

/// What was generated.
struct Ended<'a> {
    text: &'a str,
    tokens: &'a [u32],
    continuations: Vec<OneOf<'a>>,
}

/// A run whose session stands ready.
struct Run<'a> {
    args: &'a Generate,
    prompt: &'a [u32],
    seed: u64,
    footprint: Footprint,
    load: Duration,
    echo: Option<String>,
}

impl Run<'_> {
    fn run(&self, mut session: Session<'_>, vocabulary: usize) -> Result<Outcome, CliError> {
        let mut answer = Answer::new();
        if self.args.ask.search.beams.is_some() || self.args.ask.search.best_of.is_some() {
            return self.search(&mut session, &mut answer);
        }
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
        if !self.args.output.json {
            answer.print("\n")?;
        }
        let ended = Ended { text: &text, tokens: &tokens, continuations: Vec::new() };
        if let Some(reason) = session.ended() {
            self.report(&session, reason, ended, &mut answer)?;
        }
        Ok(Outcome::of(matches!(session.ended(), Some(Reason::Cancelled))))
    }

    fn prefill(&self, session: &mut Session<'_>, npy: Option<&mut NpyWriter>) -> Result<(), CliError> {
        self.begin(session);
        let mut row = npy.map(|npy| |logits: &[f32]| npy.row(logits));
        progress::prefill(session, self.prompt, row.as_mut().map(|row| row as &mut LogitSink<'_>))?;
        self.keep(session);
        Ok(())
    }

    /// Takes what the cache has of the prompt. A cache that is of no use is told about, and no failure.
    fn begin(&self, session: &mut Session<'_>) {
        if let Some(path) = &self.args.cache
            && let Err(error) = session.restore(path, self.prompt)
        {
            message(&error.to_string());
        }
    }

    /// Keeps the prompt for the next time, unless all of it came from there, or something else is there, which [`Run::begin`] has told. A disk that is full is told about, and no failure.
    fn keep(&self, session: &Session<'_>) {
        let Some(path) = &self.args.cache else { return };
        let is_new = session.timing().kept_tokens < self.prompt.len();
        if is_new
            && session.tokens() == self.prompt
            && let Err(error) = session.save(path)
            && !matches!(error, CacheError::Foreign { .. } | CacheError::NotAFile { .. })
        {
            message(&format!("warning: {error}"));
        }
    }

    /// Generates until something stops it; prints as text comes, unless it is all to be in the JSON object: only then text and tokens are kept.
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
            if self.args.output.json {
                tokens.extend(step.choice.map(|choice| choice.token));
                text.push_str(step.text);
            } else if !step.text.is_empty() {
                answer.print(step.text)?;
            }
            if step.stop.is_some() {
                return Ok((text, tokens));
            }
        }
    }

    /// Prints several continuations, the best first.
    fn search(&self, session: &mut Session<'_>, answer: &mut Answer) -> Result<Outcome, CliError> {
        self.prefill(session, None)?;
        let found = search::run(&self.args.ask.search, false, session)?.continuations;
        let Some(best) = found.first() else {
            return Err(CliError::Failed("no continuation has ended. Try more beams or more tokens".into()));
        };
        let echo = self.echo.as_deref().unwrap_or_default();
        for (i, continuation) in found.iter().enumerate().filter(|_| !self.args.output.json) {
            let between = if i > 0 { "---\n" } else { "" };
            answer.line(&format!("{between}{echo}{}", continuation.text))?;
        }
        let continuations = found.iter().map(search::one_of).collect();
        let ended = Ended { text: &best.text, tokens: &best.tokens, continuations };
        self.report(session, &best.reason, ended, answer)?;
        Ok(Outcome::of(found.iter().any(|continuation| continuation.reason == Reason::Cancelled)))
    }

    fn report(
        &self,
        session: &Session<'_>,
        reason: &Reason,
        Ended { text, tokens, continuations }: Ended<'_>,
        answer: &mut Answer,
    ) -> Result<(), CliError> {
        let (timing, usage, cpu) = (session.timing(), report::usage(), session.cpu());
        if self.args.output.stats {
            continuations.iter().enumerate().for_each(|(i, of)| message(&search::summary(i, of)));
            self.stats(session, reason);
        }
        if self.args.output.json {
            answer.json(&Generation {
                text,
                prompt_tokens: self.prompt,
                tokens,
                stop: Stop::from(reason),
                continuations,
                timing: Times::new(self.load, timing),
                memory: Memory::new(&self.footprint.with_mapped(session.mapped_bytes()), usage),
                seed: self.seed,
                isa: cpu.kernels.isa().name(),
                threads: session.decode_threads(),
                prefill_threads: session.prefill_threads(),
            })?;
        }
        Ok(())
    }

    /// Times and memory for people, on stderr.
    fn stats(&self, session: &Session<'_>, reason: &Reason) {
        let timing = session.timing();
        message(&format!("stopped: {} ({})", reason.name(), reason.detail()));
        message(&format!(
            "load {:.1} ms, kept {} tokens, prefill {} tokens {:.1} tokens/s, decode {} tokens {:.1} tokens/s",
            self.load.as_secs_f64() * 1e3,
            timing.kept_tokens,
            timing.prefill_tokens,
            report::rate(timing.prefill_tokens, timing.prefill),
            timing.decode_tokens,
            report::rate(timing.decode_tokens, timing.decode),
        ));
        message(&report::memory(&self.footprint.with_mapped(session.mapped_bytes())));
        message(&report::paging(&self.footprint, timing.prefill_tokens + timing.decode_tokens));
        message(&format!(
            "seed {}, kernels {}, threads {} (prefill {})",
            self.seed,
            session.cpu().kernels.isa(),
            session.decode_threads(),
            session.prefill_threads()
        ));
    }
}

fn create_npy(path: &Path, cols: usize) -> Result<NpyWriter, CliError> {
    NpyWriter::create(path, cols).map_err(|error| npy_error(path, &error))
}

fn npy_error(path: &Path, error: &std::io::Error) -> CliError {
    CliError::Failed(format!("{}: cannot write the logits: {error}", path.display()))
}
