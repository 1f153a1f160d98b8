//! Stages that isolate runs of one kind of character, and the words of GPT-2, which are such runs too.

use std::ops::Range;

use super::class::{is_letter, is_newline, is_number, is_sign, is_space};
use super::{char_after, char_at, run_end, run_end_max};

/// `[of]{min,max}` at byte `at`.
#[inline]
pub(super) fn bounded(text: &str, at: usize, of: fn(char) -> bool, min: usize, max: usize) -> Option<usize> {
    let end = run_end_max(text, at, of, max);
    let enough = min <= 1 || text[at..end].chars().count() >= min;
    (end > at && enough).then_some(end)
}

/// `[lead]?[of]+` at byte `at`.
#[inline]
pub(super) fn led(text: &str, at: usize, lead: fn(char) -> bool, of: fn(char) -> bool) -> Option<usize> {
    let c = char_at(text, at)?;
    let start = if lead(c) { at + c.len_utf8() } else { at };
    let end = run_end(text, start, of);
    (end > start).then_some(end)
}

/// `\s+$`: the spaces at the very end become a piece of their own.
pub(super) fn cut_final_spaces(text: &str, emit: &mut impl FnMut(Range<usize>)) {
    let end = text.trim_end_matches(is_space).len();
    emit(0..end);
    emit(end..text.len());
}

/// Cuts each run of ASCII digits so that all groups but the first have three digits, as thousands are
/// written. The text before a run stays with its first group unless that group is whole.
pub(super) fn cut_thousands(text: &str, emit: &mut impl FnMut(Range<usize>)) {
    let (mut at, mut start) = (0, 0);
    while let Some(c) = char_at(text, at) {
        let end = run_end(text, at, |c| c.is_ascii_digit());
        let mut cut = at + (end - at) % 3;
        while cut < end {
            emit(start..cut);
            start = cut;
            cut += 3;
        }
        at = if end > at { end } else { at + c.len_utf8() };
    }
    emit(start..at);
}

/// Cuts after each group of three numbers, counted from the right end of their run. The text before a run
/// always stays with its first group.
pub(super) fn cut_number_groups(text: &str, emit: &mut impl FnMut(Range<usize>)) {
    let (mut at, mut start) = (0, 0);
    while let Some(c) = char_at(text, at) {
        let end = run_end(text, at, is_number);
        if end == at {
            at += c.len_utf8();
            continue;
        }
        let mut group = (text[at..end].chars().count() + 2) % 3 + 1;
        while at < end {
            at = run_end_max(text, at, is_number, group);
            emit(start..at);
            (start, group) = (at, 3);
        }
    }
    emit(start..at);
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)` at byte `at`.
#[inline]
pub(super) fn gpt2_word(text: &str, at: usize) -> Option<usize> {
    let c = char_at(text, at)?;
    if c == '\''
        && let Some(end) = contraction(text, at, |byte| byte)
    {
        return Some(end);
    }
    let (start, first) = if c == ' ' { (at + 1, char_after(text, at, c)) } else { (at, Some(c)) };
    match first {
        Some(c) if is_letter(c) => Some(run_end(text, start, is_letter)),
        Some(c) if is_number(c) => Some(run_end(text, start, is_number)),
        Some(c) if is_sign(c) => Some(run_end(text, start, is_sign)),
        _ => Some(spaces(text, at)),
    }
}

/// End of `'s`, `'t`, `'m`, `'d`, `'re`, `'ve` or `'ll` at byte `at`, where an apostrophe stands. `fold` is
/// applied to each letter before it is compared: the identity, or lower-casing where upper case counts too.
#[inline]
pub(super) fn contraction(text: &str, at: usize, fold: impl Fn(u8) -> u8) -> Option<usize> {
    let after = &text.as_bytes()[at + 1..];
    let first = fold(*after.first()?);
    if matches!(first, b's' | b't' | b'm' | b'd') {
        return Some(at + 2);
    }
    let second = fold(*after.get(1)?);
    matches!((first, second), (b'r', b'e') | (b'v', b'e') | (b'l', b'l')).then_some(at + 3)
}

/// `\s+(?!\S)|\s+` at byte `at`: the whole run at the end of the text; otherwise its last space is left for
/// the next word, unless it is the only one.
#[inline]
pub(super) fn spaces(text: &str, at: usize) -> usize {
    let (mut last, mut end) = (at, at);
    while let Some(c) = char_at(text, end).filter(|&c| is_space(c)) {
        last = end;
        end += c.len_utf8();
    }
    if end == text.len() || last == at { end } else { last }
}

/// `\s{512}(?!\S)|\s{256}(?!\S)| ... |\s{4}(?!\S)|\s{1,2}(?!\S)` for a piece that is spaces without a line
/// end: powers of two, the largest first. Any other piece stays whole.
pub(super) fn cut_powers(text: &str, emit: &mut impl FnMut(Range<usize>)) {
    if !text.chars().all(|c| is_space(c) && !is_newline(c)) {
        return emit(0..text.len());
    }
    let mut left = text.chars().count();
    let mut at = 0;
    while left > 0 {
        let power = (1 << left.ilog2()).min(512);
        let end = run_end_max(text, at, is_space, power);
        emit(at..end);
        (at, left) = (end, left - power);
    }
}
