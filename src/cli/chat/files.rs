//! Conversations as JSON files: an array of messages, as chat programs exchange them.

use super::super::{CliError, input};
use serde::Deserialize;
use siskin::chat::Message;
use std::fs;
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

/// Writes a conversation.
pub fn save(path: &Path, messages: &[Message]) -> Result<(), CliError> {
    let failed = |error: &dyn std::fmt::Display| {
        CliError::Failed(format!("{}: cannot write it: {error}", path.display()))
    };
    let json = serde_json::to_string_pretty(messages).map_err(|error| failed(&error))?;
    fs::write(path, json + "\n").map_err(|error| failed(&error))
}

/// Reads a conversation.
pub fn load(path: &Path) -> Result<Vec<Message>, CliError> {
    match serde_json::from_str(&input::read(path)?) {
        Ok(Saved::Messages(messages) | Saved::Object { messages }) => Ok(messages),
        Err(error) => Err(CliError::Failed(format!("{}: not a conversation: {error}", path.display()))),
    }
}
