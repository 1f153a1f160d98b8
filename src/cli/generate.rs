//! `siskin generate`: continues a prompt.

use super::args::Generate;
use super::json::{Generation, Memory, Stop, Times};
use super::npy::NpyWriter;
use super::output::{Answer, message};
use super::setup::Threads;
use super::signals::Signals;
use super::{CliError, Outcome, input, options, progress, report, setup};
use siskin::gguf::Gguf;
use siskin::session::{LogitSink, Session};
use siskin::stop::Reason;
use siskin::tokenizer::{Encode, TokenId, Tokenizer};
use siskin::topology::Topology;
use std::path::Path;
use std::time::{Duration, Instant};

/// Tokens that are generated when the user does not say how many.
const MAX_TOKENS: usize = 256;

/// Runs the command.
pub fn run(args: &Generate) -> Result<Outcome, CliError> {
    let start = Instant::now();
    let cancelled = Signals::new().cancelled();
    let text = input::text(args.prompt.as_deref(), args.source.file.as_deref())?;
    if text.is_none() && args.source.tokens.is_none() {
        return Err(CliError::Usage("no prompt given. Try a text, -f FILE, or -f - for stdin".into()));
    }
    #[cfg(feature = "chat")]
    if !args.chat && (args.conversation.system.is_some() || args.conversation.chat_template.is_some()) {
        return Err(CliError::Usage(
            "--system and --chat-template are for conversations. Try with --chat".into(),
        ));
    }
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads);
    let flags = (&args.stop, &args.sample, &args.run);
    let options = options::session(flags, MAX_TOKENS, threads, cancelled.clone());
    let cpu = setup::cpu(&topology, threads)?;
    let file = setup::open(&args.model)?;
    let (model, tokenizer) = setup::load(&file, threads, &cancelled)?;
    let (prompt, text) = prompt(args, &file, &tokenizer, text)?;
    let session = Session::new(&model, &tokenizer, cpu, &prompt, &options)?;
    let load = start.elapsed();
    let echo = args.output.echo.then_some(text);
    Run { args, prompt: &prompt, seed: options.sampling.seed, file: &file, load, echo }
        .run(session, model.weights().vocabulary())
}

/// The prompt's ids and its text.
#[cfg_attr(not(feature = "chat"), allow(unused_variables))]
fn prompt(
    args: &Generate,
    file: &Gguf,
    tokenizer: &Tokenizer,
    text: Option<String>,
) -> Result<(Vec<TokenId>, String), CliError> {
    if let Some(ids) = &args.source.tokens {
        return Ok((ids.clone(), String::from_utf8_lossy(&tokenizer.decode(ids)).into_owned()));
    }
    let text = text.unwrap_or_default();
    #[cfg(feature = "chat")]
    if args.chat {
        let rendered = super::conversation::rendered(file, &args.conversation, tokenizer, &text)?;
        return Ok((siskin::chat::encode(tokenizer, &rendered), rendered));
    }
    let encode = Encode { add_special: true, parse_special: args.source.special };
    Ok((tokenizer.encode(&text, encode), text))
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
        let bar = progress::prefill(self.prompt.len());
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
        let (timing, plan) = (session.timing(), session.plan());
        message(&format!("stopped: {} ({})", reason.name(), reason.detail()));
        message(&format!(
            "load {:.1} ms, prefill {} tokens {:.1} tokens/s, decode {} tokens {:.1} tokens/s",
            self.load.as_secs_f64() * 1e3,
            timing.prefill_tokens,
            report::rate(timing.prefill_tokens, timing.prefill),
            timing.decode_tokens,
            report::rate(timing.decode_tokens, timing.decode),
        ));
        message(&report::memory(self.file.file_bytes(), plan));
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
