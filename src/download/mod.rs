//! Downloading models: from a Hugging Face hub, a mirror of one, or any web server; and the cache that they are kept in.
//!
//! For programs that fetch models, above all `siskin pull`. Knows no terminal: what happens is told to a callback. The rooms inside:
//!
//! | file | what lives there |
//! |---|---|
//! | `reference.rs`, `quant.rs` | what is meant by `OWNER/REPO:Q4_K_M`; which files of a repository that is |
//! | `cache.rs` | the folders on disk |
//! | `url.rs`, `http.rs` | requests, redirects, the token, when to try again |
//! | `hub.rs` | the hub's list of files |
//! | `header.rs` | the header of a model that is not downloaded |
//! | `part.rs`, `fetch.rs` | one file: the part on disk, and what is missing of it |
//! | `error.rs` | one variant for each way in which it can fail |
//!
//! # What is promised
//!
//! - A file appears under its own name only when it is whole, its SHA-256 is the one that the hub states, and its header is that of
//!   a GGUF file. A hash is known for every large file of a hub; of other servers' files only the size is.
//! - The access token is sent to the hub's scheme, host and port, and to nobody else.
//! - A download that was cut off goes on where it was, after what is there has been hashed.
//! - Everything that a server says is bounded: redirects, lists, headers, waiting times, names of files.

mod cache;
mod error;
mod fetch;
mod header;
mod http;
mod hub;
mod part;
mod quant;
mod reference;
mod url;

pub use cache::{Cache, Cached};
pub use error::Error;
pub use header::{Looked, look};
pub use http::Token;
pub use quant::{DEFAULT_ORDER, Wanted};
pub use reference::Reference;
pub use url::Url;

use crate::gguf::Gguf;
use fetch::Remote;
use http::{Client, Purpose};
use hub::Repository;
use quant::{Candidate, NoChoice};
use sha2::{Digest, Sha256};
use std::env;
use std::path::PathBuf;
use std::time::Duration;

/// The hub that is meant unless `HF_ENDPOINT` names another.
pub const HUB: &str = "https://huggingface.co";

/// Where from, where to, and how patiently.
#[derive(Clone, Debug)]
pub struct Options {
    /// The hub; its path is put before the hub's own.
    pub hub: Url,
    /// Access token, sent to the hub only.
    pub token: Option<Token>,
    /// A file of certificates in PEM form that are trusted instead of Mozilla's.
    pub certificates: Option<PathBuf>,
    /// Where files are put.
    pub cache: Cache,
    /// How often a request is repeated that failed for a reason that may pass.
    pub retries: u32,
    /// Pause before the first repetition; it doubles each time.
    pub backoff: Duration,
    /// Longest silence of a server in the middle of a file.
    pub timeout: Duration,
}

impl Options {
    /// What the environment says: `HF_ENDPOINT`, `HF_TOKEN`, `SSL_CERT_FILE`, and where the cache is ([`Cache::from_env`]).
    ///
    /// # Errors
    ///
    /// If a variable makes no sense.
    pub fn from_env() -> Result<Options, Error> {
        let text =
            |name| env::var(name).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        let endpoint = text("HF_ENDPOINT").unwrap_or_else(|| HUB.to_owned());
        let hub = Url::parse(&endpoint)
            .map_err(|reason| Error::Setting { variable: "HF_ENDPOINT", reason: reason.to_owned() })?;
        Ok(Options {
            hub,
            token: text("HF_TOKEN").map(|token| Token::new(&token)).transpose()?,
            certificates: text("SSL_CERT_FILE").map(PathBuf::from),
            cache: Cache::from_env()?,
            retries: 5,
            backoff: Duration::from_millis(500),
            timeout: Duration::from_secs(30),
        })
    }
}

/// What happens while a model is downloaded.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A file begins; `number` counts from 1.
    File {
        /// Its name.
        name: &'a str,
        /// Which of the model's files it is, from 1.
        number: usize,
        /// How many there are.
        count: usize,
        /// Its size.
        bytes: u64,
        /// Whether it is there already, as a whole; then nothing else happens to it.
        present: bool,
    },
    /// So many bytes of the file are there.
    Progress {
        /// On disk and hashed.
        bytes: u64,
    },
    /// What was there before has been hashed; from here on bytes come over the network.
    Resumed {
        /// What was there.
        bytes: u64,
    },
    /// The file begins from the start: the server cannot go on in the middle, or what was there was damaged.
    Restarted,
    /// A request failed and is about to be repeated.
    Waiting {
        /// Why it failed.
        error: &'a Error,
        /// The pause before it is repeated.
        wait: Duration,
    },
}

