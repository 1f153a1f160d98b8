//! What Chameleon cuts out before anything else: the names of its images and sentinels, and indentation.

/// `<sentinel:[0-9]+>` at byte `at`.
pub(super) fn sentinel(text: &str, at: usize) -> Option<usize> {
    let number = text.as_bytes()[at..].strip_prefix(b"<sentinel:")?;
    let digits = number.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = at + b"<sentinel:".len() + digits;
    (digits > 0 && text.as_bytes().get(end) == Some(&b'>')).then_some(end + 1)
}

/// `IMGIMG[A-I]{1,4}Z` at byte `at`.
pub(super) fn image(text: &str, at: usize) -> Option<usize> {
    let code = text.as_bytes()[at..].strip_prefix(b"IMGIMG")?;
    let letters = code.iter().take(4).take_while(|byte| matches!(byte, b'A'..=b'I')).count();
    (letters > 0 && code.get(letters) == Some(&b'Z')).then_some(at + b"IMGIMG".len() + letters + 1)
}

/// A tab, a line feed, four blanks or two blanks at byte `at`.
pub(super) fn indent(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let len = ["\t", "\n", "    ", "  "].iter().find(|unit| rest.starts_with(unit.as_bytes()))?.len();
    Some(at + len)
}
