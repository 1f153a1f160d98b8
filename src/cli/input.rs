//! Where a prompt or a text comes from: the command line, a file, or stdin.

use super::CliError;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a text, at most: many times what any context holds. An endless file, such as /dev/zero, ends here and not when memory does.
const MAX_BYTES: u64 = 256 << 20;

/// The text given directly or in a file; `None` when neither was.
pub fn text(direct: Option<&str>, file: Option<&Path>) -> Result<Option<String>, CliError> {
    match (direct, file) {
        (Some(text), _) => Ok(Some(text.to_owned())),
        (None, Some(file)) => read(file).map(Some),
        (None, None) => Ok(None),
    }
}

/// Reads a text file, or stdin for `-`, whole.
pub fn read(file: &Path) -> Result<String, CliError> {
    let name = if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() };
    let bytes = if file == Path::new("-") { stdin() } else { File::open(file).and_then(limited) };
    let bytes = bytes.map_err(|error| {
        CliError::Failed(format!("{name}: cannot read it: {error}{}", hint(error.kind())))
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        CliError::Failed(format!(
            "{name}: not UTF-8 text: invalid byte at offset {at}. Try converting it with iconv"
        ))
    })
}

/// What to try when a file cannot be read.
fn hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => ". Try the path of a file that is there, or - for stdin",
        io::ErrorKind::IsADirectory => ". Try a file in it",
        io::ErrorKind::PermissionDenied => ". Try a file that you may read (ls -l)",
        _ => "",
    }
}

/// All of stdin.
pub fn stdin() -> io::Result<Vec<u8>> {
    limited(io::stdin().lock())
}

/// All that can be read, up to the limit.
fn limited(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        let text = format!("found more than {} MiB. Try a part of it", MAX_BYTES >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
    }
    Ok(bytes)
}
