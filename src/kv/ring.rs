//! Which slot of the cache holds which position: integers only.
//!
//! Positions are appended in order. The first of them, the *sinks*, keep their slots; the others go round in the rest, so that a full ring
//! overwrites its oldest position that is no sink. Without sinks, position `p` lives in slot `p mod capacity`. What attention reads is at most three
//! runs of neighbouring slots: the sinks, and the others before and after the wrap.

use std::ops::Range;

/// A ring of `capacity` slots that holds the first `sinks` and the last `capacity - sinks` positions of those appended.
#[derive(Clone, Debug)]
pub struct Ring {
    capacity: usize,
    sinks: usize,
    /// The oldest position held after which none is missing.
    start: usize,
    end: usize,
}

impl Ring {
    /// An empty ring.
    ///
    /// # Panics
    ///
    /// If `sinks` leaves no slot for other positions.
    pub fn new(capacity: usize, sinks: usize) -> Ring {
        assert!(sinks < capacity, "a ring of {capacity} slots, {sinks} of them for sinks");
        Ring { capacity, sinks, start: 0, end: 0 }
    }

    /// Slots.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Positions appended so far, which is also the next position.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The oldest position held after which none is missing: 0 as long as nothing was overwritten; that of the next one if only sinks are held.
    pub fn start(&self) -> usize {
        self.start
    }

    /// Positions that can be appended before one is overwritten.
    pub fn free(&self) -> usize {
        self.capacity.saturating_sub(self.end)
    }

    /// Appends `count` positions and returns them.
    pub fn append(&mut self, count: usize) -> Range<usize> {
        let first = self.end;
        self.end += count;
        if self.end > self.capacity {
            self.start = self.start.max(self.end - (self.capacity - self.sinks));
        }
        first..self.end
    }

    /// Forgets the positions from `end` on; if none before it is held any more, all but the sinks before it. The next position appended is `end`.
    pub fn truncate(&mut self, end: usize) {
        self.end = self.end.min(end);
        // sinks alone have no gap before them
        self.start = if self.end <= self.sinks { 0 } else { self.start.min(self.end) };
    }

    /// Holds the positions `start..end` and no others, which are stored elsewhere first.
    ///
    /// # Panics
    ///
    /// If there are more than slots.
    pub(super) fn resume(&mut self, start: usize, end: usize) {
        assert!(start <= end && end - start <= self.capacity, "{start}..{end} in {} slots", self.capacity);
        (self.start, self.end) = (start, end);
    }

    /// The slot of a position.
    pub fn slot(&self, position: usize) -> usize {
        match position.checked_sub(self.sinks) {
            Some(after) => self.sinks + after % (self.capacity - self.sinks),
            None => position,
        }
    }

    /// The slots of the positions still held that lie before `end`, oldest first, as three runs: sinks that others are missing after, and the others as
    /// two, the second empty unless they wrap.
    pub fn spans(&self, end: usize) -> [Range<usize>; 3] {
        let end = end.min(self.end);
        if self.start == 0 {
            return [0..0, 0..end, 0..0];
        }
        let (turning, first) = (self.capacity - self.sinks, self.start - self.sinks);
        let [a, b] = runs(turning, first, end.saturating_sub(self.sinks));
        let behind = |run: Range<usize>| self.sinks + run.start..self.sinks + run.end;
        [0..self.sinks.min(end), behind(a), behind(b)]
    }

    /// The same for a ring of `capacity` slots without sinks that `len` positions were appended to, as two runs.
    pub fn spans_of(capacity: usize, len: usize) -> [Range<usize>; 2] {
        Ring::spans_between(capacity, 0, len)
    }

    /// The slots that hold the positions from `from` up to `len` that are still held, after `len` positions were appended to a ring of
    /// `capacity` slots without sinks.
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

    /// What happens to a ring.
    #[derive(Clone, Debug)]
    enum Step {
        Append(usize),
        /// So many positions are forgotten.
        Truncate(usize),
        /// A copy goes on from here by itself, and what was goes on later.
        Fork,
        /// Back to what was forked from.
        Join,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0usize..9).prop_map(Step::Append),
            1 => (0usize..9).prop_map(Step::Truncate),
            1 => Just(Step::Fork),
            1 => Just(Step::Join),
        ];
        prop::collection::vec(step, 0..40)
    }

    /// A ring beside what each of its slots holds.
    #[derive(Clone)]
    struct Both {
        ring: Ring,
        slots: Vec<Option<usize>>,
        next: usize,
    }

    impl Both {
        fn append(&mut self, count: usize) {
            let positions = self.ring.append(count);
            assert_eq!(positions, self.next..self.next + count);
            positions.for_each(|position| self.slots[self.ring.slot(position)] = Some(position));
            self.next += count;
        }

        fn truncate(&mut self, forgotten: usize) {
            self.next = self.next.saturating_sub(forgotten);
            self.ring.truncate(self.next);
            let next = self.next;
            self.slots.iter_mut().for_each(|slot| *slot = slot.filter(|&position| position < next));
        }

        /// The spans name what the slots hold, oldest first.
        fn check(&self, end: usize) {
            let mut held: Vec<usize> = self.slots.iter().flatten().copied().filter(|&p| p < end).collect();
            held.sort_unstable();
            let seen = self.ring.spans(end).into_iter().flatten();
            let seen: Vec<usize> = seen.map(|slot| self.slots[slot].expect("a position")).collect();
            assert_eq!(seen, held);
        }
    }

    proptest! {
        /// Against plain lists of what each slot holds, overwritten in order; the sinks are there as long as they are not forgotten.
        #[test]
        fn holds_what_a_plain_list_holds(capacity in 1usize..20, sinks in 0usize..8, steps in steps(), back in 0usize..20) {
            let sinks = sinks.min(capacity - 1);
            let mut all = vec![Both { ring: Ring::new(capacity, sinks), slots: vec![None; capacity], next: 0 }];
            for step in steps {
                let depth = all.len();
                let both = all.last_mut().expect("one");
                match step {
                    Step::Append(count) => both.append(count),
                    Step::Truncate(forgotten) => both.truncate(forgotten),
                    Step::Fork => {
                        let fork = both.clone();
                        all.push(fork);
                    }
                    Step::Join if depth > 1 => drop(all.pop()),
                    Step::Join => {}
                }
                let Both { ring, slots, next } = all.last().expect("one");
                prop_assert_eq!((ring.end(), ring.free()), (*next, capacity.saturating_sub(*next)));
                prop_assert_eq!(&slots[..sinks.min(*next)], &(0..sinks.min(*next)).map(Some).collect::<Vec<_>>()[..]);
                all.last().expect("one").check(*next);
                all.last().expect("one").check(next.saturating_sub(back));
            }
        }

        /// As long as `start` is 0 nothing is missing, and a ring that only grew holds its first and last positions.
        #[test]
        fn what_is_held_is_the_first_and_the_last(capacity in 1usize..20, sinks in 0usize..8, appended in prop::collection::vec(0usize..9, 0..20)) {
            let sinks = sinks.min(capacity - 1);
            let mut both = Both { ring: Ring::new(capacity, sinks), slots: vec![None; capacity], next: 0 };
            appended.into_iter().for_each(|count| both.append(count));
            let (end, start) = (both.next, both.ring.start());
            let last = end.saturating_sub(capacity - sinks);
            prop_assert_eq!(start, if end <= capacity { 0 } else { last });
            let held: usize = both.ring.spans(end).into_iter().map(|run| run.len()).sum();
            prop_assert_eq!(held, end.min(capacity));
        }
    }
}
