//! Character sets and words of the DeepSeek pre-tokenizers.

use super::class::{Class, class, is_letter, is_mark, is_newline, is_space};
use super::words::SpaceRun;
use super::{char_at, run_end};

/// What may follow a run of punctuation and symbols in the same word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SignTail {
    /// `[\r\n]*`
    Newlines,
    /// Nothing; and each line end is a word of its own.
    None,
}

/// At byte `at`: `[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|
/// ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
#[inline]
pub(super) fn word(text: &str, at: usize, tail: SignTail) -> Option<usize> {
    let c = char_at(text, at)?;
    let next = at + c.len_utf8();
    if c.is_ascii_punctuation() && char_at(text, next).is_some_and(|c| c.is_ascii_alphabetic()) {
        return Some(run_end(text, next, |c| c.is_ascii_alphabetic()));
    }
    letters(text, at, c).or_else(|| signs(text, at, c, tail)).or_else(|| spaces(text, at, c, tail))
}

/// `[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+`
#[inline]
fn letters(text: &str, at: usize, c: char) -> Option<usize> {
    let leads = !is_newline(c) && !is_letter(c) && !is_sign(c);
    let start = if leads && !is_mark(c) { at + c.len_utf8() } else { at };
    let end = run_end(text, start, |c| is_letter(c) || is_mark(c));
    (end > start).then_some(end)
}

/// ` ?[\p{P}\p{S}]+` and its tail.
#[inline]
fn signs(text: &str, at: usize, c: char, tail: SignTail) -> Option<usize> {
    let start = if c == ' ' { at + 1 } else { at };
    let end = run_end(text, start, is_sign);
    if end == start {
        return None;
    }
    Some(if tail == SignTail::Newlines { run_end(text, end, is_newline) } else { end })
}

#[inline]
fn spaces(text: &str, at: usize, c: char, tail: SignTail) -> Option<usize> {
    match tail {
        SignTail::Newlines => SpaceRun::scan(text, at).word_end(text),
        SignTail::None if is_newline(c) => Some(at + 1),
        SignTail::None => is_space(c).then(|| super::runs::spaces(text, at)),
    }
}

/// `[\p{P}\p{S}]`
#[inline]
fn is_sign(c: char) -> bool {
    matches!(class(c), Class::Punctuation | Class::Symbol)
}

/// `[一-龥ぁ-ヿ]`: Han and kana, of DeepSeek V3.
pub(super) fn is_han_or_kana(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fa5}' | '\u{3040}'..='\u{30ff}')
}

/// The wide range that DeepSeek LLM and Coder call Chinese; it takes in most scripts of the lower plane.
pub(super) fn is_chinese(c: char) -> bool {
    matches!(c, '\u{800}'..='\u{9fa5}' | '\u{ac00}'..='\u{d7ff}') && !is_space(c)
}

/// The punctuation of DeepSeek LLM, ASCII and wide. `:-~` takes in the ASCII letters too.
pub(super) fn is_punctuation(c: char) -> bool {
    matches!(c, '!'..='/' | ':'..='~' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff5e}')
        || matches!(c, '\u{2018}'..='\u{201f}' | '\u{3001}'..='\u{3002}')
}

/// The letters that DeepSeek LLM lists one by one: those with case, as of the Unicode version it was made
/// with.
pub(super) fn is_listed_letter(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphabetic();
    }
    let after = LISTED.partition_point(|&(first, _)| first <= c as u32);
    after > 0 && c as u32 <= LISTED[after - 1].1
}

/// First and last code point of each range of [`is_listed_letter`] beyond ASCII, ascending.
#[rustfmt::skip]
const LISTED: [(u32, u32); 85] = [
    (0xB5, 0xB5), (0xC0, 0xD6), (0xD8, 0xF6), (0xF8, 0x1BA), (0x1BC, 0x1BF), (0x1C4, 0x293),
    (0x295, 0x2AF), (0x370, 0x373), (0x376, 0x376), (0x377, 0x377), (0x37B, 0x37D), (0x37F, 0x37F),
    (0x386, 0x386), (0x388, 0x38A), (0x38C, 0x38C), (0x38E, 0x3A1), (0x3A3, 0x3F5), (0x3F7, 0x481),
    (0x48A, 0x52F), (0x531, 0x556), (0x10A0, 0x10C5), (0x13A0, 0x13F5), (0x13F8, 0x13FD), (0x1C90, 0x1CBA),
    (0x1CBD, 0x1CBF), (0x1D00, 0x1D2B), (0x1D6B, 0x1D77), (0x1D79, 0x1D9A), (0x1E00, 0x1F15), (0x1F18, 0x1F1D),
    (0x1F20, 0x1F45), (0x1F48, 0x1F4D), (0x1F50, 0x1F57), (0x1F59, 0x1F59), (0x1F5B, 0x1F5B), (0x1F5D, 0x1F5D),
    (0x1F5F, 0x1F7D), (0x1F80, 0x1FB4), (0x1FB6, 0x1FBC), (0x1FBE, 0x1FBE), (0x1FC2, 0x1FC4), (0x1FC6, 0x1FCC),
    (0x1FD0, 0x1FD3), (0x1FD6, 0x1FDB), (0x1FE0, 0x1FEC), (0x1FF2, 0x1FF4), (0x1FF6, 0x1FFC), (0x2102, 0x2102),
    (0x2107, 0x2107), (0x210A, 0x2113), (0x2115, 0x2115), (0x2119, 0x211D), (0x2124, 0x2124), (0x2126, 0x2126),
    (0x2128, 0x2128), (0x212A, 0x212D), (0x212F, 0x2134), (0x2139, 0x2139), (0x213C, 0x213F), (0x2145, 0x2149),
    (0x214E, 0x214E), (0x2183, 0x2183), (0x2184, 0x2184), (0x2C00, 0x2C7B), (0x2C7E, 0x2CE4), (0x2CEB, 0x2CEE),
    (0x2CF2, 0x2CF2), (0x2CF3, 0x2CF3), (0xA640, 0xA66D), (0xA680, 0xA69B), (0xA722, 0xA76F), (0xA771, 0xA787),
    (0xA78B, 0xA78E), (0xAB70, 0xABBF), (0xFB00, 0xFB06), (0xFB13, 0xFB17), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A),
    (0x10400, 0x1044F), (0x104B0, 0x104D3), (0x104D8, 0x104FB), (0x10C80, 0x10CB2), (0x10CC0, 0x10CF2), (0x118A0, 0x118DF),
    (0x1E900, 0x1E943),
];
