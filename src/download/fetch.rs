//! One file: what is missing of it, appended to what is there, checked on the way and in the end.
//!
//! A connection may end anywhere; the next one goes on from there (RFC 9110, section 14). What a server says is not believed: a
//! status of 206 must state exactly the range that was asked for, a 200 begins from the start, and not a byte more is taken than
//! the file is long.

use super::error::{self, Error};
use super::http::{self, Answer, Client, Patience, Purpose};
use super::part::{CHUNK, Part};
use super::url::Url;
use super::{Event, OnEvent};
use crate::gguf::Gguf;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes after which the header is looked at first; after that, each time twice as many are there.
pub(super) const FIRST_LOOK: usize = 1 << 20;
/// Bytes of a header, at most; those of vocabularies of 260,000 tokens are below 20 MiB.
pub(super) const MAX_HEADER: usize = 32 << 20;
/// Bytes after which a failure is no longer one in a row.
const PROGRESS: u64 = 1 << 20;

/// A file that is to be fetched.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub url: Url,
    pub purpose: Purpose,
    /// As messages name it.
    pub name: String,
    pub dest: PathBuf,
    pub bytes: u64,
    pub sha256: Option<String>,
    /// Tells versions of the file apart.
    pub identity: Option<String>,
}

/// Is told what is in the header as soon as it is there; says whether to go on.
pub(super) type Check<'a> = dyn FnMut(&Gguf) -> bool + 'a;

/// Fetches a file.
pub(super) fn fetch(
    client: &Client,
    remote: &Remote,
    on_event: &mut OnEvent<'_>,
    check: &mut Check<'_>,
) -> Result<(), Error> {
    let part = Part::open(&remote.dest, remote.identity.as_deref())?;
    let mut transfer = Transfer { client, remote, part, header: Header::default() };
    let done = transfer.complete(on_event, check);
    let part = transfer.part;
    match done {
        Ok(sha256) => part.finish(Some(&sha256)),
        Err(error) => {
            if matches!(error, Error::Hash { .. } | Error::Header(_) | Error::HeaderTooLong { .. }) {
                part.discard()?;
            }
            Err(error)
        }
    }
}

struct Transfer<'a> {
    client: &'a Client,
    remote: &'a Remote,
    part: Part,
    header: Header,
}

