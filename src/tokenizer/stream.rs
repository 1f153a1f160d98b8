//! Token bytes to text, as they come: only whole characters leave, and nothing is lost at the end.

/// A streaming UTF-8 decoder for generated text.
///
/// Tokens may end inside a character. The stream holds back an unfinished character (at most three bytes)
/// until its rest comes. Bytes that can no longer become a character are replaced by U+FFFD at once, one for
/// each maximal invalid part, so that the whole output equals [`String::from_utf8_lossy`] of the whole input,
/// however it is cut.
///
/// ```
/// use siskin::tokenizer::TextStream;
///
/// let (mut stream, mut text) = (TextStream::new(), String::new());
/// stream.push(b"\xc3", &mut text);
/// assert_eq!(text, "");
/// stream.push(b"\xa9t\xc3", &mut text);
/// assert_eq!(text, "ét");
/// stream.finish(&mut text);
/// assert_eq!(text, "ét\u{fffd}");
/// ```
#[derive(Clone, Debug, Default)]
pub struct TextStream {
    /// The beginning of a character, in `held[..len]`.
    held: [u8; 4],
    len: usize,
}

impl TextStream {
    /// A stream that holds nothing.
    pub fn new() -> TextStream {
        TextStream::default()
    }

    /// Appends to `out` all text that `bytes` completes.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        let mut rest = self.complete_held(bytes, out);
        while !rest.is_empty() {
            let (valid, invalid) = match std::str::from_utf8(rest) {
                Ok(text) => return out.push_str(text),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            // The bytes before `valid` were just checked, so nothing is replaced here.
            out.push_str(&String::from_utf8_lossy(&rest[..valid]));
            rest = &rest[valid..];
            let Some(invalid) = invalid else { return self.hold(rest) };
            out.push(char::REPLACEMENT_CHARACTER);
            rest = &rest[invalid..];
        }
    }

    /// Appends what is still held, an unfinished character, as U+FFFD. The stream can be used again
    /// afterwards.
    pub fn finish(&mut self, out: &mut String) {
        if self.len > 0 {
            out.push(char::REPLACEMENT_CHARACTER);
            self.len = 0;
        }
    }

    /// Number of bytes held back, 0 to 3.
    pub fn held_bytes(&self) -> usize {
        self.len
    }

    /// Feeds the held character byte by byte until it is whole or broken; returns the bytes not used for
    /// that.
    fn complete_held<'a>(&mut self, bytes: &'a [u8], out: &mut String) -> &'a [u8] {
        let mut rest = bytes;
        while self.len > 0
            && let Some((&byte, tail)) = rest.split_first()
        {
            self.held[self.len] = byte;
            match std::str::from_utf8(&self.held[..=self.len]) {
                Ok(text) => {
                    out.push_str(text);
                    self.len = 0;
                }
                Err(error) if error.error_len().is_none() => self.len += 1,
                Err(_) => {
                    // `byte` does not continue what is held. It may begin something new, so it is not used
                    // up.
                    out.push(char::REPLACEMENT_CHARACTER);
                    self.len = 0;
                    continue;
                }
            }
            rest = tail;
        }
        rest
    }

    /// Keeps the beginning of a character: `bytes` has at most three.
    fn hold(&mut self, bytes: &[u8]) {
        self.held[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn streamed<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
        let (mut stream, mut text) = (TextStream::new(), String::new());
        for part in parts {
            stream.push(part, &mut text);
            assert!(stream.held_bytes() < 4);
        }
        stream.finish(&mut text);
        text
    }

    #[test]
    fn every_cut_of_a_mixed_text() {
        let bytes = b"a\xc3\xa9\xf0\x9f\x98\x80\xff\xe2\x96\xf0\x9f\xed\xa0\x80z\xc3";
        let whole = String::from_utf8_lossy(bytes);
        for cut in 0..=bytes.len() {
            assert_eq!(streamed([&bytes[..cut], &bytes[cut..]]), whole);
        }
        assert_eq!(streamed(bytes.chunks(1)), whole);
    }

    #[test]
    fn invalid_bytes_leave_at_once() {
        let (mut stream, mut text) = (TextStream::new(), String::new());
        stream.push(b"\xf0\x9f", &mut text);
        assert_eq!((text.as_str(), stream.held_bytes()), ("", 2));
        stream.push(b"a", &mut text);
        assert_eq!((text.as_str(), stream.held_bytes()), ("\u{fffd}a", 0));
    }

    /// Bytes that are likely to meet the rules of UTF-8 at their borders.
    fn awkward_bytes() -> impl Strategy<Value = Vec<u8>> {
        let byte = prop_oneof![
            any::<u8>(),
            prop::sample::select(b"\xe0\xed\xf0\xf4\x80\x8f\x90\x9f\xa0\xbf\xc2\xc3a".to_vec())
        ];
        prop_oneof![prop::collection::vec(byte, 0..40), any::<String>().prop_map(String::into_bytes)]
    }

    proptest! {
        #[test]
        fn any_split_of_any_bytes_equals_the_whole(bytes in awkward_bytes(), sizes in prop::collection::vec(0usize..5, 0..60)) {
            let mut rest = bytes.as_slice();
            let mut parts = Vec::new();
            for size in sizes {
                let (part, tail) = rest.split_at(size.min(rest.len()));
                parts.push(part);
                rest = tail;
            }
            parts.push(rest);
            prop_assert_eq!(streamed(parts), String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}
