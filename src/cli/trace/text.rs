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