impl Transfer<'_> {
    /// Everything up to the last byte; its SHA-256.
    fn complete(&mut self, on_event: &mut OnEvent<'_>, check: &mut Check<'_>) -> Result<String, Error> {
        let (remote, header) = (self.remote, &mut self.header);
        self.part.read_back(remote.bytes, |bytes, len| {
            on_event(Event::Progress { bytes: len });
            header.add(bytes, remote, check)
        })?;
        let resumed = self.part.len() > 0;
        if resumed {
            on_event(Event::Resumed { bytes: self.part.len() });
        }
        self.rest(on_event, check)?;
        if resumed && self.verified().is_err() {
            // what was there may be from before a loss of power, and hold anything
            self.restart(on_event)?;
            self.rest(on_event, check)?;
        }
        self.header.end(remote, check)?;
        self.verified()
    }

    fn verified(&self) -> Result<String, Error> {
        let found = self.part.sha256();
        match &self.remote.sha256 {
            Some(expected) if *expected != found => {
                let (name, expected) = (self.remote.name.clone(), expected.clone());
                Err(Error::Hash { name, found, expected })
            }
            _ => Ok(found),
        }
    }

    fn restart(&mut self, on_event: &mut OnEvent<'_>) -> Result<(), Error> {
        on_event(Event::Restarted);
        self.header.forget();
        self.part.restart()
    }

    /// All that is missing, however many connections it takes.
    fn rest(&mut self, on_event: &mut OnEvent<'_>, check: &mut Check<'_>) -> Result<(), Error> {
        let mut patience: Patience<'_> = self.client.patience();
        while self.part.len() < self.remote.bytes {
            let before = self.part.len();
            if let Err(error) = self.attempt(on_event, check) {
                if self.part.len() >= before.saturating_add(PROGRESS) {
                    patience.renew();
                }
                patience.wait(error, on_event)?;
            }
        }
        Ok(())
    }

    /// One connection's worth.
    fn attempt(&mut self, on_event: &mut OnEvent<'_>, check: &mut Check<'_>) -> Result<(), Error> {
        let from = self.part.len();
        let answer = self.client.get(&self.remote.url, &self.remote.purpose, from)?;
        if self.accept(&answer, from)? == Begins::AtTheStart && from > 0 {
            self.restart(on_event)?;
        }
        let mut body = answer.response.into_body().into_reader();
        let mut chunk = vec![0; CHUNK];
        loop {
            let n = body.read(&mut chunk).map_err(|error| self.broken(&error))?;
            let Some(bytes) = chunk.get(..n).filter(|bytes| !bytes.is_empty()) else { break };
            self.take(bytes, on_event, check)?;
        }
        if self.part.len() < self.remote.bytes {
            let (url, found, expected) = (self.remote.url.clone(), self.part.len(), self.remote.bytes);
            return Err(Error::Truncated { url, found, expected });
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], on_event: &mut OnEvent<'_>, check: &mut Check<'_>) -> Result<(), Error> {
        let found = self.part.len().saturating_add(bytes.len() as u64);
        if found > self.remote.bytes {
            return Err(Error::Length { url: self.remote.url.clone(), found, expected: self.remote.bytes });
        }
        self.part.write(bytes).map_err(|error| self.disk_full(error))?;
        on_event(Event::Progress { bytes: self.part.len() });
        self.header.add(bytes, self.remote, check)
    }

    /// Compares an answer with what is known of the file.
    fn accept(&self, answer: &Answer, from: u64) -> Result<Begins, Error> {
        let Remote { url, bytes, sha256, .. } = self.remote;
        if let (Some(found), Some(expected)) = (&answer.linked.sha256, sha256)
            && found != expected
        {
            let (url, found, expected) = (url.clone(), found.clone(), expected.clone());
            return Err(Error::Replaced { url, found, expected });
        }
        let headers = answer.response.headers();
        if answer.response.status().as_u16() == 206 {
            let found = http::text(headers, "content-range").unwrap_or_default();
            let expected = format!("bytes {from}-{}/{bytes}", bytes - 1);
            if from == 0 || found.trim() != expected {
                let (found, expected) = (error::shown(found).into(), expected.into());
                let part = self.part.path().to_owned();
                return Err(Error::ContentRange { url: url.clone(), found, expected, part });
            }
            return Ok(Begins::WhereAsked);
        }
        let length = http::text(headers, "content-length").and_then(|text| text.trim().parse().ok());
        match length {
            Some(found) if found != *bytes => {
                Err(Error::Length { url: url.clone(), found, expected: *bytes })
            }
            _ => Ok(Begins::AtTheStart),
        }
    }

    fn broken(&self, error: &std::io::Error) -> Error {
        Error::Broken { url: self.remote.url.clone(), reason: error::shown(&error.to_string()) }
    }

    /// What a failed write means.
    fn disk_full(&self, error: Error) -> Error {
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        match &error {
            Error::Disk { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded) => {
                let folder = self.remote.dest.parent().unwrap_or(Path::new("")).to_owned();
                let needed = self.remote.bytes.saturating_sub(self.part.len());
                Error::DiskFull { available: super::part::free_space(&folder).unwrap_or(0), folder, needed }
            }
            _ => error,
        }
    }
}

/// Which part of the file an answer's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    AtTheStart,
    WhereAsked,
}

/// The first bytes of a file, kept until they hold its header.
#[derive(Debug, Default)]
struct Header {
    bytes: Vec<u8>,
    looked_at: usize,
    done: bool,
}

impl Header {
    /// Adds the next bytes of the file.
    fn add(&mut self, bytes: &[u8], remote: &Remote, check: &mut Check<'_>) -> Result<(), Error> {
        if self.done {
            return Ok(());
        }
        self.bytes.extend_from_slice(bytes);
        if self.bytes.len() < FIRST_LOOK.max(self.looked_at.saturating_mul(2)) {
            return Ok(());
        }
        self.look(remote, check)
    }

    /// The file is whole, and may be a small one.
    fn end(&mut self, remote: &Remote, check: &mut Check<'_>) -> Result<(), Error> {
        if self.done { Ok(()) } else { self.look(remote, check) }
    }

    fn look(&mut self, remote: &Remote, check: &mut Check<'_>) -> Result<(), Error> {
        self.looked_at = self.bytes.len();
        let found = match Gguf::from_prefix(&remote.dest, &self.bytes, remote.bytes) {
            // no address space for a file of this size: nothing that is wrong with the file
            Err(error) if error.is_io() => {
                log::warn!("the header is not looked at: {error}");
                *self = Header { done: true, ..Header::default() };
                return Ok(());
            }
            found => found?,
        };
        match found {
            Some(gguf) => {
                *self = Header { done: true, ..Header::default() };
                if check(&gguf) { Ok(()) } else { Err(Error::Refused { name: remote.name.clone() }) }
            }
            None if self.looked_at >= MAX_HEADER => {
                Err(Error::HeaderTooLong { name: remote.name.clone(), limit: MAX_HEADER })
            }
            None => Ok(()),
        }
    }

    /// The file begins again; what was checked may have been something else.
    fn forget(&mut self) {
        *self = Header::default();
    }
}
