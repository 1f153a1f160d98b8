//! Where lines come from: a person at a terminal, with editing and history, or a pipe.

use super::super::{CliError, folders};
use rustyline::config::Config;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::PathBuf;

type Editor = rustyline::Editor<(), FileHistory>;

/// What the terminal shows before a line.
const PROMPT: &str = "> ";

/// Bytes of a line from a pipe, at most: more than any context holds.
const MAX_LINE: u64 = 64 << 20;

/// What was read.
pub enum Line {
    Text(String),
    /// Ctrl-C while a line was typed.
    Interrupted,
    /// Ctrl-D, or the end of the pipe.
    End,
}

/// A source of lines.
pub enum Lines {
    Terminal { editor: Box<Editor>, history: Option<PathBuf> },
    Pipe,
}

impl Lines {
    /// Lines from stdin; at a terminal those of earlier times are remembered, if wished for.
    pub fn new(remember: bool) -> Result<Lines, CliError> {
        if !io::stdin().is_terminal() {
            return Ok(Lines::Pipe);
        }
        let config = Config::builder().auto_add_history(true).build();
        let mut editor = Editor::with_config(config).map_err(|error| failed(&error))?;
        let history = if remember { history_file() } else { None };
        if let Some(file) = history.as_ref().filter(|file| file.exists())
            && let Err(error) = editor.load_history(file)
        {
            log::warn!("{}: history cannot be read: {error}", file.display());
        }
        Ok(Lines::Terminal { editor: Box::new(editor), history })
    }

    /// Whether a person types.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Lines::Terminal { .. })
    }

    /// Waits for a line.
    pub fn next(&mut self) -> Result<Line, CliError> {
        let Lines::Terminal { editor, history } = self else { return piped() };
        match editor.readline(PROMPT) {
            Ok(text) => {
                remember(editor, history);
                Ok(Line::Text(text))
            }
            Err(ReadlineError::Interrupted) => Ok(Line::Interrupted),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(error) => Err(failed(&error)),
        }
    }
}

/// Appends the last line to the history file; a failure is told once.
fn remember(editor: &mut Editor, history: &mut Option<PathBuf>) {
    if let Some(file) = history.as_ref()
        && let Err(error) = editor.append_history(file)
    {
        log::warn!("{}: history cannot be written: {error}. Try --no-history", file.display());
        *history = None;
    }
}

fn piped() -> Result<Line, CliError> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MAX_LINE).read_until(b'\n', &mut bytes).map_err(|error| failed(&error))?;
    if bytes.is_empty() {
        return Ok(Line::End);
    }
    if bytes.len() as u64 == MAX_LINE && !bytes.ends_with(b"\n") {
        return Err(failed(&format!("it is longer than {} MiB. Try a part of it", MAX_LINE >> 20)));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        failed(&format!(
            "it is not UTF-8 text: invalid byte at offset {at} of the line. Try converting it with iconv"
        ))
    })?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Line::Text(line.strip_suffix('\r').unwrap_or(line).to_owned()))
}

/// The file of earlier lines, in a folder made for it: below `XDG_STATE_HOME`, else `~/.local/state`. `None` where there is neither.
fn history_file() -> Option<PathBuf> {
    let folder = folders::of_user("XDG_STATE_HOME", ".local/state")?.join("siskin");
    match fs::create_dir_all(&folder) {
        Ok(()) => Some(folder.join("chat_history")),
        Err(error) => {
            log::warn!("{}: history will not be kept: {error}", folder.display());
            None
        }
    }
}

fn failed(error: &dyn std::fmt::Display) -> CliError {
    CliError::Failed(format!("stdin: cannot read a line: {error}"))
}
