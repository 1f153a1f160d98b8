//! The library's error: what each room reports, and what kind of failure that is.

#[cfg(feature = "chat")]
use crate::chat;
#[cfg(feature = "download")]
use crate::download;
use crate::{gguf, memory, model, perplexity, sample, score, session, stop, tokenizer};

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
    /// A stored prompt is not used, or cannot be stored. The session goes on without it.
    #[error(transparent)]
    Cache(#[from] session::CacheError),
    /// A text cannot be scored.
    #[error(transparent)]
    Score(#[from] score::Error),
    /// The perplexity of a text cannot be measured.
    #[error(transparent)]
    Perplexity(#[from] perplexity::Error),
    /// The run needs more memory than there is.
    #[error(transparent)]
    Memory(#[from] memory::Error),
    /// No threads can be started.
    #[error("threads: {0}. Try fewer of them, but at least 1")]
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
pub enum ErrorKind {
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
    pub fn kind(&self) -> ErrorKind {
        match self {
            Error::Gguf(error) | Error::Model(model::Error::Gguf(error)) if error.is_memory() => {
                ErrorKind::DoesNotFit
            }
            Error::Gguf(error) | Error::Model(model::Error::Gguf(error)) if error.is_io() => {
                ErrorKind::Failed
            }
            Error::Model(model::Error::Memory { .. }) => ErrorKind::DoesNotFit,
            Error::Gguf(_) | Error::Model(_) | Error::Tokenizer(_) => ErrorKind::BadModel,
            Error::Session(error) => session_kind(error),
            Error::Cache(error) => cache_kind(error),
            Error::Score(error) => score_kind(error),
            Error::Perplexity(error) => perplexity_kind(error),
            Error::Memory(_) => ErrorKind::DoesNotFit,
            // a number that makes no sense, or else no memory for another stack
            Error::Threads(error) if error.kind() == std::io::ErrorKind::InvalidInput => ErrorKind::Usage,
            Error::Threads(_) => ErrorKind::DoesNotFit,
            #[cfg(feature = "quantize")]
            Error::Quantize(error) => quantize_kind(error),
            #[cfg(feature = "chat")]
            Error::Chat(error) => chat_kind(error),
            #[cfg(feature = "download")]
            Error::Download(error) => download_kind(error),
        }
    }
}

/// Options of a sampler that a program makes itself: as of the session's own.
impl From<sample::Error> for Error {
    fn from(error: sample::Error) -> Error {
        Error::Session(error.into())
    }
}

/// Stop conditions that a program makes itself: as of the session's own.
impl From<stop::Error> for Error {
    fn from(error: stop::Error) -> Error {
        Error::Session(error.into())
    }
}

/// A grammar that a program compiles itself: as of the session's own.
#[cfg(feature = "grammar")]
impl From<crate::grammar::Error> for Error {
    fn from(error: crate::grammar::Error) -> Error {
        Error::Session(error.into())
    }
}

/// Another file is the caller's mistake; one that cannot be used is no failure of the model.
fn cache_kind(error: &session::CacheError) -> ErrorKind {
    use session::CacheError as Cache;
    match error {
        Cache::Foreign { .. } | Cache::NotAFile { .. } | Cache::Window => ErrorKind::Usage,
        Cache::Open(error) if error.is_memory() => ErrorKind::DoesNotFit,
        Cache::Open(_) | Cache::Unusable { .. } | Cache::Write { .. } => ErrorKind::Failed,
    }
}

fn perplexity_kind(error: &perplexity::Error) -> ErrorKind {
    use perplexity::Error as Perplexity;
    match error {
        Perplexity::TooLarge { .. } => ErrorKind::DoesNotFit,
        _ => ErrorKind::Usage,
    }
}

fn score_kind(error: &score::Error) -> ErrorKind {
    use score::Error as Score;
    match error {
        Score::Empty | Score::Room { .. } | Score::TokenRange { .. } | Score::KvType(_) => ErrorKind::Usage,
        Score::TooLong { .. } | Score::TooLarge { .. } => ErrorKind::DoesNotFit,
        Score::Logits(_) => ErrorKind::Failed,
    }
}

#[cfg(feature = "quantize")]
fn quantize_kind(error: &crate::quantize::Error) -> ErrorKind {
    use crate::quantize::Error as Quantize;
    match error {
        Quantize::Gguf(error) if error.is_memory() => ErrorKind::DoesNotFit,
        Quantize::Gguf(error) if error.is_io() => ErrorKind::Failed,
        Quantize::Gguf(_) | Quantize::NoTensors { .. } | Quantize::AlreadyQuantized { .. } => {
            ErrorKind::BadModel
        }
        Quantize::NotFinite { .. } | Quantize::TooLarge { .. } => ErrorKind::BadModel,
        Quantize::SameFile { .. } => ErrorKind::Usage,
        Quantize::DiskFull { .. } => ErrorKind::DoesNotFit,
        Quantize::Io { .. } | Quantize::Cancelled => ErrorKind::Failed,
    }
}

/// What cannot be named is the caller's fault, the network is nobody's.
#[cfg(feature = "download")]
fn download_kind(error: &download::Error) -> ErrorKind {
    use download::Error as Download;
    match error {
        Download::Reference { .. }
        | Download::Setting { .. }
        | Download::NoSuchModel { .. }
        | Download::Ambiguous { .. } => ErrorKind::Usage,
        Download::Header(error) if error.is_memory() => ErrorKind::DoesNotFit,
        Download::Header(error) if error.is_io() => ErrorKind::Failed,
        Download::Header(_) | Download::HeaderTooLong { .. } => ErrorKind::BadModel,
        Download::DiskFull { .. } | Download::Refused { .. } => ErrorKind::DoesNotFit,
        _ => ErrorKind::Failed,
    }
}

/// Options and prompts are the caller's, logits the model's.
fn session_kind(error: &session::Error) -> ErrorKind {
    use session::Error as Session;
    match error {
        Session::EmptyPrompt | Session::TokenRange { .. } | Session::Branches { .. } | Session::Stop(_) => {
            ErrorKind::Usage
        }
        Session::KvType(_) | Session::Window(_) | Session::LengthPenalty { .. } => ErrorKind::Usage,
        Session::OtherPrompt { .. } | Session::NotPrefilled | Session::OnlySearches { .. } => {
            ErrorKind::Usage
        }
        Session::Sample(error) if error.is_setting() => ErrorKind::Usage,
        #[cfg(feature = "grammar")]
        Session::Grammar(_) => ErrorKind::Usage,
        Session::PromptTooLong { .. } | Session::TooLarge { .. } | Session::Memory { .. } => {
            ErrorKind::DoesNotFit
        }
        Session::Vocabulary { .. } => ErrorKind::BadModel,
        Session::Sample(_) | Session::Sink(_) => ErrorKind::Failed,
    }
}

/// Templates are part of the model, the conversation is the caller's.
#[cfg(feature = "chat")]
fn chat_kind(error: &chat::Error) -> ErrorKind {
    match error {
        chat::Error::Missing | chat::Error::NoDefault { .. } => ErrorKind::Usage,
        chat::Error::Refused { .. } | chat::Error::Thread(_) => ErrorKind::Failed,
        chat::Error::Invalid { .. } | chat::Error::Limit { .. } | chat::Error::Gguf(_) => ErrorKind::BadModel,
    }
}
