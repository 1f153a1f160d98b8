//! The sets of characters that the rules name, beside the Unicode classes. Used by `rules.rs` only.

use super::class::{is_newline, is_punctuation, is_space};

pub(super) fn is_newline_or_slash(c: char) -> bool {
    is_newline(c) || c == '/'
}

pub(super) fn is_not_line_feed(c: char) -> bool {
    c != '\n'
}

pub(super) fn is_blank(c: char) -> bool {
    c == ' '
}

pub(super) fn is_ascii_digit(c: char) -> bool {
    c.is_ascii_digit()
}

/// `[\p{P}$+<=>^~|]`
pub(super) fn is_default_punctuation(c: char) -> bool {
    is_punctuation(c) || "$+<=>^~|".contains(c)
}

/// `[\p{P}$+<=>^~|`]`
pub(super) fn is_falcon_punctuation(c: char) -> bool {
    is_default_punctuation(c) || c == '`'
}

/// `[\p{P}!-/:-@\[-`{-~]`
pub(super) fn is_any_punctuation(c: char) -> bool {
    is_punctuation(c) || c.is_ascii_punctuation()
}

/// The East Asian scripts that AFMoE lists. One of its ranges begins at U+8C48, for which U+F900 was meant:
/// both look the same.
pub(super) fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{8c48}'..='\u{faff}')
        || matches!(c, '\u{3040}'..='\u{30ff}' | '\u{ff65}'..='\u{ff9f}' | '\u{2f00}'..='\u{2fdf}')
        || matches!(c, '\u{0e40}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}')
        || matches!(c, '\u{1780}'..='\u{17ff}' | '\u{a9e0}'..='\u{a9ff}' | '\u{aa60}'..='\u{aa7f}')
}

/// `[^(\s|.,!?…。，、।۔،)]`
pub(super) fn is_porous(c: char) -> bool {
    !is_space(c) && !"(|.,!?…。，、।۔،)".contains(c)
}

pub(super) fn is_hangul(c: char) -> bool {
    matches!(c, '\u{ac00}'..='\u{d7a3}' | '\u{3131}'..='\u{318e}')
}

pub(super) fn is_chinese_punctuation(c: char) -> bool {
    matches!(c, '！' | '…' | '“' | '”' | '‘' | '’' | '—' | '：' | '；' | '，')
        || matches!(c, '\u{3001}'..='\u{303f}' | '\u{fe30}'..='\u{fe4f}')
}

pub(super) fn is_bopomofo(c: char) -> bool {
    matches!(c, '\u{3105}'..='\u{312f}')
}
