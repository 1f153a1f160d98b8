//! Where text goes: the answer to stdout, everything else to stderr.

use super::{CliError, json};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// Stdout for an answer. A reader that went away is [`CliError::ClosedPipe`], which ends the program without complaint.
pub struct Answer {
    out: io::StdoutLock<'static>,
}

impl Answer {
    /// Takes stdout for the rest of the command.
    pub fn new() -> Answer {
        Answer { out: io::stdout().lock() }
    }

    /// Prints text, at once.
    pub fn print(&mut self, text: &str) -> Result<(), CliError> {
        self.bytes(text.as_bytes())
    }

    /// Prints text and a line end.
    pub fn line(&mut self, text: &str) -> Result<(), CliError> {
        self.print(text)?;
        self.print("\n")
    }

    /// Prints an object as JSON, in a line.
    pub fn json(&mut self, object: &impl Serialize) -> Result<(), CliError> {
        self.line(&json::text(object)?)
    }

    /// Writes bytes as they are, at once.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.out.write_all(bytes).and_then(|()| self.out.flush()).map_err(|error| stdout_failed(&error))
    }
}

/// What it means that stdout cannot be written to.
pub fn stdout_failed(error: &io::Error) -> CliError {
    match error.kind() {
        io::ErrorKind::BrokenPipe => CliError::ClosedPipe,
        _ => CliError::Failed(format!("stdout: {error}")),
    }
}

/// Refuses `-` where only a file can be written to.
pub fn file(flag: &str, path: &Path) -> Result<(), CliError> {
    if path == Path::new("-") {
        let text = format!(
            "{flag}: found -, expected the name of a file: this is not written to stdout. Try ./- if that is its name"
        );
        return Err(CliError::Usage(text));
    }
    Ok(())
}

/// Prints a line to stderr; if stderr is closed there is nobody to tell.
pub fn message(text: &str) {
    let _ = writeln!(io::stderr(), "siskin: {text}");
}

struct Stderr;

impl log::Log for Stderr {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            message(&format!("{}: {}", record.level().as_str().to_lowercase(), record.args()));
        }
    }

    fn flush(&self) {}
}

/// Sends the library's warnings to stderr.
pub fn log_to_stderr() {
    static LOGGER: Stderr = Stderr;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(log::LevelFilter::Warn);
    }
}
