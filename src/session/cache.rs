//! Prompts that outlive their session: what the ring holds, as a file ([`crate::kv::file`] has the format).
//!
//! *How it comes back.* The file is mapped, its rows are copied from there to the ring that the plan has allocated anyway, and each page is let go
//! of as soon as it was read: owned memory stays what was planned, and no second copy is ever allocated. Rows are not used where they lie in the
//! file, because the ring is one piece of memory that goes on growing behind them, in which every head's rows are neighbours. That way a file also serves
//! sessions with rings of another size.
//!
//! *What is the same.* A prompt of which the file has all tokens goes on from the very numbers of its last run. Where it has a beginning, the rest is run as
//! a batch of 12 tokens at least ([`crate::ops::STEADY_BATCH`]), and tokens that were generated, one by one, are run again: that way every token is
//! computed as it would be without the file, to the bit. Only models with experts or sliding windows add in an order that depends on what else is in a batch: for them a
//! prompt that goes on from a beginning is the same but for rounding.
//!
//! *How it is written.* To a new file in the same folder, which then takes the name: whoever reads sees the old file or the new one.

use super::Session;
use crate::gguf::{self, Bytes};
use crate::kv::file;
use crate::ops::STEADY_BATCH;
use crate::tokenizer::TokenId;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

/// Bytes that are collected before they are written; rows are longer and go out as they are.
const BUFFER: usize = 64 << 10;

/// Why a stored prompt is not used, or could not be stored. The session goes on without it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The file cannot be opened.
    #[error(transparent)]
    Open(gguf::Error),
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
    /// Keeps the tokens that are in the ring, with their keys, values and states, in a file. What was there before is replaced in one step; if that fails
    /// it is still there.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let folder = tempfile::tempdir()?;
    /// let (model, path) = (siskin::Model::builtin()?, folder.path().join("prompt.cache"));
    /// let options = siskin::session::Options::default();
    /// let first = model.session("Once upon a time there was a little bird", &options)?;
    /// first.save(&path)?;
    ///
    /// let prompt = model.encode("Once upon a time there was a little bird");
    /// let mut again = model.session_of(&prompt, &options)?;
    /// assert_eq!(again.restore(&path, &prompt)?, prompt.len());
    /// assert_eq!(again.logits(), first.logits());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the file cannot be written, as on a full disk.
    pub fn save(&self, path: &Path) -> Result<(), CacheError> {
        self.refuse_window()?;
        let written = replace(path, |file| {
            let mut out = BufWriter::with_capacity(BUFFER, file);
            self.decoder.write(self.seen.last(), self.batched, &mut out)
        });
        written.map_err(|error| CacheError::Write { path: path.to_owned(), error })
    }

    /// Begins with what a file of [`Session::save`] has of a prompt, and returns how many tokens that are: [`Session::prefill`] runs the rest. 0 if
    /// there is no such file, or it has too little to go on from. What the session held before is forgotten, unless the file is not used at all.
    ///
    /// # Errors
    ///
    /// If the file is not used, and why. Nothing is lost then: the whole prompt is run.
    ///
    /// # Panics
    ///
    /// If the prompt is longer than what the session was made for.
    pub fn restore(&mut self, path: &Path, prompt: &[TokenId]) -> Result<usize, CacheError> {
        let vocabulary = self.logits().len();
        self.take(path, |stored| {
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
    pub fn recall(&mut self, path: &Path) -> Result<usize, CacheError> {
        self.take(path, |stored| stored.len())
    }

    /// What a window has overwritten is missing, and what it holds has moved.
    fn refuse_window(&self) -> Result<(), CacheError> {
        if self.options.window.is_some() { Err(CacheError::Window) } else { Ok(()) }
    }

    /// Takes as many tokens as `wanted` says of a file, if it can be gone on from there.
    fn take(
        &mut self,
        path: &Path,
        wanted: impl FnOnce(&file::Stored<'_>) -> usize,
    ) -> Result<usize, CacheError> {
        self.refuse_window()?;
        let file = match Bytes::map(path) {
            Err(error) if error.is_missing() => return Ok(0),
            opened => opened.map_err(CacheError::Open)?,
        };
        let unusable = |error| CacheError::Unusable { path: path.to_owned(), error };
        let stored = self.decoder.stored(&file).map_err(unusable)?;
        let count = self.decoder.usable(&stored, wanted(&stored)).map_err(unusable)?;
        self.seen.truncate(0);
        self.batched = 0;
        if count == 0 {
            self.decoder.truncate(0);
            return Ok(0);
        }
        let complete = self.decoder.restore(&stored, count, |read| file.release(read)).map_err(unusable)?;
        for token in stored.tokens().take(count) {
            self.seen.extend(&[token]);
        }
        self.batched = stored.batched().min(count);
        self.timing.kept_tokens = count;
        self.has_logits = complete;
        Ok(count)
    }
}

/// Writes a file beside `path` and gives it that name, once it is whole and on disk.
fn replace(path: &Path, write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    // behind a link, the file itself
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    if fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "found something else than a file there"));
    }
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = create(&new).and_then(|file| {
        write(&file)?;
        file.sync_all()
    });
    if let Err(error) = written.and_then(|()| fs::rename(&new, &path)) {
        let _ = fs::remove_file(&new);
        return Err(error);
    }
    // the name too; some systems cannot, and the file is there all the same
    if let Some(folder) =
        path.parent().map(|folder| if folder == Path::new("") { Path::new(".") } else { folder })
    {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
    Ok(())
}

/// A new file for this user alone: prompts are private.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        // left by a process that was killed and had the same number
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}
