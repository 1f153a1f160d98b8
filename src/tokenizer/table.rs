//! Two hash tables that fit this room: texts kept in one arena -> id, and pairs of ids -> merge.
//!
//! Both are open-addressed and are filled once, from the file. Their hash is seeded per process, so that a
//! hostile file cannot choose texts that collide; nothing depends on the order of slots.

use std::hash::{BuildHasher, RandomState};

/// An id that stands for no token.
pub(super) const NO_ID: u32 = u32::MAX;

/// A fast hash of short byte strings and id pairs with a random seed.
#[derive(Clone, Copy)]
pub(super) struct Hash {
    seed: u64,
}

impl Hash {
    pub(super) fn new() -> Hash {
        Hash { seed: RandomState::new().hash_one(0u64) }
    }

    #[inline]
    pub(super) fn bytes(self, bytes: &[u8]) -> u64 {
        let mut hash = mix(self.seed ^ bytes.len() as u64);
        let mut rest = bytes;
        while let Some((word, after)) = rest.split_first_chunk::<8>().filter(|_| rest.len() > 8) {
            hash = mix(hash ^ u64::from_le_bytes(*word));
            rest = after;
        }
        mix(hash ^ short_word(rest))
    }

    #[inline]
    pub(super) fn pair(self, left: u32, right: u32) -> u64 {
        mix(self.seed ^ (u64::from(left) << 32 | u64::from(right)))
    }
}

/// Up to eight bytes as a number, from overlapping reads; together with the length it tells any two of them
/// apart.
#[inline]
fn short_word(bytes: &[u8]) -> u64 {
    if let (Some(low), Some(high)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*low)) | u64::from(u32::from_le_bytes(*high)) << 32;
    }
    let at = |index: usize| u64::from(bytes[index]);
    match bytes.len() {
        0 => 0,
        len => at(0) | at(len / 2) << 8 | at(len - 1) << 16,
    }
}

/// Multiplies by an odd constant and folds the 128-bit product, which spreads every input bit over the
/// result.
#[inline]
fn mix(word: u64) -> u64 {
    let product = u128::from(word) * 0x9e37_79b9_7f4a_7c15;
    (product as u64) ^ (product >> 64) as u64
}

/// Slots for `entries` keys: a power of two, at most five eighths full.
fn slots_for(entries: usize) -> usize {
    (entries.saturating_mul(8) / 5 + 1).next_power_of_two()
}

/// Text -> id. The texts themselves are elsewhere: the caller hands in how to find the text of an id.
pub(super) struct TextTable {
    hash: Hash,
    /// Upper half of the hash, and the id; the id of an empty slot is [`NO_ID`].
    slots: Vec<(u32, u32)>,
    used: usize,
}

impl TextTable {
    pub(super) fn with_capacity(entries: usize) -> TextTable {
        TextTable { hash: Hash::new(), slots: vec![(0, NO_ID); slots_for(entries)], used: 0 }
    }

    /// The id of `text`.
    #[inline]
    pub(super) fn get<'a>(&self, text: &[u8], text_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        let hash = self.hash.bytes(text);
        let slot = self.find(hash, |id| text_of(id) == text);
        Some(self.slots[slot].1).filter(|&id| id != NO_ID)
    }

    /// [`TextTable::get`] for many texts at once. The slots of all are read before any text is compared, so
    /// that the processor waits for memory once and not for each: about twice as fast in a large table.
    pub(super) fn get_many<'a, const N: usize>(
        &self,
        texts: &[&[u8]; N],
        text_of: impl Fn(u32) -> &'a [u8],
    ) -> [Option<u32>; N] {
        let mask = self.slots.len() - 1;
        let likely = texts.map(|text| self.slots[self.hash.bytes(text) as usize & mask].1);
        let mut found = [None; N];
        for ((found, &text), id) in found.iter_mut().zip(texts).zip(likely) {
            let is_first = id != NO_ID && text_of(id) == text;
            *found = if is_first { Some(id) } else { self.get(text, &text_of) };
        }
        found
    }

    /// Adds `text` as `id`, unless it is there already; then the id it has is returned.
    pub(super) fn insert<'a>(
        &mut self,
        text: &[u8],
        id: u32,
        text_of: impl Fn(u32) -> &'a [u8],
    ) -> Option<u32> {
        if self.used * 8 >= self.slots.len() * 5 {
            self.grow(&text_of);
        }
        let hash = self.hash.bytes(text);
        let slot = self.find(hash, |id| text_of(id) == text);
        if self.slots[slot].1 != NO_ID {
            return Some(self.slots[slot].1);
        }
        self.slots[slot] = ((hash >> 32) as u32, id);
        self.used += 1;
        None
    }

    /// The slot that holds the key, or the empty one where it belongs. There is always an empty one.
    #[inline]
    fn find(&self, hash: u64, is_key: impl Fn(u32) -> bool) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        loop {
            let (tag, id) = self.slots[slot];
            if id == NO_ID || (tag == (hash >> 32) as u32 && is_key(id)) {
                return slot;
            }
            slot = (slot + 1) & mask;
        }
    }

    fn grow<'a>(&mut self, text_of: impl Fn(u32) -> &'a [u8]) {
        let larger = vec![(0, NO_ID); self.slots.len() * 2];
        for (tag, id) in std::mem::replace(&mut self.slots, larger) {
            if id != NO_ID {
                let slot = self.find(self.hash.bytes(text_of(id)), |_| false);
                self.slots[slot] = (tag, id);
            }
        }
    }
}

