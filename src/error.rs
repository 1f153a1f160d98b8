//! The library's error: what each room reports, and what kind of failure that is.

use crate::{gguf, model, sample, session, tokenizer};

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
    /// The prompt does not fit the model, or the run does not fit the machine.
    #[error(transparent)]
    Session(#[from] session::Error),
    /// The model cannot be quantized.
    #[cfg(feature = "quantize")]
    #[error(transparent)]
    Quantize(#[from] crate::quantize::Error),
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
            Error::Session(error) => session_kind(error),
            #[cfg(feature = "quantize")]
            Error::Quantize(error) => quantize_kind(error),
        }
    }
}

#[cfg(feature = "quantize")]
fn quantize_kind(error: &crate::quantize::Error) -> Kind {
    use crate::quantize::Error as Quantize;
    match error {
        Quantize::Gguf(error) if error.is_io() => Kind::Failed,
        Quantize::Gguf(_) | Quantize::AlreadyQuantized { .. } => Kind::BadModel,
        Quantize::NotFinite { .. } | Quantize::TooLarge { .. } => Kind::BadModel,
        Quantize::SameFile { .. } => Kind::Usage,
        Quantize::DiskFull { .. } | Quantize::Io { .. } | Quantize::Cancelled => Kind::Failed,
    }
}

/// Options and prompts are the caller's, logits the model's.
fn session_kind(error: &session::Error) -> Kind {
    use sample::Error as Sample;
    use session::Error as Session;
    match error {
        Session::EmptyPrompt | Session::TokenRange { .. } | Session::Stop(_) => Kind::Usage,
        Session::Sample(Sample::Temperature { .. } | Sample::TopP { .. } | Sample::MinP { .. }) => {
            Kind::Usage
        }
        Session::PromptTooLong { .. } | Session::TooLarge { .. } => Kind::DoesNotFit,
        Session::Vocabulary { .. } => Kind::BadModel,
        Session::Sample(_) | Session::Sink(_) => Kind::Failed,
    }
}
