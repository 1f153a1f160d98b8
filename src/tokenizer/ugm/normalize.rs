//! What SentencePiece does to a text before it is segmented: characters are replaced, blanks become `▁`.

use super::Charsmap;
use crate::tokenizer::blanks::BLANK_BYTES;

/// How texts are normalized.
pub(in crate::tokenizer) struct Normalizer {
    /// What replaces which characters.
    pub charsmap: Charsmap,
    /// A blank is put before the first word.
    pub space_prefix: bool,
    /// A run of blanks becomes one, and those at both ends of a text go; then a blank is put before the first
    /// word in any case.
    pub merge_spaces: bool,
}

impl Normalizer {
    /// `text` as it is segmented. UTF-8, unless the charsmap is damaged.
    pub(in crate::tokenizer) fn normalize(&self, text: &str) -> Vec<u8> {
        let mut spaces = Spaces {
            out: Vec::with_capacity(text.len() + text.len() / 4 + BLANK_BYTES.len()),
            prefix: self.space_prefix,
            merge: self.merge_spaces,
            in_word: false,
        };
        let (bytes, mut at) = (text.as_bytes(), 0);
        while let Some(&byte) = bytes.get(at) {
            if byte.is_ascii() && !self.charsmap.replaces(byte) {
                spaces.push(byte);
                at += 1;
                continue;
            }
            let replaced = self.charsmap.longest(&bytes[at..]);
            let (len, replacement) = replaced.unwrap_or_else(|| whole_character(text, at));
            replacement.iter().for_each(|&byte| spaces.push(byte));
            at += len;
        }
        spaces.out
    }
}

/// The character at byte `at`; U+FFFD where none begins, which only a damaged charsmap brings about, by replacing
/// a part of a character.
fn whole_character(text: &str, at: usize) -> (usize, &[u8]) {
    match text.get(at..).and_then(|rest| rest.chars().next()) {
        Some(c) => (c.len_utf8(), &text.as_bytes()[at..at + c.len_utf8()]),
        None => (1, "\u{fffd}".as_bytes()),
    }
}

/// The normalized text so far, and what is done to blanks.
struct Spaces {
    out: Vec<u8>,
    prefix: bool,
    merge: bool,
    in_word: bool,
}

impl Spaces {
    #[inline]
    fn push(&mut self, byte: u8) {
        if byte != b' ' {
            if !self.in_word {
                self.begin_word();
            }
            return self.out.push(byte);
        }
        self.in_word = false;
        if !self.merge {
            self.out.extend_from_slice(BLANK_BYTES);
        }
    }

    fn begin_word(&mut self) {
        self.in_word = true;
        if std::mem::take(&mut self.prefix) || self.merge {
            self.out.extend_from_slice(BLANK_BYTES);
        }
    }
}
