//! Conversations as JSON files: an array of messages, as chat programs exchange them.

use super::super::{CliError, input};
use serde::Deserialize;
use siskin::chat::Message;
use siskin::session::replace;
use std::fs::{self, File};
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};

/// What a file may hold.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "expected an array of messages, or an object with one as 'messages'; a message has a text 'role'"
)]
enum Saved {
    Messages(Vec<Message>),
    Object { messages: Vec<Message> },
}

/// Where the prompt cache of a conversation is: beside it.
pub fn cache(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".cache");
    name.into()
}

/// Refuses a file that is there and holds something else than a conversation.
pub fn check(path: &Path) -> Result<(), CliError> {
    let holds_something = fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() > 0);
    let parsed = |file| serde_json::from_reader::<_, Saved>(BufReader::new(file));
    let is_other = holds_something && File::open(path).is_ok_and(|file| parsed(file).is_err());
    if is_other {
        let text = "found a file that is no conversation and stays as it is. Try another name";
        return Err(CliError::Failed(format!("{}: {text}", path.display())));
    }
    Ok(())
}

/// Writes a conversation, if there is nothing else under this name. What was saved there before stays until the new one is whole.
pub fn save(path: &Path, messages: &[Message]) -> Result<(), CliError> {
    check(path)?;
    let failed = |error: &dyn std::fmt::Display| {
        CliError::Failed(format!("{}: cannot write it: {error}", path.display()))
    };
    let json = serde_json::to_string_pretty(messages).map_err(|error| failed(&error))?;
    let write = |mut file: &File| file.write_all(json.as_bytes()).and_then(|()| file.write_all(b"\n"));
    let is_stream = fs::metadata(path).is_ok_and(|found| !found.is_file());
    let written =
        if is_stream { File::create(path).and_then(|file| write(&file)) } else { replace(path, write) };
    written.map_err(|error| failed(&error))
}

/// Reads a conversation.
pub fn load(path: &Path) -> Result<Vec<Message>, CliError> {
    match serde_json::from_str(&input::read(path)?) {
        Ok(Saved::Messages(messages) | Saved::Object { messages }) => Ok(messages),
        Err(error) => Err(CliError::Failed(format!("{}: not a conversation: {error}", path.display()))),
    }
}
