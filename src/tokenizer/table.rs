//! Two hash tables that fit this room: texts kept in one arena -> id, and pairs of ids -> merge.
//!
//! Both are open-addressed and are filled once, from the file. Their hash is seeded per process, so that a
//! hostile file cannot choose texts that collide; nothing depends on the order of slots.

use std::hash::{BuildHasher, RandomState};
use std::hint::black_box;
use std::panic::resume_unwind;
use std::thread;

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

/// Whether two texts are equal; for the short ones that tokens are, faster than a call to compare memory.
#[inline]
pub(super) fn same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match (a.first_chunk::<8>(), b.first_chunk::<8>()) {
        (Some(first), Some(other)) if a.len() <= 16 => {
            first == other && a.last_chunk::<8>() == b.last_chunk::<8>()
        }
        (Some(_), Some(_)) => a == b,
        _ => short_word(a) == short_word(b),
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
pub(super) fn slots_for(entries: usize) -> usize {
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

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(u32, u32)>()
    }

    /// The id of `text`.
    #[inline]
    pub(super) fn get<'a>(&self, text: &[u8], text_of: impl Fn(u32) -> &'a [u8]) -> Option<u32> {
        let hash = self.hash.bytes(text);
        let slot = self.find(hash, |id| same(text_of(id), text));
        Some(self.slots[slot].1).filter(|&id| id != NO_ID)
    }

    /// [`TextTable::get`] for `N` texts at once, or fewer. The slots of all are read before any text is compared, so that the
    /// processor waits for memory once and not for each: about twice as fast in a large table.
    pub(super) fn get_many<'a, const N: usize>(
        &self,
        texts: &[&[u8]],
        text_of: impl Fn(u32) -> &'a [u8],
    ) -> [Option<u32>; N] {
        let mask = self.slots.len() - 1;
        let mut likely = [(0, (0, NO_ID)); N];
        for (likely, text) in likely.iter_mut().zip(texts) {
            let hash = self.hash.bytes(text);
            *likely = (hash, self.slots[hash as usize & mask]);
        }
        let mut found = [None; N];
        for ((found, text), (hash, (tag, id))) in found.iter_mut().zip(texts).zip(likely) {
            let is_first = id != NO_ID && tag == (hash >> 32) as u32 && same(text_of(id), text);
            let id = if is_first { id } else { self.slots[self.find(hash, |id| same(text_of(id), text))].1 };
            *found = Some(id).filter(|&id| id != NO_ID);
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
        let slot = self.find(hash, |id| same(text_of(id), text));
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

/// A merge: two ids and what joining them gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub left: u32,
    pub right: u32,
    pub join: Join,
}

/// Pair of ids -> [`Join`].
pub(super) struct PairTable {
    hash: Hash,
    /// An empty slot has [`NO_ID`] on the left.
    slots: Vec<Pair>,
}

const EMPTY: Pair = Pair { left: NO_ID, right: 0, join: Join { rank: 0, id: 0 } };
/// Pairs whose slots are read together.
const AHEAD: usize = 32;

impl PairTable {
    /// The table of all pairs in `parts`; of merges of one pair that with the lowest rank counts. Each part has a thread, which fills
    /// its own share of the slots.
    pub(super) fn new(parts: &[Vec<Pair>]) -> PairTable {
        let slots = vec![EMPTY; slots_for(parts.iter().map(Vec::len).sum())];
        let mut table = PairTable { hash: Hash::new(), slots };
        let share = table.slots.len().div_ceil(parts.len().max(1));
        let (hash, mask) = (table.hash, table.slots.len() - 1);
        let fill = |(index, slots)| Share { hash, mask, first: index * share, slots }.fill(parts);
        let left_over: Vec<Pair> = thread::scope(|scope| {
            let mut shares = table.slots.chunks_mut(share).enumerate();
            let own = shares.next();
            // Where no thread can be had, its share finds no place, and all pairs are put in theirs below.
            let others: Vec<_> =
                shares.map(|share| thread::Builder::new().spawn_scoped(scope, move || fill(share))).collect();
            let mut left_over: Vec<Pair> = own.map(fill).unwrap_or_default();
            for other in others {
                match other {
                    Ok(other) => left_over.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic))),
                    Err(_) => left_over.extend(parts.iter().flatten()),
                }
            }
            left_over
        });
        for pair in left_over {
            let slot = table.find(pair.left, pair.right);
            put(&mut table.slots[slot], pair);
        }
        table
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Pair>()
    }

    #[inline]
    pub(super) fn get(&self, left: u32, right: u32) -> Option<Join> {
        let found = &self.slots[self.find(left, right)];
        (found.left != NO_ID).then_some(found.join)
    }

    #[inline]
    fn find(&self, left: u32, right: u32) -> usize {
        let mask = self.slots.len() - 1;
        let mut slot = self.hash.pair(left, right) as usize & mask;
        while !is_place(&self.slots[slot], left, right) {
            slot = (slot + 1) & mask;
        }
        slot
    }
}

