//! The library's error: what each room reports, and what kind of failure that is.

use crate::{gguf, model, sample, session, stop, tokenizer};

/// Anything that can go wrong between opening a file and the last token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file cannot be read or is damaged.
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
    /// The file is sound, but no model that can be run.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// The file's tokenizer cannot be used.
    #[error(transparent)]
    Tokenizer(#[from] tokenizer::Error),
    /// Sampling options that make no sense, or logits that do not.
    #[error(transparent)]
    Sample(#[from] sample::Error),
    /// Stop conditions that make no sense.
    #[error(transparent)]
    Stop(#[from] stop::Error),
    /// The prompt does not fit the model, or the run does not fit the machine.
    #[error(transparent)]
    Session(#[from] session::Error),
}

/// Kinds of failure that a caller may treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The operation failed: a file that cannot be read, a number that is not one.
    Failed,
    /// What was asked for makes no sense.
    Usage,
    /// The model file is damaged, or of a kind that cannot be run.
    BadModel,
    /// It needs more memory or context than there is.
    DoesNotFit,
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> Kind {
        match self {
            Error::Gguf(error) | Error::Model(model::Error::Gguf(error)) if error.is_io() => Kind::Failed,
            Error::Gguf(_) | Error::Model(_) | Error::Tokenizer(_) => Kind::BadModel,
            Error::Sample(error) => sample_kind(error),
            Error::Stop(_) => Kind::Usage,
            Error::Session(error) => error.kind(),
        }
    }
}

/// Options are the caller's, logits the model's.
fn sample_kind(error: &sample::Error) -> Kind {
    match error {
        sample::Error::Temperature { .. } | sample::Error::TopP { .. } | sample::Error::MinP { .. } => {
            Kind::Usage
        }
        _ => Kind::Failed,
    }
}
