//! Which slot of the cache holds which position: integers only.
//!
//! Positions are appended in order; position `p` lives in slot `p mod capacity`, so a full ring overwrites its oldest
//! position. What attention reads is at most two runs of neighbouring slots: before and after the wrap.

use std::ops::Range;

/// A ring of `capacity` slots that holds the last `capacity` positions of those appended.
#[derive(Clone, Debug)]
pub struct Ring {
    capacity: usize,
    /// The oldest position held.
    start: usize,
    end: usize,
}

impl Ring {
    /// An empty ring.
    ///
    /// # Panics
    ///
    /// If `capacity` is 0.
    pub fn new(capacity: usize) -> Ring {
        assert!(capacity > 0, "a ring without slots");
        Ring { capacity, start: 0, end: 0 }
    }

    /// Slots.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Positions appended so far, which is also the next position.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The oldest position held; that of the next one if none is.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Positions that can be appended before the oldest is overwritten.
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.end)
    }

    /// Appends `count` positions and returns them.
    pub fn append(&mut self, count: usize) -> Range<usize> {
        let first = self.end;
        self.end += count;
        self.start = self.start.max(self.end.saturating_sub(self.capacity));
        first..self.end
    }

    /// Forgets the positions from `end` on; if none before it is held any more, all of them. The next position appended is `end`.
    pub fn truncate(&mut self, end: usize) {
        self.end = self.end.min(end);
        self.start = self.start.min(self.end);
    }

    /// The slot of a position.
    pub fn slot(&self, position: usize) -> usize {
        position % self.capacity
    }

    /// The slots of the positions still held that lie before `end`, oldest first, as two runs; the second is empty unless they wrap.
    pub fn spans(&self, end: usize) -> [Range<usize>; 2] {
        runs(self.capacity, self.start, end.min(self.end))
    }

    /// The same for a ring of `capacity` slots that `len` positions were appended to.
    pub fn spans_of(capacity: usize, len: usize) -> [Range<usize>; 2] {
        Ring::spans_between(capacity, 0, len)
    }

    /// The slots that hold the positions from `from` up to `len` that are still held, after `len` positions were appended to a ring of
    /// `capacity` slots.
    pub fn spans_between(capacity: usize, from: usize, len: usize) -> [Range<usize>; 2] {
        runs(capacity, from.max(len.saturating_sub(capacity)), len)
    }
}

/// The slots of the positions `from..to`, at most `capacity` of them, as two runs.
fn runs(capacity: usize, from: usize, to: usize) -> [Range<usize>; 2] {
    if to <= from {
        return [0..0, 0..0];
    }
    let (first, last) = (from % capacity, (to - 1) % capacity + 1);
    if first < last { [first..last, 0..0] } else { [first..capacity, 0..last] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Against a plain list of what each slot holds, overwritten in order, with some positions forgotten after each append.
        #[test]
        fn holds_what_a_plain_list_holds(capacity in 1usize..20, steps in prop::collection::vec((0usize..8, 0usize..12), 0..20), back in 0usize..20) {
            let mut ring = Ring::new(capacity);
            let mut slots = vec![None; capacity];
            let mut next = 0;
            for (count, forgotten) in steps {
                for position in ring.append(count) {
                    prop_assert_eq!(position, next);
                    slots[ring.slot(position)] = Some(position);
                    next += 1;
                }
                // most steps only append
                next = next.saturating_sub(forgotten.saturating_sub(6));
                ring.truncate(next);
                slots.iter_mut().for_each(|slot| *slot = slot.filter(|&position| position < next));
                prop_assert_eq!(ring.end(), next);
            }
            let end = next.saturating_sub(back);
            let mut held: Vec<usize> = slots.iter().flatten().copied().filter(|&p| p < end).collect();
            held.sort_unstable();
            let [first, second] = ring.spans(end);
            let seen: Vec<usize> = first.chain(second).map(|slot| slots[slot].unwrap()).collect();
            prop_assert_eq!(seen, held);
            prop_assert_eq!(ring.free(), capacity.saturating_sub(next));
        }
    }
}
