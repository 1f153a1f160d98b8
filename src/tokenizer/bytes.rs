//! How GPT-2 spells bytes: each of the 256 bytes is one printable character, so that a vocabulary is text.
//!
//! The printable characters of Latin-1 stand for themselves; the other 68 bytes, in order, are U+0100 to
//! U+0143.

/// The character of every byte.
const SPELLED: [char; 256] = {
    let mut table = ['\0'; 256];
    let (mut byte, mut next) = (0, 0x100);
    while byte < 256 {
        let itself = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if itself { byte as u32 } else { next };
        table[byte] = match char::from_u32(code) {
            Some(c) => c,
            None => panic!("all codes are below U+0144"),
        };
        next += !itself as u32;
        byte += 1;
    }
    table
};

/// The byte of every character below U+0144 that spells one.
const MEANT: [Option<u8>; 0x144] = {
    let mut table = [None; 0x144];
    let mut byte = 0;
    while byte < 256 {
        table[SPELLED[byte] as usize] = Some(byte as u8);
        byte += 1;
    }
    table
};

/// The character that spells `byte`.
#[inline]
pub(super) fn spell(byte: u8) -> char {
    SPELLED[byte as usize]
}

/// The byte that `c` spells, if it spells one.
#[inline]
pub(super) fn meaning(c: char) -> Option<u8> {
    *MEANT.get(c as usize)?
}

/// Replaces `out` by `bytes` as they are spelled in a vocabulary.
pub(super) fn spell_all(bytes: &[u8], out: &mut String) {
    out.clear();
    out.extend(bytes.iter().map(|&byte| spell(byte)));
}

/// Appends the bytes that `text` spells. A character that spells none, and bytes that are not UTF-8, stand
/// for themselves.
pub(super) fn append_meaning(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        for c in chunk.valid().chars() {
            match meaning(c) {
                Some(byte) => out.push(byte),
                None => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        out.extend_from_slice(chunk.invalid());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        for byte in 0..=255 {
            assert_eq!(meaning(spell(byte)), Some(byte));
        }
    }

    #[test]
    fn the_known_spellings() {
        assert_eq!(spell(b'a'), 'a');
        assert_eq!(spell(b' '), 'Ġ');
        assert_eq!(spell(b'\n'), 'Ċ');
        assert_eq!(spell(0xad), '\u{143}');
        assert_eq!(meaning('\u{144}'), None);
        assert_eq!(meaning('▁'), None);
    }

    #[test]
    fn what_spells_nothing_stands_for_itself() {
        let mut out = Vec::new();
        append_meaning("Ġa▁ ".as_bytes(), &mut out);
        append_meaning(b"\xff", &mut out);
        assert_eq!(out, [b" a\xe2\x96\x81 ".as_slice(), b"\xff"].concat());
    }
}
