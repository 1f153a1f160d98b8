//! Prompts that outlive their session: what the ring holds, as a file ([`crate::kv::file`] has the format).
//!
//! *How it comes back.* The file is mapped, read through once for its checksum, and stays mapped: attention reads the rows of the prefix where they lie in the
//! file, and nothing is copied but states and logits, which are little. The ring's slots of these positions are planned and reserved, but no memory stands behind
//! them, because they are never written; what the file has are pages that the system can drop and that several processes share. A file also
//! serves sessions with rings of another size. It lives as long as a position of it does, whatever takes its name meanwhile.
//!
//! *What is the same.* A prompt of which the file has all tokens goes on from the very numbers of its last run. Where it has a beginning, the rest is run as
//! a batch of 12 tokens at least ([`crate::ops::STEADY_BATCH`]), and tokens that were generated, one by one, are run again: that way every token is
//! computed as it would be without the file, to the bit. Only models with experts or sliding windows add in an order that depends on what else is in a batch: for them a
//! prompt that goes on from a beginning is the same but for rounding.
//!
//! *How it is written.* To a new file in the same folder, which then takes the name (`replace.rs`): whoever reads sees the old file or the new one. A file
//! that is there and no prompt cache is never replaced.

use super::Session;
use super::replace::replace;
use crate::gguf::{self, Bytes};
use crate::kv::file;
use crate::ops::STEADY_BATCH;
use crate::tokenizer::TokenId;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes that are collected before they are written; rows are longer and go out as they are.
const BUFFER: usize = 64 << 10;

