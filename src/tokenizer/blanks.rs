//! `▁` for a blank, as SentencePiece writes it, and where a text of such may be cut into words.
//!
//! SentencePiece and Gemma 4 know no words: merges run over whole texts. But hardly any token has a `▁`
//! behind another character, so a text can be cut before the first `▁` of a run without changing the result,
//! and short words merge much faster than long texts. The exceptions are found when the vocabulary is loaded.

use std::ops::Range;

/// U+2581, which stands for a blank in vocabularies.
pub(super) const BLANK: char = '▁';
/// [`BLANK`] in UTF-8.
pub(super) const BLANK_BYTES: &[u8] = "▁".as_bytes();

/// Appends `text` with `▁` for each blank.
pub(super) fn escape(text: &str, out: &mut String) {
    let mut parts = text.split(' ');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push(BLANK);
        out.push_str(part);
    }
}

/// Appends `text` with a blank for each `▁`.
pub(super) fn append_unescaped(text: &[u8], out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match rest.strip_prefix(BLANK_BYTES) {
            Some(after) => {
                out.push(b' ');
                after
            }
            None => {
                out.push(byte);
                tail
            }
        };
    }
}

/// Knows before which `▁` a text must not be cut.
pub(super) struct Cuts {
    /// Last bytes of the characters that some token has before a `▁`.
    joined: [bool; 256],
}

impl Cuts {
    /// Takes note of all places in `texts`, the results of merges, where a `▁` follows another character.
    pub(super) fn new<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Cuts {
        let mut joined = [false; 256];
        for text in texts {
            for at in inner_blanks(text) {
                joined[text[at - 1] as usize] = true;
            }
        }
        Cuts { joined }
    }

    /// Calls `emit` with the pieces of `text[range]` that can be merged apart.
    pub(super) fn words(&self, text: &str, range: Range<usize>, emit: &mut dyn FnMut(Range<usize>)) {
        let segment = &text.as_bytes()[range.clone()];
        let mut start = range.start;
        for at in inner_blanks(segment).filter(|&at| !self.joined[segment[at - 1] as usize]) {
            emit(start..range.start + at);
            start = range.start + at;
        }
        if start < range.end {
            emit(start..range.end);
        }
    }
}

/// Positions of each `▁` in `text` that follows a character other than `▁`.
fn inner_blanks(text: &[u8]) -> impl Iterator<Item = usize> {
    let last = text.len().saturating_sub(BLANK_BYTES.len() - 1);
    (1..last.max(1)).filter(move |&at| {
        text[at] == BLANK_BYTES[0]
            && text[at..].starts_with(BLANK_BYTES)
            && !text[..at].ends_with(BLANK_BYTES)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_there_and_back() {
        for text in ["", " ", "a b", "  a ", "é 中 ", "▁"] {
            let (mut escaped, mut back) = (String::new(), Vec::new());
            escape(text, &mut escaped);
            assert!(!escaped.contains(' '));
            append_unescaped(escaped.as_bytes(), &mut back);
            assert_eq!(back, text.replace('▁', " ").into_bytes());
        }
    }

    fn words(tokens: &[&str], text: &str) -> Vec<String> {
        let mut out = Vec::new();
        let cuts = Cuts::new(tokens.iter().map(|token| token.as_bytes()));
        cuts.words(text, 0..text.len(), &mut |word| out.push(text[word].to_string()));
        out
    }

    #[test]
    fn cut_before_each_run_unless_a_token_crosses() {
        assert_eq!(words(&["▁a", "▁▁"], "a▁b▁▁c▁"), ["a", "▁b", "▁▁c", "▁"]);
        assert_eq!(words(&["b▁", "▁▁"], "a▁b▁▁c▁"), ["a", "▁b▁▁c", "▁"]);
        assert_eq!(words(&[], "▁▁a"), ["▁▁a"]);
        assert_eq!(words(&[], ""), Vec::<String>::new());
    }
}
