//! What a decoder holds, kept for another run. For `session`, which has the tokens and the files.

use super::{Decoder, Model};
use crate::gguf::Bytes;
use crate::kv::Shared;
use crate::kv::file::{self, Contents, Error, Origin, Stored};
use std::io::{self, Write};

/// Stretches of a matrix that its fingerprint is taken of, and the bytes of each.
const STRETCHES: usize = 8;
const STRETCH: usize = 64;

impl Model {
    /// A number that is the same for the same weights and configuration, whatever the file is called and however it is split. It looks at some stretches of
    /// every matrix, not at all of it: two models that differ in a few weights only may have the same.
    pub fn fingerprint(&self) -> u64 {
        let config = file::checksum(format!("{:?}", self.config).as_bytes());
        let sums = self.weights.all_bytes().map(|bytes| file::checksum(&stretches(bytes)));
        let words: Vec<u8> = [config].into_iter().chain(sums).flat_map(u64::to_le_bytes).collect();
        file::checksum(&words)
    }
}

/// Some bytes of a matrix, from its beginning to its end, and how long it is.
fn stretches(bytes: &Bytes) -> [u8; STRETCHES * STRETCH + size_of::<u64>()] {
    let mut out = [0; STRETCHES * STRETCH + size_of::<u64>()];
    let (length, parts) = out.split_at_mut(size_of::<u64>());
    length.copy_from_slice(&(bytes.len() as u64).to_le_bytes());
    let last = bytes.len().saturating_sub(STRETCH);
    for (i, part) in parts.chunks_exact_mut(STRETCH).enumerate() {
        let start = last / (STRETCHES - 1) * i;
        part.iter_mut().zip(&bytes[start.min(last)..]).for_each(|(to, byte)| *to = *byte);
    }
    out
}

impl Decoder<'_> {
    /// What rows of this decoder can stand beside.
    fn origin(&self) -> Origin {
        let program = format!("siskin {} with {}", env!("CARGO_PKG_VERSION"), self.cpu.kernels.isa());
        Origin { model: self.model.fingerprint(), program }
    }

    /// Writes all that is held of the tokens seen, which are `tokens`; the first `batched` of them ran in batches.
    ///
    /// # Errors
    ///
    /// If the writer fails.
    ///
    /// # Panics
    ///
    /// If there are not as many tokens as positions.
    pub fn write(&self, tokens: &[u32], batched: usize, out: impl Write) -> io::Result<()> {
        let (origin, cache, logits) = (&self.origin(), &self.cache, self.last_logits());
        file::write(Contents { cache, origin, tokens, batched, logits }, out)
    }

    /// The header of what was written.
    ///
    /// # Errors
    ///
    /// If it is damaged or this decoder cannot go on from it.
    pub fn stored(&self, bytes: Shared) -> Result<Stored, Error> {
        let stored = Stored::open(bytes, &self.origin(), &self.cache)?;
        let vocabulary = self.model.weights().vocabulary();
        let unknown = stored.tokens().find(|&token| token as usize >= vocabulary);
        match unknown {
            Some(token) => {
                let expected = format!("below {vocabulary}");
                Err(Error::Number { name: "token", found: token.into(), expected })
            }
            None => Ok(stored),
        }
    }

    /// How many of the first `count` tokens this decoder can go on from ([`Stored::usable`]).
    ///
    /// # Errors
    ///
    /// If the header makes no sense.
    pub fn usable(&self, stored: &Stored, count: usize) -> Result<usize, Error> {
        stored.usable(count, &self.cache)
    }

    /// Takes up what is stored of the first `count` tokens, which are usable; whether [`Decoder::last_logits`] are now those after them. Keys and values
    /// are read where they are stored from now on ([`Stored::restore`]).
    ///
    /// # Errors
    ///
    /// If the data are damaged.
    pub fn restore(&mut self, stored: &Stored, count: usize) -> Result<bool, Error> {
        stored.restore(count, &mut self.cache, &mut self.scratch.logits)
    }

    /// Bytes of the file that keys and values of the first positions are read from; 0 if there is none.
    pub fn mapped_bytes(&self) -> usize {
        self.cache.mapped_bytes()
    }
}
