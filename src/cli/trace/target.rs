//! Where the page of a trace goes: a file, or stdout for `-`, as in `siskin batch`.

use crate::cli::output::{Answer, message};
use crate::cli::trace_args::ShowArgs;
use crate::cli::{CliError, report};
use std::fs::File;
use std::io::{Error, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// A place for the page, which can be written to.
#[derive(Debug)]
pub enum Target {
    /// A file, by name.
    File(PathBuf, File),
    /// Standard output.
    Stdout,
}

/// Whether a path stands for standard output.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// Refuses two things for one standard output.
pub fn check(args: &ShowArgs) -> Result<(), CliError> {
    let is_page = args.html.as_deref().is_some_and(is_stdout);
    let other = [("--jsonl", args.jsonl), ("--csv", args.csv)].into_iter().find(|(_, is_there)| *is_there);
    match other.filter(|_| is_page) {
        None => Ok(()),
        Some((flag, _)) => Err(CliError::Usage(format!(
            "found --html - and {flag}, expected one of them, because both write to standard output. Try --html with the name of a file"
        ))),
    }
}

impl Target {
    /// Opens it. What is in a file already stays until there is something to write.
    pub fn open(path: &Path) -> Result<Target, CliError> {
        if is_stdout(path) {
            return Ok(Target::Stdout);
        }
        let file = File::options().write(true).create(true).truncate(false).open(path);
        file.map(|file| Target::File(path.to_owned(), file)).map_err(|error| failure(path, &error))
    }

    /// Writes the page, and tells which file it is in.
    pub fn put(self, page: &str, answer: &mut Answer) -> Result<(), CliError> {
        let Target::File(path, mut file) = self else { return answer.print(page) };
        // a pipe or a device has no length, and a file that cannot be written says so next
        let _ = file.set_len(0);
        file.write_all(page.as_bytes()).map_err(|error| failure(&path, &error))?;
        let size = report::bytes(page.len() as u64);
        message(&format!("wrote {}, {size}: open it in a browser", path.display()));
        Ok(())
    }
}

/// What went wrong with a file, and what may help.
fn failure(path: &Path, error: &Error) -> CliError {
    CliError::Failed(format!("{}: cannot write the page: {}", path.display(), reason(path, error)))
}

fn reason(path: &Path, error: &Error) -> String {
    match (error.kind(), missing(path)) {
        (ErrorKind::NotFound, Some(dir)) => {
            format!("the directory {} does not exist. Create it, or try another", dir.display())
        }
        (ErrorKind::IsADirectory, _) => {
            format!("found a directory, expected a file. Try {}", path.join("trace.html").display())
        }
        (ErrorKind::NotADirectory, _) => {
            "found a file where the path has a directory. Try another path".into()
        }
        (ErrorKind::PermissionDenied, _) => format!("{error}. Try a file that you may write to"),
        _ => format!("{error}. Try another file"),
    }
}

/// The directory of a path, if it does not exist.
fn missing(path: &Path) -> Option<&Path> {
    path.parent().filter(|dir| !dir.as_os_str().is_empty() && !dir.exists())
}
