//! Every way in which a download can fail, and what to try.

use super::url::Url;
use crate::gguf;
use std::io;
use std::path::PathBuf;

/// Why a model could not be downloaded, or found in the cache.
#[allow(missing_docs)] // the fields are what the message beside each variant says
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Not the name of a model.
    #[error(
        "{text}: not the name of a model: {reason}. Try OWNER/REPO, OWNER/REPO:Q4_K_M or the URL of a .gguf file"
    )]
    Reference { text: String, reason: &'static str },
    /// A setting from the environment that makes no sense. Its value is not shown: it may be a secret.
    #[error("{variable}: {reason}")]
    Setting { variable: &'static str, reason: String },
    /// Nowhere to put files.
    #[error(
        "no folder to keep models in: none of SISKIN_CACHE, XDG_CACHE_HOME and HOME is set. Try setting SISKIN_CACHE"
    )]
    NoCacheFolder,

    /// The name of the server is not known, most often because there is no network.
    #[error("{server}: no such server, or no network. Try again once other programs can reach it")]
    HostNotFound { server: String },
    /// No connection.
    #[error(
        "{server}: cannot connect: {reason}. Try again later, or check the network, its proxy and HF_ENDPOINT"
    )]
    Connect { server: String, reason: String },
    /// The other side is not who it says it is.
    #[error(
        "{server}: no safe connection: {reason}. Try checking this machine's clock, or SSL_CERT_FILE if a proxy signs with its own certificate"
    )]
    Tls { server: String, reason: String },
    /// The connection broke.
    #[error("{url}: the connection broke: {reason}. Try again: what is already here is kept")]
    Broken { url: Url, reason: String },
    /// What came is no HTTP.
    #[error("{url}: not an answer of a web server: {reason}. Try checking the URL and HF_ENDPOINT")]
    Protocol { url: Url, reason: String },

    /// 401 or 403.
    #[error("{what}: access denied ({status}{}): {}", detail(said), denied_hint(*gated, *token, page))]
    Denied { what: String, status: u16, said: String, gated: bool, token: bool, page: Url },
    /// 404 or 410.
    #[error(
        "{what}: not found ({status}{}). Try checking the name; a search for it on {} shows what there is",
        detail(said),
        page
    )]
    NotFound { what: String, status: u16, said: String, page: Url },
    /// 429.
    #[error("{server}: too many requests (429). Try again {}; with HF_TOKEN set, more are allowed", later(*seconds))]
    TooManyRequests { server: String, seconds: Option<u64> },
    /// 5xx.
    #[error("{server}: the server failed ({status}{}). Try again later", detail(said))]
    Server { server: String, status: u16, said: String },
    /// Any other status than 200 or 206.
    #[error("{url}: status {status}{}, expected 200. Try checking the URL", detail(said))]
    Status { url: Url, status: u16, said: String },

    /// Redirects without end.
    #[error("{url}: more than {limit} redirects, or one that leads back. Try another URL")]
    RedirectLoop { url: Url, limit: usize },
    /// From https to http.
    #[error("{from}: redirects to {to}, which is not encrypted. Refused; try another source")]
    RedirectInsecure { from: Url, to: Url },
    /// To something that is no URL.
    #[error("{from}: redirects to what is no URL: {reason}. Try another source")]
    RedirectTarget { from: Url, reason: &'static str },

    /// The list of files cannot be understood.
    #[error(
        "{url}: no list of files: {reason}. Try checking HF_ENDPOINT: it must name a Hugging Face hub or a mirror of one"
    )]
    Answer { url: Url, reason: String },
    /// A name that would be written outside of its folder.
    #[error(
        "{what}: the server lists a file named {name}, which is no safe name. Refused; try another repository"
    )]
    UnsafeName { what: String, name: String },
    /// No GGUF file.
    #[error("{what}: holds no GGUF model. Try a repository whose name ends with -GGUF")]
    NoModels { what: String },
    /// No such format or file.
    #[error("{what}: there is no {wanted}. Try one of {}", available.join(", "))]
    NoSuchModel { what: String, wanted: String, available: Vec<String> },
    /// Several that fit.
    #[error("{what}: several models fit. Try naming one after a colon: {}", files.join(", "))]
    Ambiguous { what: String, files: Vec<String> },
    /// A split model that is not whole.
    #[error("{what}: part {part} of the model is missing. Try another format")]
    MissingPart { what: String, part: String },

    /// Another range of bytes than asked for.
    #[error("{url}: sent the range '{found}', expected '{expected}'. Try again; if it stays so, delete {} to begin from the start", part.display())]
    ContentRange { url: Url, found: Box<str>, expected: Box<str>, part: PathBuf },
    /// Another size than announced.
    #[error(
        "{url}: {found} bytes, expected {expected}. Try again later: the file may have just been replaced"
    )]
    Length { url: Url, found: u64, expected: u64 },
    /// No size at all.
    #[error("{url}: the server does not tell the file's size. Try downloading it with another program")]
    NoLength { url: Url },
    /// The end came too soon, again and again.
    #[error("{url}: ended after {found} of {expected} bytes. Try again: what is already here is kept")]
    Truncated { url: Url, found: u64, expected: u64 },
    /// Two places state different hashes for one file.
    #[error(
        "{url}: has the SHA-256 {found}, but the list of files says {expected}. Try again later: the file may have just been replaced"
    )]
    Replaced { url: Url, found: String, expected: String },
    /// The bytes are not those that were meant to come.
    #[error("{name}: damaged on its way: SHA-256 is {found}, expected {expected}. It was deleted; try again")]
    Hash { name: String, found: String, expected: String },

    /// Not a model file, as its first bytes show.
    #[error(transparent)]
    Header(#[from] gguf::Error),
    /// A header without end.
    #[error("{name}: its header is longer than {limit} bytes. Try another file: no model has such a header")]
    HeaderTooLong { name: String, limit: usize },
    /// The caller's check said no.
    #[error("{name}: not downloaded")]
    Refused { name: String },

    /// Not enough space.
    #[error("{}: {available} bytes free, {needed} needed. Try deleting models that are no longer used (siskin pull --list), or setting SISKIN_CACHE to a folder on another disk", folder.display())]
    DiskFull { folder: PathBuf, needed: u64, available: u64 },
    /// The disk refused.
    #[error("{}: {source}", path.display())]
    Disk { path: PathBuf, source: io::Error },
    /// Somebody else is at it.
    #[error("{}: another siskin is downloading it. Try again once it is done", path.display())]
    Busy { path: PathBuf },
}