/// A callback for events.
pub type OnEvent<'a> = dyn FnMut(Event<'_>) + 'a;

/// The header of a model that is being downloaded.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Metadata and tensors, the tensors' data reading as zeros; of a split model, the first part's.
    pub gguf: &'a Gguf,
    /// Size of the model's files, in bytes.
    pub bytes: u64,
    /// How many files the model has.
    pub files: usize,
}

/// A model that is in the cache now.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// What it is called from now on: with its format, if one was chosen by default.
    pub name: String,
    /// The (first) file.
    pub path: PathBuf,
    /// Size of its files, in bytes.
    pub bytes: u64,
    /// How many of them came over the network; none if all were there.
    pub fetched: usize,
    /// Whether the source stated a hash of every file, which all have.
    pub verified: bool,
}

/// Downloads a model into the cache, or what is missing of it.
///
/// `check` sees the header as soon as it is there, before most of the file is, and says whether to go on; it is not asked about a
/// model that is in the cache.
///
/// # Errors
///
/// [`Error`] has a variant for each way in which it can fail. What has been fetched is kept and will be used, unless it is known to
/// be wrong.
pub fn pull(
    reference: &Reference,
    options: &Options,
    on_event: &mut OnEvent<'_>,
    check: &mut dyn FnMut(&Header<'_>) -> bool,
) -> Result<Pulled, Error> {
    let client = Client::new(options)?;
    let (name, files) = files(&client, reference, options, on_event)?;
    let present: Vec<bool> = files.iter().map(is_present).collect::<Result<_, _>>()?;
    let missing = files.iter().zip(&present).filter(|(_, present)| !**present).map(|(file, _)| file);
    require_space(options, missing)?;
    let (count, bytes) = (files.len(), files.iter().map(|file| file.bytes).fold(0, u64::saturating_add));
    for (index, (file, &present)) in files.iter().zip(&present).enumerate() {
        on_event(Event::File { name: &file.name, number: index + 1, count, bytes: file.bytes, present });
        if !present {
            // the metadata of a split model are in its first part
            let mut first = |gguf: &Gguf| index > 0 || check(&Header { gguf, bytes, files: count });
            fetch::fetch(&client, file, on_event, &mut first)?;
        }
    }
    Ok(Pulled {
        name,
        path: files.first().map(|file| file.dest.clone()).unwrap_or_default(),
        bytes,
        fetched: present.iter().filter(|present| !**present).count(),
        verified: files.iter().all(|file| file.sha256.is_some()),
    })
}

/// The files of a model, and its name.
fn files(
    client: &Client,
    reference: &Reference,
    options: &Options,
    on_event: &mut OnEvent<'_>,
) -> Result<(String, Vec<Remote>), Error> {
    match reference {
        Reference::Hub { owner, repo, revision, wanted } => {
            let repository = Repository { owner, repo, revision };
            hub_files(client, repository, wanted, reference, options, on_event)
        }
        Reference::Url(url) => Ok((url.to_string(), url_files(client, url, options, on_event)?)),
    }
}

fn is_present(file: &Remote) -> Result<bool, Error> {
    part::is_present(&file.dest, file.bytes, file.sha256.as_deref())
}

/// Compares what is missing with the space that there is.
fn require_space<'a>(options: &Options, missing: impl Iterator<Item = &'a Remote>) -> Result<(), Error> {
    let left =
        |file: &Remote| file.bytes.saturating_sub(part::part_bytes(&file.dest, file.identity.as_deref()));
    let needed = missing.map(left).fold(0, u64::saturating_add);
    let folder = options.cache.root();
    match part::free_space(folder) {
        Some(available) if available < needed => {
            Err(Error::DiskFull { folder: folder.to_owned(), needed, available })
        }
        _ => Ok(()),
    }
}

