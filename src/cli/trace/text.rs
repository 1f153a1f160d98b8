//! Text for terminals: what a token adds, made visible and harmless, in columns.

use super::record::Piece;
use std::fmt::Write;

/// A token's text in quotes, with escapes for what cannot be seen or would steer a terminal; special tokens as they are spelled.
pub fn shown(piece: &Piece) -> String {
    if piece.special {
        return piece.text.escape_debug().collect();
    }
    let mut out = String::from("\"");
    for chunk in piece.bytes.as_deref().unwrap_or(piece.text.as_bytes()).utf8_chunks() {
        out.extend(chunk.valid().escape_debug());
        for byte in chunk.invalid() {
            // a String takes everything
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out.push('"');
    out
}

/// Columns that a character takes: 2 for the wide ones of East Asian scripts and emoji (Unicode annex 11, by blocks), else 1.
fn width_of(c: char) -> usize {
    const WIDE: [(u32, u32); 8] = [
        (0x1100, 0x115F),
        (0x2E80, 0xA4CF),
        (0xAC00, 0xD7A3),
        (0xF900, 0xFAFF),
        (0xFE30, 0xFE4F),
        (0xFF00, 0xFF60),
        (0x1F300, 0x1FAFF),
        (0x20000, 0x3FFFD),
    ];
    let code = u32::from(c);
    if WIDE.iter().any(|&(first, last)| (first..=last).contains(&code)) { 2 } else { 1 }
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.chars().map(width_of).sum()
}

/// The text in exactly so many columns: filled with blanks, or cut with an ellipsis.
pub fn fit(text: &str, columns: usize) -> String {
    let mut out = cut(text, columns);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&out))));
    out
}

/// The text in at most so many columns.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for c in text.chars() {
        if used + width_of(c) + 1 > columns {
            break;
        }
        used += width_of(c);
        out.push(c);
    }
    if columns > 0 {
        out.push('…');
    }
    out
}

/// The text in lines of so many columns at most, the first of which may have another width: broken at blanks, and within a word where that is
/// longer than a line.
pub fn wrap(text: &str, first: usize, others: usize) -> Vec<String> {
    let (mut lines, mut line, mut room) = (Vec::new(), String::new(), first);
    for mut word in text.split(' ') {
        let gap = if line.is_empty() { "" } else { " " };
        if width(&line) + gap.len() + width(word) > room {
            // a word that finds no room on an empty line may on a wider one
            if !line.is_empty() || room < others {
                lines.push(std::mem::take(&mut line));
            }
            room = others;
            while width(word) > room && word.chars().count() > 1 {
                let (head, tail) = word.split_at(fitting(word, room));
                lines.push(head.to_owned());
                word = tail;
            }
        } else {
            line.push_str(gap);
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}

/// Bytes of the beginning of a text that fits into so many columns: one character at least.
fn fitting(text: &str, columns: usize) -> usize {
    let mut used = 0;
    let beyond = text.char_indices().skip_while(|(at, c)| {
        used += width_of(*c);
        *at == 0 || used <= columns
    });
    beyond.map(|(at, _)| at).next().unwrap_or(text.len())
}

/// A bar for a value in `[0, 1]`, at most so many columns, in eighths of one; a value above 0 is always seen.
pub fn bar(value: f32, columns: usize) -> String {
    const PARTS: [char; 8] = ['▏', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = (f64::from(value.clamp(0.0, 1.0)) * columns as f64 * 8.0).round() as usize;
    let mut out = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) || (eighths == 0 && value > 0.0) {
        out.push(PARTS[eighths % 8]);
    }
    out
}

/// A probability in per cent, six columns and the sign.
pub fn percent(p: f32) -> String {
    let percent = f64::from(p) * 100.0;
    if percent > 0.0 && percent < 0.05 { format!("{percent:6.0e} %") } else { format!("{percent:6.1} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, bytes: Option<&[u8]>, special: bool) -> Piece {
        Piece { token: 0, text: text.to_owned(), special, bytes: bytes.map(<[u8]>::to_vec) }
    }

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(shown(&piece(" a\u{1b}[31m\n\"", None, false)), "\" a\\u{1b}[31m\\n\\\"\"");
        assert_eq!(shown(&piece("\u{fffd}", Some(b"\xe2\x82"), false)), "\"\\xE2\\x82\"");
        assert_eq!(shown(&piece("<s>", None, true)), "<s>");
        assert_eq!(shown(&piece("\u{1b}]0;", None, true)), "\\u{1b}]0;");
    }

    #[test]
    fn columns_are_kept() {
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!((cut("abc", 0), cut("", 3)), (String::new(), String::new()));
    }

    #[test]
    fn lines_are_broken_at_blanks() {
        assert_eq!(wrap("a bc def", 4, 4), ["a bc", "def"]);
        assert_eq!(wrap("a bc def", 1, 6), ["a", "bc def"]);
        assert_eq!(wrap("abcdefg h", 3, 3), ["abc", "def", "g h"]);
        assert_eq!(wrap("ab cdefgh", 4, 3), ["ab", "cde", "fgh"]);
        assert_eq!(wrap("日本語", 6, 3), ["日本語"]);
        assert_eq!(wrap("日本語", 0, 3), ["", "日", "本", "語"]);
        assert_eq!(wrap("ab", 0, 0), ["a", "b"]);
        assert_eq!(wrap("ab c", 0, 4), ["", "ab c"]);
        assert_eq!(wrap("", 5, 5), [""]);
        for columns in 1..40 {
            let text = "4 x attention (8 query and 4 key-value heads of 32); feed-forward of 768 values";
            let lines = wrap(text, columns, columns);
            assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn bars_are_as_long_as_values_are_large() {
        assert_eq!(bar(1.0, 4), "████");
        assert_eq!(bar(0.5, 4), "██");
        assert_eq!(bar(0.5 + 1.0 / 64.0, 8), "████▏");
        assert_eq!((bar(1e-6, 4), bar(0.0, 4)), ("▏".to_owned(), String::new()));
        let widths: Vec<usize> = (0..=100).map(|i| width(&bar(i as f32 / 100.0, 20))).collect();
        assert!(widths.is_sorted() && widths[100] == 20);
    }

    #[test]
    fn percentages_keep_their_width() {
        for p in [0.0, 1e-30, 1e-6, 4e-4, 6e-4, 0.123, 1.0] {
            assert_eq!(percent(p).len(), 8, "{p}: {}", percent(p));
        }
    }
}
