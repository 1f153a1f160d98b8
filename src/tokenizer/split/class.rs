//! What kind of character: the few Unicode classes that pre-tokenizers and WordPiece distinguish.

use super::class_table::RUNS;

/// General category of a character, reduced to its first letter; white space wins over the category.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tokenizer) enum Class {
    /// Not assigned in the Unicode version of the table.
    Other,
    /// `\p{L}`
    Letter,
    /// `\p{M}`
    Mark,
    /// `\p{N}`
    Number,
    /// `\p{P}`
    Punctuation,
    /// `\p{S}`
    Symbol,
    /// `\s`, the property White_Space.
    Space,
    /// Control, format, surrogate, private use.
    Control,
}

const BY_CODE: [Class; 8] = [
    Class::Other,
    Class::Letter,
    Class::Mark,
    Class::Number,
    Class::Punctuation,
    Class::Symbol,
    Class::Space,
    Class::Control,
];

/// The first 128 code points, looked up directly: most text is made of them.
const ASCII: [Class; 128] = {
    let mut table = [Class::Other; 128];
    let mut run = 0;
    let mut c = 0;
    while c < 128 {
        while RUNS[run + 1] >> 8 <= c {
            run += 1;
        }
        table[c as usize] = BY_CODE[(RUNS[run] & 0xff) as usize];
        c += 1;
    }
    table
};

/// Class of `c`: one load for ASCII, a binary search over about 2,000 runs otherwise.
#[inline]
pub(in crate::tokenizer) fn class(c: char) -> Class {
    match ASCII.get(c as usize) {
        Some(&class) => class,
        None => class_beyond_ascii(c),
    }
}

fn class_beyond_ascii(c: char) -> Class {
    // The first run starts at 0, so at least one run starts at or before any `c`.
    let after = RUNS.partition_point(|&run| run >> 8 <= c as u32);
    BY_CODE[(RUNS[after - 1] & 0xff) as usize]
}

#[inline]
pub(super) fn is_letter(c: char) -> bool {
    class(c) == Class::Letter
}

#[inline]
pub(super) fn is_mark(c: char) -> bool {
    class(c) == Class::Mark
}

#[inline]
pub(super) fn is_number(c: char) -> bool {
    class(c) == Class::Number
}

#[inline]
pub(super) fn is_punctuation(c: char) -> bool {
    class(c) == Class::Punctuation
}

#[inline]
pub(super) fn is_space(c: char) -> bool {
    class(c) == Class::Space
}

/// `[\r\n]`
#[inline]
pub(super) fn is_newline(c: char) -> bool {
    c == '\n' || c == '\r'
}

/// `[^\s\p{L}\p{N}]`: what is neither space nor letter nor number.
#[inline]
pub(super) fn is_sign(c: char) -> bool {
    !matches!(class(c), Class::Space | Class::Letter | Class::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The standard library's tables may be of a newer Unicode version, so only characters assigned since
    /// long are compared.
    #[test]
    fn agrees_with_the_standard_library_on_old_characters() {
        for c in ('\0'..'\u{2000}').filter(|&c| !matches!(class(c), Class::Other | Class::Control)) {
            assert_eq!(class(c) == Class::Space, c.is_whitespace(), "{c:?}");
            assert_eq!(class(c) == Class::Number, c.is_numeric(), "{c:?}");
            if class(c) == Class::Letter {
                assert!(c.is_alphabetic(), "{c:?}");
            }
        }
    }

    #[test]
    fn one_example_of_each_class() {
        let examples = [
            ('a', Class::Letter),
            ('é', Class::Letter),
            ('中', Class::Letter),
            ('\u{301}', Class::Mark),
            ('7', Class::Number),
            ('٣', Class::Number),
            ('½', Class::Number),
            ('!', Class::Punctuation),
            ('。', Class::Punctuation),
            ('$', Class::Symbol),
            ('😀', Class::Symbol),
            (' ', Class::Space),
            ('\u{85}', Class::Space),
            ('\u{3000}', Class::Space),
            ('\0', Class::Control),
            ('\u{200d}', Class::Control),
            ('\u{e000}', Class::Control),
            ('\u{378}', Class::Other),
            ('\u{10ffff}', Class::Other),
        ];
        for (c, expected) in examples {
            assert_eq!(class(c), expected, "{c:?}");
        }
    }

    #[test]
    fn runs_ascend_from_zero() {
        assert_eq!(RUNS[0] >> 8, 0);
        assert!(RUNS.windows(2).all(|pair| pair[0] >> 8 < pair[1] >> 8));
    }
}
