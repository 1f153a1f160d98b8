//! The header of a model that stays where it is: the first megabytes of its files, for plans. Nothing is written to disk.

use super::error::Error;
use super::fetch::{FIRST_LOOK, MAX_HEADER, Remote};
use super::http::Client;
use super::{OnEvent, Options, Reference};
use crate::gguf::Gguf;
use std::io::Read;

/// A model that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// What it is called: with its format, if one was chosen by default.
    pub name: String,
    /// Metadata and tensors of all its files, the tensors' data reading as zeros.
    pub gguf: Gguf,
    /// How many files the model has.
    pub files: usize,
}

/// Reads the header of a model over the network, and no more of it.
///
/// # Errors
///
/// As [`pull`](super::pull), but for those of the disk.
pub fn look(reference: &Reference, options: &Options, on_event: &mut OnEvent<'_>) -> Result<Looked, Error> {
    let client = Client::new(options)?;
    let (name, files) = super::files(&client, reference, options, on_event)?;
    let prefixes = files.iter().map(|file| prefix(&client, file, on_event)).collect::<Result<Vec<_>, _>>()?;
    let parts = files.iter().zip(&prefixes);
    let parts: Vec<_> = parts.map(|(file, prefix)| (file.dest.as_path(), &prefix[..], file.bytes)).collect();
    let gguf = Gguf::from_prefixes(&parts)?.ok_or_else(|| too_long(&name))?;
    Ok(Looked { name, gguf, files: files.len() })
}

fn too_long(name: &str) -> Error {
    Error::HeaderTooLong { name: name.to_owned(), limit: MAX_HEADER }
}

/// The first bytes of a file, enough to hold its header.
fn prefix(client: &Client, file: &Remote, on_event: &mut OnEvent<'_>) -> Result<Vec<u8>, Error> {
    client.retrying(on_event, || {
        let answer = client.get(&file.url, &file.purpose, 0)?;
        let mut body = answer.response.into_body().into_reader();
        let (mut bytes, mut wanted) = (Vec::new(), FIRST_LOOK);
        loop {
            let more = (wanted - bytes.len()) as u64;
            let broken = |error: std::io::Error| Error::Broken {
                url: file.url.clone(),
                reason: super::error::shown(&error.to_string()),
            };
            body.by_ref().take(more).read_to_end(&mut bytes).map_err(broken)?;
            let ended = bytes.len() < wanted;
            if Gguf::from_prefix(&file.dest, &bytes, file.bytes)?.is_some() || ended {
                return Ok(bytes);
            }
            if wanted >= MAX_HEADER {
                return Err(too_long(&file.name));
            }
            wanted *= 2;
        }
    })
}
