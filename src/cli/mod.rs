//! The commands: `args` defines the flags, one file a command acts on them, and this file turns errors into messages and exit codes.

mod args;
mod ask;
mod ask_args;
mod batch;
mod batch_args;
mod bench;
mod bench_args;
#[cfg(feature = "chat")]
mod chat;
#[cfg(feature = "chat")]
mod chat_args;
mod config;
#[cfg(feature = "chat")]
mod conversation;
#[cfg(feature = "builtin")]
mod doctor;
mod folders;
#[cfg(feature = "grammar")]
mod form;
mod generate;
#[cfg(feature = "grammar")]
mod grammar_args;
mod guard;
mod help;
mod ids_args;
mod input;
mod inspect;
mod json;
mod machine;
mod mistake;
mod npy;
mod options;
mod output;
mod perplexity;
mod perplexity_args;
mod plan;
mod plan_args;
mod progress;
#[cfg(feature = "download")]
mod pull;
#[cfg(feature = "quantize")]
mod quantize;
#[cfg(feature = "quantize")]
mod quantize_args;
mod report;
mod run_args;
mod sample_args;
mod score;
mod score_args;
mod search;
mod search_args;
mod setup;
mod signals;
mod stop_args;
#[cfg(feature = "chat")]
mod template_watch;
mod tokenize;
mod trace;
mod trace_args;
mod window_args;

use args::{Cli, Command};
use siskin::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// How a command ended when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Interrupted,
}

impl Outcome {
    /// How a command ended that may have been interrupted.
    fn of(interrupted: bool) -> Outcome {
        if interrupted { Outcome::Interrupted } else { Outcome::Done }
    }
}

/// Bytes in which the command line is parsed and settings are read.
const START_BYTES: usize = 1 << 20;

/// A command's failure.
#[derive(Debug, thiserror::Error)]
enum CliError {
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// Something outside failed: a file, a stream.
    #[error("{0}")]
    Failed(String),
    /// No more fits.
    #[cfg(feature = "chat")]
    #[error(
        "the conversation has {tokens} tokens, which leaves no room for an answer in a context of {context}. {hint}"
    )]
    ConversationTooLong { tokens: usize, context: usize, hint: &'static str },
    /// More memory is needed than there is.
    #[error("{0}")]
    DoesNotFit(String),
    /// A model that this machine cannot run, with the exit code.
    #[cfg(feature = "download")]
    #[error("{text}")]
    Refused { code: u8, text: String },
    /// Whoever reads our output went away: no failure.
    #[error("output closed")]
    ClosedPipe,
    /// The library's.
    #[error(transparent)]
    Siskin(#[from] siskin::Error),
    /// The library's, about a file that its message does not name.
    #[error("{}: {error}", path.display())]
    InFile { path: PathBuf, error: Box<siskin::Error> },
}

impl CliError {
    /// An error of the library about a file that its message does not name.
    fn in_file(path: &Path, error: impl Into<siskin::Error>) -> CliError {
        CliError::InFile { path: path.to_owned(), error: Box::new(error.into()) }
    }

    fn exit_code(&self) -> u8 {
        match self {
            CliError::ClosedPipe => 0,
            CliError::Failed(_) => 1,
            CliError::Usage(_) => 2,
            CliError::DoesNotFit(_) => 4,
            #[cfg(feature = "chat")]
            CliError::ConversationTooLong { .. } => 4,
            #[cfg(feature = "download")]
            CliError::Refused { code, .. } => *code,
            CliError::Siskin(error) => exit_code(error.kind()),
            CliError::InFile { error, .. } => exit_code(error.kind()),
        }
    }
}

/// The exit code of one of the library's errors.
fn exit_code(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Usage => 2,
        ErrorKind::BadModel => 3,
        ErrorKind::DoesNotFit => 4,
        _ => 1,
    }
}

/// Errors of the library's rooms, on their way to the user.
macro_rules! from_room {
    ($($room:ident),*) => { $(
        impl From<siskin::$room::Error> for CliError {
            fn from(error: siskin::$room::Error) -> Self {
                CliError::Siskin(error.into())
            }
        }
    )* };
}
from_room!(gguf, score, session);
#[cfg(feature = "quantize")]
from_room!(quantize);
#[cfg(feature = "chat")]
from_room!(chat);
#[cfg(feature = "download")]
from_room!(download);

/// Parses the command line, runs the command, and reports how it went.
pub fn main() -> ExitCode {
    output::log_to_stderr();
    signals::tame();
    match room_to_start().and_then(|()| config::command_line()).and_then(run) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Interrupted) => ExitCode::from(signals::exit_code()),
        Err(error) => {
            if !matches!(error, CliError::ClosedPipe) {
                output::message(&format!("error: {error}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

/// Whether there is memory for the command line and what comes before a command knows what it needs.
fn room_to_start() -> Result<(), CliError> {
    let refused = |bytes: usize| {
        let needed = siskin::memory::Size(bytes as u64);
        CliError::DoesNotFit(format!(
            "the system refuses {needed} of memory to start in. Try a higher limit (ulimit -v)"
        ))
    };
    siskin::machine::require(START_BYTES).map_err(refused)
}

/// Runs the command that was asked for.
fn run(cli: Cli) -> Result<Outcome, CliError> {
    match &cli.command {
        Command::Generate(args) => generate::run(args),
        #[cfg(feature = "chat")]
        Command::Chat(args) => chat::run(args),
        Command::Trace(args) => trace::run(args),
        Command::Batch(args) => batch::run(args),
        Command::Tokenize(args) => tokenize::run(args),
        Command::Inspect(args) => inspect::run(args),
        Command::Plan(args) => plan::run(args),
        Command::Bench(args) => bench::run(args),
        Command::Perplexity(args) => perplexity::run(args),
        Command::Score(args) => score::run(args),
        #[cfg(feature = "quantize")]
        Command::Quantize(args) => quantize::run(args),
        #[cfg(feature = "download")]
        Command::Pull(args) => pull::run(args),
        #[cfg(feature = "builtin")]
        Command::Doctor(args) => doctor::run(args),
        Command::Config(args) => config::run(&cli, args),
    }
}
