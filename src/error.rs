//! The library's error: what each room reports, and what kind of failure that is.

#[cfg(feature = "chat")]
use crate::chat;
#[cfg(feature = "download")]
use crate::download;
use crate::{gguf, memory, model, score, session, tokenizer};

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
    /// A text cannot be scored.
    #[error(transparent)]
    Score(#[from] score::Error),
    /// The run needs more memory than there is.
    #[error(transparent)]
    Memory(#[from] memory::Error),
    /// No threads can be started.
    #[error("threads: {0}. Try fewer of them")]
    Threads(#[source] std::io::Error),
    /// The model cannot be quantized.
    #[cfg(feature = "quantize")]
    #[error(transparent)]
    Quantize(#[from] crate::quantize::Error),
    /// The conversation cannot be made a prompt.
    #[cfg(feature = "chat")]
    #[error(transparent)]
    Chat(#[from] chat::Error),
    /// A model could not be downloaded, or found in the cache.
    #[cfg(feature = "download")]
    #[error(transparent)]
    Download(#[from] download::Error),
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
            Error::Gguf(error) | Error::Model(model::Error::Gguf(error)) if error.is_memory() => {
                Kind::DoesNotFit
            }
            Error::Gguf(error) | Error::Model(model::Error::Gguf(error)) if error.is_io() => Kind::Failed,
            Error::Model(model::Error::Memory { .. }) => Kind::DoesNotFit,
            Error::Gguf(_) | Error::Model(_) | Error::Tokenizer(_) => Kind::BadModel,
            Error::Session(error) => session_kind(error),
            Error::Score(error) => score_kind(error),
            Error::Memory(_) => Kind::DoesNotFit,
            // a number that makes no sense, or else no memory for another stack
            Error::Threads(error) if error.kind() == std::io::ErrorKind::InvalidInput => Kind::Usage,
            Error::Threads(_) => Kind::DoesNotFit,
            #[cfg(feature = "quantize")]
            Error::Quantize(error) => quantize_kind(error),
            #[cfg(feature = "chat")]
            Error::Chat(error) => chat_kind(error),
            #[cfg(feature = "download")]
            Error::Download(error) => download_kind(error),
        }
    }
}

fn score_kind(error: &score::Error) -> Kind {
    use score::Error as Score;
    match error {
        Score::Empty | Score::TokenRange { .. } | Score::KvType(_) => Kind::Usage,
        Score::TooLong { .. } | Score::TooLarge { .. } => Kind::DoesNotFit,
        Score::Logits(_) => Kind::Failed,
    }
}

#[cfg(feature = "quantize")]
fn quantize_kind(error: &crate::quantize::Error) -> Kind {
    use crate::quantize::Error as Quantize;
    match error {
        Quantize::Gguf(error) if error.is_memory() => Kind::DoesNotFit,
        Quantize::Gguf(error) if error.is_io() => Kind::Failed,
        Quantize::Gguf(_) | Quantize::NoTensors { .. } | Quantize::AlreadyQuantized { .. } => Kind::BadModel,
        Quantize::NotFinite { .. } | Quantize::TooLarge { .. } => Kind::BadModel,
        Quantize::SameFile { .. } => Kind::Usage,
        Quantize::DiskFull { .. } => Kind::DoesNotFit,
        Quantize::Io { .. } | Quantize::Cancelled => Kind::Failed,
    }
}

/// What cannot be named is the caller's fault, the network is nobody's.
#[cfg(feature = "download")]
fn download_kind(error: &download::Error) -> Kind {
    use download::Error as Download;
    match error {
        Download::Reference { .. }
        | Download::Setting { .. }
        | Download::NoSuchModel { .. }
        | Download::Ambiguous { .. } => Kind::Usage,
        Download::Header(error) if error.is_memory() => Kind::DoesNotFit,
        Download::Header(error) if error.is_io() => Kind::Failed,
        Download::Header(_) | Download::HeaderTooLong { .. } => Kind::BadModel,
        Download::DiskFull { .. } | Download::Refused { .. } => Kind::DoesNotFit,
        _ => Kind::Failed,
    }
}

/// Options and prompts are the caller's, logits the model's.
fn session_kind(error: &session::Error) -> Kind {
    use session::Error as Session;
    match error {
        Session::EmptyPrompt | Session::TokenRange { .. } | Session::Branches { .. } | Session::Stop(_) => {
            Kind::Usage
        }
        Session::KvType(_) | Session::Window(_) => Kind::Usage,
        Session::Sample(error) if error.is_setting() => Kind::Usage,
        #[cfg(feature = "grammar")]
        Session::Grammar(_) => Kind::Usage,
        Session::PromptTooLong { .. } | Session::TooLarge { .. } | Session::Memory { .. } => Kind::DoesNotFit,
        Session::Vocabulary { .. } => Kind::BadModel,
        Session::Sample(_) | Session::Sink(_) => Kind::Failed,
    }
}

/// Templates are part of the model, the conversation is the caller's.
#[cfg(feature = "chat")]
fn chat_kind(error: &chat::Error) -> Kind {
    match error {
        chat::Error::Missing | chat::Error::NoDefault { .. } => Kind::Usage,
        chat::Error::Refused { .. } | chat::Error::Thread(_) => Kind::Failed,
        chat::Error::Invalid { .. } | chat::Error::Limit { .. } | chat::Error::Gguf(_) => Kind::BadModel,
    }
}
