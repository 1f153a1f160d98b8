//! The precompiled character map of SentencePiece (`tokenizer.ggml.precompiled_charsmap`).
//!
//! Four bytes, little-endian, say how many bytes the double array takes; then come the array and, each with a
//! zero at its end, the replacements. The array is that of Darts-clone (XOR-compressed; S. Kanda, "Space- and
//! Time-Efficient String Dictionaries", 2018). A unit of 32 bits has in bits 0 to 7 the byte that leads to it,
//! in bit 8 whether a key ends there, in bits 10 to 30 the distance to its children, to be shifted left by
//! eight if bit 9 is set. The child of byte 0 is a value: where the replacement begins.

use crate::tokenizer::Error;

/// What replaces which sequences of bytes.
pub(in crate::tokenizer) struct Charsmap {
    units: Vec<u32>,
    /// Texts, each with a zero at its end.
    replacements: Vec<u8>,
    /// Whether a key begins with each of the ASCII bytes.
    begins: [bool; 128],
}

/// Longest key that is looked for. Real ones have some dozens of bytes; a damaged array can have cycles.
const MAX_KEY: usize = 256;

impl Charsmap {
    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.units.capacity() * size_of::<u32>() + self.replacements.capacity()
    }

    /// Reads the value of the key. No bytes at all are a map that replaces nothing.
    pub(in crate::tokenizer) fn new(blob: &[u8]) -> Result<Charsmap, Error> {
        if blob.is_empty() {
            return Ok(Charsmap { units: Vec::new(), replacements: Vec::new(), begins: [false; 128] });
        }
        let damaged = |expected| Error::Charsmap { found: blob.len() as u64, expected };
        let (size, rest) = blob.split_first_chunk::<4>().ok_or_else(|| damaged(5))?;
        let size = u32::from_le_bytes(*size);
        let parts = rest.split_at_checked(size as usize).filter(|(_, texts)| !texts.is_empty());
        let (array, replacements) = parts.ok_or_else(|| damaged(u64::from(size) + 5))?;
        let units = array.as_chunks::<4>().0.iter().map(|unit| u32::from_le_bytes(*unit)).collect();
        let mut map = Charsmap { units, replacements: replacements.to_vec(), begins: [false; 128] };
        map.begins = std::array::from_fn(|byte| map.child(map.root(), byte as u8).is_some());
        Ok(map)
    }

    /// Whether a key may begin with this ASCII byte.
    #[inline]
    pub(super) fn replaces(&self, byte: u8) -> bool {
        self.begins[usize::from(byte)]
    }

    /// The length of the longest key that `text` begins with, and what replaces it. A damaged entry is no key.
    pub(super) fn longest(&self, text: &[u8]) -> Option<(usize, &[u8])> {
        let mut longest = None;
        let mut at = self.root();
        for (&byte, len) in text.iter().zip(1..=MAX_KEY) {
            let Some((unit, child)) = self.child(at, byte) else { break };
            at = child ^ offset(unit);
            if unit >> 8 & 1 == 1 {
                longest = Some((len, at));
            }
        }
        let (len, value) = longest?;
        let start = self.units.get(value as usize)? & 0x7fff_ffff;
        let replacement = self.replacements.get(start as usize..)?;
        let end = replacement.iter().position(|&byte| byte == 0)?;
        Some((len, &replacement[..end]))
    }

    /// Where the children of the root are.
    fn root(&self) -> u32 {
        self.units.first().map_or(0, |&unit| offset(unit))
    }

    /// The unit that `byte` leads to from the children at `base`, and its index.
    #[inline]
    fn child(&self, base: u32, byte: u8) -> Option<(u32, u32)> {
        let index = base ^ u32::from(byte);
        let unit = *self.units.get(index as usize)?;
        // Bit 31 is set in values, which are no children.
        (byte != 0 && unit & 0x8000_00ff == u32::from(byte)).then_some((unit, index))
    }
}

/// The distance from a unit to its children.
#[inline]
fn offset(unit: u32) -> u32 {
    (unit >> 10) << ((unit & 1 << 9) >> 6)
}
