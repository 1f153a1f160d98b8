//! Why a conversation cannot become a prompt.

use crate::gguf;
use std::io;

/// Why a conversation cannot become a prompt.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file has no template, which usually means that the model was not trained to converse.
    #[error(
        "the model's file has no chat template, so its conversation format is not known. Base models have none: they continue text. Try \
         --chat-template FILE with the Jinja template of the model's publisher"
    )]
    Missing,
    /// The file has templates, but none that is used unless asked for.
    #[error(
        "the model's file has no default chat template, but these: {names}. Try --chat-template with one of them"
    )]
    NoDefault {
        /// Names of those that it has, separated by commas.
        names: String,
    },
    /// The template is not one that can be run.
    #[error("chat template: {}{reason}", line.map(|n| format!("line {n}: ")).unwrap_or_default())]
    Invalid {
        /// The line, from 1, if known.
        line: Option<usize>,
        /// What is wrong there.
        reason: String,
    },
    /// The template itself calls `raise_exception`: the conversation breaks a rule of the model.
    #[error("the chat template refuses this conversation: {reason}")]
    Refused {
        /// In the template's words.
        reason: String,
    },
    /// The template wants more than any useful one.
    #[error(
        "chat template: more than {limit}. It may be damaged or hostile; try another with --chat-template FILE"
    )]
    Limit {
        /// What it exceeded.
        limit: Limit,
    },
    /// The system gives no thread to run the template on.
    #[error("chat template: no thread to run it on: {0}")]
    Thread(#[from] io::Error),
    /// The metadata entry is no text.
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
}

/// What bounds the run of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Limit {
    /// Work: instructions, and data made in units of 64 bytes.
    #[error("{0} steps")]
    Steps(u64),
    /// Macros, blocks and values inside of each other.
    #[error("{0} levels of nesting")]
    Depth(usize),
    /// Text written.
    #[error("{0} bytes of output")]
    Output(usize),
    /// The template's own text.
    #[error("{0} bytes of source")]
    Source(usize),
}