/// Why a stored prompt is not used, or could not be stored. The session goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(gguf::Error),
    /// Some other file, which is neither used nor replaced.
    #[error("{}: found a file that is no prompt cache and stays as it is. Try another name", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A folder, a pipe or a device.
    #[error("{}: found something that is no regular file, expected a prompt cache or nothing. Try the name of a file", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
    },
    /// It is not what this session could go on from.
    #[error("{}: not used: {error}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: file::Error,
    },
    /// The session goes on in a window.
    #[error("prompt cache: not used: found a window, expected none. Try without one")]
    Window,
    /// It cannot be written.
    #[error("{}: the prompt cache cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl Session<'_> {
    /// Keeps the tokens that are in the ring, with their keys, values and states, in a file. A prompt cache that was there before is replaced in one step;
    /// if that fails it is still there. Another file is not replaced ([`CacheError::Foreign`]).
    ///
    /// ```
    /// # fn main() -> Result<(), siskin::Error> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// let (model, path) = (siskin::Model::open("models/builtin.gguf")?, folder.path().join("prompt.cache"));
    /// let options = siskin::session::Options::default();
    /// let first = model.session("Once upon a time there was a little bird", &options)?;
    /// first.save(&path)?;
    ///
    /// let prompt = model.encode("Once upon a time there was a little bird");
    /// let mut again = model.prepare(&prompt, &options)?;
    /// assert_eq!(again.restore(&path, &prompt)?, prompt.len());
    /// again.prefill(&prompt, |_| {}, None)?; // what the file has not
    /// assert_eq!(again.logits(), first.logits());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written, as on a full disk, or is there already and no prompt cache.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), CacheError> {
        let path = path.as_ref();
        self.refuse_window()?;
        let failed = |error| CacheError::Write { path: path.to_owned(), error };
        look(path).map_err(failed)?.refuse_foreign(path)?;
        let written = replace(path, |file| {
            let mut out = BufWriter::with_capacity(BUFFER, file);
            self.decoder.write(self.seen.last(), self.batched, &mut out)
        });
        written.map_err(failed)
    }

    /// Begins with what a file of [`Session::save`] has of a prompt, and returns how many tokens that are: [`Session::prefill`] runs the rest. 0 if
    /// there is no such file, or it has too little to go on from. What the session held before is forgotten, unless the file is not used at all. Keys and
    /// values are read where they lie in the file, which stays mapped as long as the session holds some of them ([`Session::mapped_bytes`]).
    ///
    /// # Errors
    ///
    /// If the file is not used, and why. Nothing is lost then: the whole prompt is run.
    pub fn restore(&mut self, path: impl AsRef<Path>, prompt: &[TokenId]) -> Result<usize, CacheError> {
        let vocabulary = self.logits().len();
        self.take(path.as_ref(), |stored| {
            let common = stored.tokens().zip(prompt).take_while(|(a, b)| a == *b).count();
            if common == prompt.len() && common == stored.len() && stored.logits() == vocabulary {
                return common;
            }
            common.min(stored.batched()).min(prompt.len().saturating_sub(STEADY_BATCH))
        })
    }

    /// Takes up all that a file of [`Session::save`] has, generated tokens too, and returns how many tokens that are: the session goes on as the one
    /// that was saved would. For conversations, before [`Session::resume`].
    ///
    /// # Errors
    ///
    /// If the file is not used, and why.
    pub fn recall(&mut self, path: impl AsRef<Path>) -> Result<usize, CacheError> {
        self.take(path.as_ref(), |stored| stored.len())
    }

    /// Bytes of the file that a restored prefix is read from, as long as it is; 0 without one. They are mapped, and not part of the plan.
    pub fn mapped_bytes(&self) -> usize {
        self.decoder.mapped_bytes()
    }

    /// Forgets the tokens that were run.
    fn forget(&mut self) {
        self.seen.truncate(0);
        self.batched = 0;
        self.decoder.truncate(0);
    }

    /// What a window has overwritten is missing, and what it holds has moved.
    fn refuse_window(&self) -> Result<(), CacheError> {
        if self.options.window.is_some() { Err(CacheError::Window) } else { Ok(()) }
    }

    /// Takes as many tokens as `wanted` says of a file, if it can be gone on from there.
    fn take(
        &mut self,
        path: &Path,
        wanted: impl FnOnce(&file::Stored) -> usize,
    ) -> Result<usize, CacheError> {
        self.refuse_window()?;
        // what cannot be looked at cannot be opened either, which says why
        if let Ok(found) = look(path)
            && !found.refuse_foreign(path)?
        {
            return Ok(0);
        }
        let file = Arc::new(Bytes::map(path).map_err(CacheError::Open)?);
        let unusable = |error| CacheError::Unusable { path: path.to_owned(), error };
        let stored = self.decoder.stored(file.clone()).map_err(unusable)?;
        let count = self.decoder.usable(&stored, wanted(&stored)).map_err(unusable)?;
        if count == 0 {
            self.forget();
            return Ok(0);
        }
        // all of it is about to be read, for its checksum
        file.prefault(0..file.len());
        let restored = self.decoder.restore(&stored, count).map_err(unusable);
        if restored.is_err() && self.decoder.position() == 0 {
            self.forget();
        }
        let complete = restored?;
        self.seen.truncate(0);
        for token in stored.tokens().take(count) {
            self.seen.extend(&[token]);
        }
        self.batched = stored.batched().min(count);
        self.timing.kept_tokens = count;
        self.has_logits = complete;
        Ok(count)
    }
}

/// What there is where a prompt cache is to be.
enum Found {
    /// Nothing, or an empty file.
    Nothing,
    Cache,
    Foreign,
    NotAFile,
}

impl Found {
    /// Whether there is a prompt cache; an error if there is something else.
    fn refuse_foreign(self, path: &Path) -> Result<bool, CacheError> {
        match self {
            Found::Nothing => Ok(false),
            Found::Cache => Ok(true),
            Found::Foreign => Err(CacheError::Foreign { path: path.to_owned() }),
            Found::NotAFile => Err(CacheError::NotAFile { path: path.to_owned() }),
        }
    }
}

/// Looks at the first bytes of a file.
fn look(path: &Path) -> io::Result<Found> {
    match fs::metadata(path) {
        // opening a named pipe would wait for its writer
        Ok(found) if !found.is_file() => return Ok(Found::NotAFile),
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) => return Err(error),
    }
    let mut beginning = Vec::with_capacity(file::MAGIC_BYTES);
    File::open(path)?.take(file::MAGIC_BYTES as u64).read_to_end(&mut beginning)?;
    Ok(match &beginning[..] {
        [] => Found::Nothing,
        beginning if file::is_cache(beginning) => Found::Cache,
        _ => Found::Foreign,
    })
}
