//! Characters of a stream of bytes; used by the conditions that look at characters.

/// A character of the stream, or bytes that are none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    /// The character; U+FFFD for bytes that are none.
    pub(super) char: char,
    #[cfg_attr(not(feature = "regex"), allow(dead_code))] // only expressions look at bytes
    bytes: [u8; 4],
    len: usize,
    /// Bytes of the stream that were pushed after it: 0, or 1 where that byte showed that this is no character.
    pub(super) after: usize,
}

impl Unit {
    #[cfg(feature = "regex")]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
}

/// Cuts a stream into the units that [`String::from_utf8_lossy`] would make of it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Chars {
    /// The beginning of a character, in `held[..len]`.
    held: [u8; 4],
    len: usize,
}

impl Chars {
    /// The units that `byte` completes.
    pub(super) fn push(&mut self, byte: u8) -> impl Iterator<Item = Unit> + use<> {
        let (broken, whole) = match self.add(byte) {
            Added::Unit(unit) => (None, Some(unit)),
            Added::Nothing => (None, None),
            // Nothing is held any more, so the byte breaks nothing else.
            Added::Broken(unit) => match self.add(byte) {
                Added::Unit(next) => (Some(unit), Some(next)),
                Added::Nothing | Added::Broken(_) => (Some(unit), None),
            },
        };
        [broken, whole].into_iter().flatten()
    }

    /// Bytes of an unfinished character, 0 to 3.
    pub(super) fn pending(&self) -> usize {
        self.len
    }

    /// These bytes.
    #[cfg(feature = "regex")]
    pub(super) fn held(&self) -> &[u8] {
        &self.held[..self.len]
    }

    fn add(&mut self, byte: u8) -> Added {
        self.held[self.len] = byte;
        match str::from_utf8(&self.held[..=self.len]) {
            Ok(text) => {
                let char = text.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER);
                Added::Unit(self.take(char, self.len + 1, 0))
            }
            Err(error) if error.error_len().is_none() => {
                self.len += 1;
                Added::Nothing
            }
            Err(_) if self.len == 0 => Added::Unit(self.take(char::REPLACEMENT_CHARACTER, 1, 0)),
            Err(_) => Added::Broken(self.take(char::REPLACEMENT_CHARACTER, self.len, 1)),
        }
    }

    fn take(&mut self, char: char, len: usize, after: usize) -> Unit {
        self.len = 0;
        Unit { char, bytes: self.held, len, after }
    }
}

enum Added {
    /// A unit that ends with the byte.
    Unit(Unit),
    /// What was held is a unit, and the byte is not used yet.
    Broken(Unit),
    Nothing,
}
