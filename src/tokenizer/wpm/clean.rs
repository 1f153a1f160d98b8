//! Cleaning a text as BERT does, and cutting it into words.

use super::base_table::BASES;
use crate::tokenizer::blanks::BLANK_BYTES;
use crate::tokenizer::split::{Class, class};

/// What is done to each character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tokenizer) struct Cleaner {
    /// Capitals become small letters.
    pub lowercase: bool,
    /// Accents are taken off.
    pub strip_accents: bool,
}

impl Cleaner {
    /// Calls `emit` with each word of `text`, a `▁` before it. Words end at spaces; punctuation, ASCII symbols
    /// and Chinese characters are words by themselves; control characters are dropped.
    pub(in crate::tokenizer) fn words(self, text: &str, mut emit: impl FnMut(&[u8])) {
        let mut word = BLANK_BYTES.to_vec();
        for c in text.chars() {
            let c = if self.strip_accents { base(c) } else { c };
            match class(c) {
                Class::Space => finish(&mut word, &mut emit),
                Class::Control => {}
                _ if c == char::REPLACEMENT_CHARACTER => {}
                Class::Mark if self.strip_accents => {}
                class if stands_alone(c, class) => {
                    finish(&mut word, &mut emit);
                    self.push(c, &mut word);
                    finish(&mut word, &mut emit);
                }
                _ => self.push(c, &mut word),
            }
        }
        finish(&mut word, &mut emit);
    }

    #[inline]
    fn push(self, c: char, word: &mut Vec<u8>) {
        let c = if self.lowercase { lowercase(c) } else { c };
        if c.is_ascii() {
            return word.push(c as u8);
        }
        word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

/// Emits the word, if it has more than its `▁`, and begins the next.
#[inline]
fn finish(word: &mut Vec<u8>, emit: &mut impl FnMut(&[u8])) {
    if word.len() > BLANK_BYTES.len() {
        emit(word);
        word.truncate(BLANK_BYTES.len());
    }
}

#[inline]
fn stands_alone(c: char, class: Class) -> bool {
    class == Class::Punctuation || (class == Class::Symbol && c.is_ascii()) || is_chinese(c)
}

/// The blocks that BERT calls Chinese. One of them begins later than in Unicode, as in its implementations.
fn is_chinese(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}')
        || matches!(c, '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}')
        || matches!(c, '\u{2f800}'..='\u{2fa1f}')
}

/// The small letter of `c`: the first character of it, if it has several. Characters that are newer than the
/// class table stay as they are, whatever the standard library knows of them.
#[inline]
fn lowercase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    if class(c) == Class::Other { c } else { c.to_lowercase().next().unwrap_or(c) }
}

/// The first character of the canonical decomposition of `c`.
#[inline]
fn base(c: char) -> char {
    if c.is_ascii() { c } else { base_beyond_ascii(c) }
}

fn base_beyond_ascii(c: char) -> char {
    let code = c as u32;
    if let '\u{ac00}'..='\u{d7a3}' = c {
        // 588 syllables begin with each of the leading consonants.
        return char::from_u32(0x1100 + (code - 0xac00) / 588).unwrap_or(c);
    }
    let after = BASES.partition_point(|&run| (run >> 32) as u32 <= code);
    let Some(run) = after.checked_sub(1).map(|at| BASES[at]) else { return c };
    let (first, count, base) = ((run >> 32) as u32, (run >> 24) as u32 & 0xff, run as u32 & 0xff_ffff);
    if code - first < count { char::from_u32(base).unwrap_or(c) } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(cleaner: Cleaner, text: &str) -> Vec<String> {
        let mut out = Vec::new();
        cleaner.words(text, |word| out.push(String::from_utf8(word[3..].to_vec()).unwrap()));
        out
    }

    const ALL: Cleaner = Cleaner { lowercase: true, strip_accents: true };
    const NONE: Cleaner = Cleaner { lowercase: false, strip_accents: false };

    #[test]
    fn signs_and_chinese_stand_alone() {
        assert_eq!(
            words(ALL, "Don't $5\u{3000}中文ok。"),
            ["don", "'", "t", "$", "5", "中", "文", "ok", "。"]
        );
        // Symbols beyond ASCII do not, nor does what is not assigned.
        assert_eq!(words(ALL, "5€ 😀x \u{378}y"), ["5€", "😀x", "\u{378}y"]);
        assert_eq!(words(ALL, ""), Vec::<String>::new());
    }

    #[test]
    fn accents_go_and_capitals_shrink_if_asked_for() {
        assert_eq!(
            words(ALL, "ÀÉ e\u{301} Ǆ ắ İ 한 ΑΣ"),
            ["ae", "e", "ǆ", "a", "i", "ᄒ", "ας".replace('ς', "σ").as_str()]
        );
        assert_eq!(words(NONE, "ÀÉ e\u{301} İ 한"), ["ÀÉ", "e\u{301}", "İ", "한"]);
        assert_eq!(words(Cleaner { strip_accents: false, ..ALL }, "ÀÉ"), ["àé"]);
        assert_eq!(words(Cleaner { lowercase: false, ..ALL }, "ÀÉ"), ["AE"]);
    }

    #[test]
    fn what_cannot_be_seen_is_dropped() {
        assert_eq!(words(ALL, "a\0b\u{200d}c\u{fffd}\u{ad}d\u{85}e"), ["abcd", "e"]);
    }

    #[test]
    fn bases_ascend_and_are_characters() {
        assert!(BASES.windows(2).all(|pair| pair[0] >> 32 < pair[1] >> 32));
        assert!(BASES.iter().all(|run| char::from_u32(*run as u32 & 0xff_ffff).is_some()));
        // No base has a base.
        assert!(('\0'..=char::MAX).all(|c| base(base(c)) == base(c)));
    }
}