/// The files of a model in a repository, and its name with the format that was chosen.
fn hub_files(
    client: &Client,
    repository: Repository<'_>,
    wanted: &Wanted,
    reference: &Reference,
    options: &Options,
    on_event: &mut OnEvent<'_>,
) -> Result<(String, Vec<Remote>), Error> {
    let listing = repository.list(client, on_event)?;
    let paths: Vec<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
    let purpose = repository.purpose(client.hub());
    let model = quant::choose(&paths, wanted).map_err(|reason| no_choice(reason, wanted, &purpose))?;
    let Repository { owner, repo, revision } = repository;
    let folder = options.cache.repository(owner, repo, revision);
    let remote = |file: &hub::Listed| Remote {
        url: repository.file(client.hub(), &listing.commit, &file.path),
        purpose: purpose.clone(),
        name: file.path.clone(),
        dest: folder.join(&file.path),
        bytes: file.bytes,
        sha256: file.sha256.clone(),
        identity: Some(identity(file.sha256.as_deref(), &format!("{} {}", listing.commit, file.bytes))),
    };
    let files = model.files.iter().filter_map(|&i| listing.files.get(i)).map(remote).collect();
    Ok((full_name(reference, model), files))
}

/// The name with the format, or the file where the format does not tell enough.
fn full_name(reference: &Reference, model: Candidate) -> String {
    match reference {
        Reference::Hub { wanted: Wanted::Default, .. } => {
            let which = if model.quant.is_empty() { model.path } else { model.quant };
            format!("{reference}:{which}")
        }
        named => named.to_string(),
    }
}

fn no_choice(reason: NoChoice, wanted: &Wanted, purpose: &Purpose) -> Error {
    let what = purpose.what.clone();
    match reason {
        NoChoice::NoModels => Error::NoModels { what },
        NoChoice::Ambiguous(files) => Error::Ambiguous { what, files },
        NoChoice::MissingPart(part) => Error::MissingPart { what, part },
        NoChoice::NotFound(available) => {
            let wanted = match wanted {
                Wanted::Default => "model".into(),
                Wanted::Quant(name) | Wanted::File(name) => name.clone(),
            };
            Error::NoSuchModel { what, wanted, available }
        }
    }
}

/// The file that a URL names, or all parts if it names one of several. Nobody lists them: each is asked for its size.
fn url_files(
    client: &Client,
    url: &Url,
    options: &Options,
    on_event: &mut OnEvent<'_>,
) -> Result<Vec<Remote>, Error> {
    let urls = match quant::split_name(url.path()) {
        None => vec![url.clone()],
        Some(split) => {
            let part = |no| {
                url.join(&split.path(no))
                    .map_err(|reason| Error::RedirectTarget { from: url.clone(), reason })
            };
            (1..=split.count).map(part).collect::<Result<_, _>>()?
        }
    };
    urls.iter().map(|url| probe(client, url, options, on_event)).collect()
}

/// Asks for a file and looks at the headers of the answer only.
fn probe(client: &Client, url: &Url, options: &Options, on_event: &mut OnEvent<'_>) -> Result<Remote, Error> {
    let purpose = Purpose { what: url.to_string(), page: url.clone() };
    let answer = client.retrying(on_event, || client.get(url, &purpose, 0))?;
    let headers = answer.response.headers();
    let bytes = http::text(headers, "content-length").and_then(|text| text.trim().parse().ok());
    let bytes = bytes.ok_or_else(|| Error::NoLength { url: url.clone() })?;
    let sha256 = answer.linked.sha256;
    // an ETag that is called weak may stay the same when bytes change
    let etag = http::text(headers, "etag").filter(|etag| !etag.starts_with("W/"));
    let identity = match (&sha256, etag) {
        (None, None) => None,
        (sha256, etag) => Some(identity(sha256.as_deref(), &format!("{} {bytes}", etag.unwrap_or_default()))),
    };
    let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
    Ok(Remote { url: url.clone(), purpose, name, dest: options.cache.file(url), bytes, sha256, identity })
}

/// A short name for a version of a file: the beginning of its hash, or else of the hash of what is known of it.
fn identity(sha256: Option<&str>, known: &str) -> String {
    let hash = sha256.map_or_else(|| part::hex(&Sha256::digest(known)), str::to_owned);
    hash.chars().take(12).collect()
}
