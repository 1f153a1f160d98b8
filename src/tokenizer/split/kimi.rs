//! The words of Kimi K2.

use super::class::{is_letter, is_newline, is_number, is_sign};
use super::words::{SpaceRun, folded_contraction};
use super::{char_after, char_at, run_end, run_end_max};

/// At byte `at`: a run of Han characters, or a word of the GPT-4o family whose letters are neither Han nor
/// marks and have no case: `[han]+|[^\r\n\p{L}\p{N}]?[\p{L}--han]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
///
/// The run of Han cannot be a stage of its own: the space before it would then be the end of a text.
pub(super) fn word(text: &str, at: usize) -> Option<usize> {
    let c = char_at(text, at)?;
    if is_han(c) {
        return Some(run_end(text, at, is_han));
    }
    if let Some(end) = letters(text, at, c) {
        return Some(end);
    }
    if is_number(c) {
        return Some(run_end_max(text, at, is_number, 3));
    }
    signs(text, at, c).or_else(|| SpaceRun::scan(text, at).word_end(text))
}

fn letters(text: &str, at: usize, c: char) -> Option<usize> {
    let leads = !is_newline(c) && !is_letter(c) && !is_number(c);
    let start = if leads { at + c.len_utf8() } else { at };
    let end = run_end(text, start, |c| is_letter(c) && !is_han(c));
    if end == start {
        return None;
    }
    let apostrophe = char_at(text, end) == Some('\'');
    Some(apostrophe.then(|| folded_contraction(text, end)).flatten().unwrap_or(end))
}

/// ` ?[^\s\p{L}\p{N}]+[\r\n]*`
fn signs(text: &str, at: usize, c: char) -> Option<usize> {
    let start = if c == ' ' { at + 1 } else { at };
    let first = if c == ' ' { char_after(text, at, c)? } else { c };
    is_sign(first).then(|| run_end(text, run_end(text, start, is_sign), is_newline))
}

/// Han by block, whether assigned or not.
fn is_han(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{f900}'..='\u{faff}')
        || matches!(c, '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2ebef}' | '\u{2f800}'..='\u{2fa1f}')
}