/// What merging two neighbouring symbols gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Join {
    /// Lower is earlier.
    pub rank: u32,
    /// The id of both texts together.
    pub id: u32,
}

/// Pair of ids -> [`Join`].
pub(super) struct PairTable {
    hash: Hash,
    /// An empty slot has [`NO_ID`] on the left.
    slots: Vec<(u32, u32, Join)>,
    used: usize,
}

const EMPTY: (u32, u32, Join) = (NO_ID, 0, Join { rank: 0, id: 0 });

impl PairTable {
    pub(super) fn with_capacity(entries: usize) -> PairTable {
        PairTable { hash: Hash::new(), slots: vec![EMPTY; slots_for(entries)], used: 0 }
    }

    #[inline]
    pub(super) fn get(&self, left: u32, right: u32) -> Option<Join> {
        let (found, _, join) = self.slots[self.find(left, right)];
        (found != NO_ID).then_some(join)
    }

    /// Adds a merge; of two merges of one pair the first counts.
    pub(super) fn insert(&mut self, left: u32, right: u32, join: Join) {
        if self.used * 8 >= self.slots.len() * 5 {
            self.grow();
        }
        let slot = self.find(left, right);
        if self.slots[slot].0 == NO_ID {
            self.slots[slot] = (left, right, join);
            self.used += 1;
        }
    }

    #[inline]
    fn find(&self, left: u32, right: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.pair(left, right) as usize & mask;
        while self.slots[slot].0 != NO_ID && (self.slots[slot].0, self.slots[slot].1) != (left, right) {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let larger = vec![EMPTY; self.slots.len() * 2];
        for entry in std::mem::replace(&mut self.slots, larger) {
            if entry.0 != NO_ID {
                let slot = self.find(entry.0, entry.1);
                self.slots[slot] = entry;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn texts_are_found_again_and_only_they() {
        let texts: Vec<Vec<u8>> =
            (0..5000u32).map(|i| format!("{i:x}").repeat(1 + i as usize % 4).into_bytes()).collect();
        let text_of = |id: u32| texts[id as usize].as_slice();
        let mut table = TextTable::with_capacity(1);
        let mut oracle = HashMap::new();
        for (id, text) in texts.iter().enumerate() {
            let known = oracle.get(text).copied();
            assert_eq!(table.insert(text, id as u32, text_of), known);
            oracle.entry(text.clone()).or_insert(id as u32);
        }
        for text in &texts {
            assert_eq!(table.get(text, text_of), oracle.get(text).copied());
        }
        let many: [&[u8]; 4] = [&texts[7], b"not there", &texts[4999], b""];
        assert_eq!(table.get_many(&many, text_of), many.map(|text| oracle.get(text).copied()));
        assert_eq!(table.get(b"not there", text_of), None);
        assert_eq!(table.get(b"", text_of), None);
    }

    #[test]
    fn the_first_of_two_equal_pairs_counts() {
        let mut table = PairTable::with_capacity(0);
        for i in 0..1000 {
            table.insert(i % 500, i % 5, Join { rank: i, id: i });
        }
        for i in 0..500u32 {
            assert_eq!(table.get(i, i % 5), Some(Join { rank: i, id: i }));
        }
        assert_eq!(table.get(501, 0), None);
        // The mark of an unknown character is never the left side of a merge.
        assert_eq!(table.get(NO_ID, 0), None);
    }
}