/// Whether a slot holds the pair, or is empty and so could.
#[inline]
fn is_place(slot: &Pair, left: u32, right: u32) -> bool {
    slot.left == NO_ID || (slot.left, slot.right) == (left, right)
}

/// Writes a pair to its place, unless an earlier merge of the same pair is there.
#[inline]
fn put(slot: &mut Pair, pair: Pair) {
    if slot.left == NO_ID || pair.join.rank < slot.join.rank {
        *slot = pair;
    }
}

/// Neighbouring slots of a [`PairTable`], filled by one thread.
struct Share<'a> {
    hash: Hash,
    /// Number of slots in the table, less one.
    mask: usize,
    first: usize,
    slots: &'a mut [Pair],
}

impl Share<'_> {
    /// Puts the pairs that belong here in their places; those that find no room before the end of the share are returned.
    fn fill(mut self, parts: &[Vec<Pair>]) -> Vec<Pair> {
        let mut left_over = Vec::new();
        let mut batch = [(0, EMPTY); AHEAD];
        let mut len = 0;
        for pair in parts.iter().flatten() {
            let home = (self.hash.pair(pair.left, pair.right) as usize & self.mask).wrapping_sub(self.first);
            batch[len] = (home, *pair);
            len += usize::from(home < self.slots.len());
            if len == AHEAD {
                self.place(&batch, &mut left_over);
                len = 0;
            }
        }
        self.place(&batch[..len], &mut left_over);
        left_over
    }

    /// The slots of all pairs are read before any is compared, so that the processor waits for memory once and not for each.
    fn place(&mut self, batch: &[(usize, Pair)], left_over: &mut Vec<Pair>) {
        black_box(batch.iter().fold(0, |all, &(home, _)| all ^ self.slots[home].left));
        for &(home, pair) in batch {
            match self.slots[home..].iter_mut().find(|slot| is_place(slot, pair.left, pair.right)) {
                Some(slot) => put(slot, pair),
                None => left_over.push(pair),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn equal_texts_are_the_same() {
        for len in 0..40 {
            let text: Vec<u8> = (0..len).collect();
            assert!(same(&text, &text.clone()) && !same(&text, &[&text[..], b"x"].concat()));
            for at in 0..text.len() {
                let mut other = text.clone();
                other[at] ^= 0x80;
                assert!(!same(&text, &other), "{len} bytes, byte {at}");
            }
        }
    }

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
        assert_eq!(table.get_many(&many[..1], text_of), [Some(7), None]);
        assert_eq!(table.get(b"not there", text_of), None);
        assert_eq!(table.get(b"", text_of), None);
    }

    #[test]
    fn the_earliest_of_equal_pairs_counts() {
        for parts in 0..5 {
            let mut split = vec![Vec::new(); parts];
            for i in (0..1000u32).rev().filter(|_| parts > 0) {
                split[i as usize * 7 % parts].push(Pair {
                    left: i % 500,
                    right: i % 5,
                    join: Join { rank: i, id: i },
                });
            }
            let table = PairTable::new(&split);
            for i in 0..500u32 {
                assert_eq!(
                    table.get(i, i % 5),
                    (parts > 0).then_some(Join { rank: i, id: i }),
                    "{parts} parts"
                );
            }
            assert_eq!(table.get(501, 0), None);
            // The mark of an unknown character is never the left side of a merge.
            assert_eq!(table.get(NO_ID, 0), None);
        }
    }

    /// Shares of very few slots run over; what is left over must be found all the same.
    #[test]
    fn pairs_that_leave_their_share_are_found() {
        for count in 1..40u32 {
            let part = |parity| {
                let own = (0..count).filter(|i| i % 2 == parity);
                own.map(|i| Pair { left: i, right: i, join: Join { rank: i, id: i } }).collect()
            };
            let table = PairTable::new(&[part(0), part(1)]);
            assert!((0..count).all(|i| table.get(i, i) == Some(Join { rank: i, id: i })), "{count} pairs");
            assert_eq!(table.get(count, count), None);
        }
    }
}