impl Error {
    /// Whether the same request may well succeed a little later. A server that was never reached is another matter: then there
    /// is most often no network, and the user should know at once.
    pub(super) fn is_transient(&self, reached: bool) -> bool {
        match self {
            Error::Broken { .. } | Error::Truncated { .. } | Error::Server { .. } => true,
            Error::TooManyRequests { seconds, .. } => {
                seconds.is_none_or(|seconds| seconds <= MAX_RETRY_AFTER)
            }
            Error::HostNotFound { .. } | Error::Connect { .. } => reached,
            _ => false,
        }
    }
}

/// Longest time that is waited when a server says how long to wait, in seconds; beyond it the user is told.
pub(super) const MAX_RETRY_AFTER: u64 = 60;

/// Text from outside, for a message: one line of printable characters, and not longer than that.
pub(super) fn shown(text: &str) -> String {
    let clean = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut out: String = clean.take(200).collect();
    if text.chars().nth(200).is_some() {
        out.push_str("...");
    }
    out
}

/// What the server said about it.
fn detail(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(", \"{said}\"") }
}

fn denied_hint(gated: bool, token: bool, page: &Url) -> String {
    match (gated, token) {
        (true, false) => format!(
            "its owner wants its terms to be accepted. Try accepting them on {page}, then setting HF_TOKEN to an access token"
        ),
        (true, true) => {
            format!("its owner wants its terms to be accepted. Try accepting them on {page} with the account of HF_TOKEN")
        }
        (false, false) => {
            "there is no such repository, or it is private or gated. Try checking the name, or setting HF_TOKEN to an access token".into()
        }
        (false, true) => "HF_TOKEN gives no access to it. Try checking the name and the token".into(),
    }
}

fn later(seconds: Option<u64>) -> String {
    seconds.map_or("later".into(), |seconds| format!("in {seconds} s"))
}
