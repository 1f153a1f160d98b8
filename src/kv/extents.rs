//! Which part of a line of places each owner has, as long as it asked for: integers only. For the cache, which moves the bytes.
//!
//! A part is taken from the first gap that is long enough. If there is none, but places enough altogether, all parts move together first: so
//! only the number of free places decides whether there is room.

use std::ops::Range;

/// The parts of a line.
#[derive(Debug)]
pub struct Extents {
    places: usize,
    /// Of each owner; an empty one is none.
    parts: Vec<Range<usize>>,
}

impl Extents {
    /// A line of equal parts, one for each of `owners`.
    pub fn equal(owners: usize, len: usize) -> Extents {
        let parts = (0..owners).map(|owner| owner * len..(owner + 1) * len).collect();
        Extents { places: owners * len, parts }
    }

    /// A line that all `owners` share, none of which has a part yet.
    pub fn shared(owners: usize, places: usize) -> Extents {
        Extents { places, parts: vec![0..0; owners] }
    }

    /// Bytes that a line for so many owners allocates; `None` if that does not fit in `usize`.
    pub(super) fn bytes(owners: usize) -> Option<usize> {
        owners.checked_mul(size_of::<Range<usize>>())
    }

    /// The part of an owner.
    pub fn part(&self, owner: usize) -> Range<usize> {
        self.parts[owner].clone()
    }

    /// Takes all parts back.
    pub fn clear(&mut self) {
        self.parts.fill(0..0);
    }

    /// Gives an owner a part of `len` places instead of the one that it had; 0 for none. What was in the old one is lost. Parts of others
    /// that move for it are told to `moved`, with where they begin from now on: always nearer to the beginning of the line.
    ///
    /// # Panics
    ///
    /// If fewer places are free.
    pub fn give(&mut self, owner: usize, len: usize, moved: impl FnMut(Range<usize>, usize)) {
        self.parts[owner] = 0..0;
        let start = self.gap(len).unwrap_or_else(|| self.compact(moved));
        assert!(start + len <= self.places, "{len} places, {} free", self.places - start);
        self.parts[owner] = start..start + len;
    }

    /// Where the first gap of `len` places begins.
    fn gap(&self, len: usize) -> Option<usize> {
        let mut start = 0;
        // nothing that begins before the end of a part in the way is free of it
        while let Some(other) = self.parts.iter().find(|part| part.start < start + len && start < part.end) {
            start = other.end;
        }
        (start + len <= self.places).then_some(start)
    }

    /// Moves all parts together, in their order; returns where they end.
    fn compact(&mut self, mut moved: impl FnMut(Range<usize>, usize)) -> usize {
        let mut end = 0;
        while let Some(part) = self
            .parts
            .iter_mut()
            .filter(|part| part.start < part.end && part.start >= end)
            .min_by_key(|part| part.start)
        {
            if part.start > end {
                moved(part.clone(), end);
            }
            *part = end..end + part.len();
            end = part.end;
        }
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const OWNERS: usize = 5;

    proptest! {
        /// Against a line that says of each place whose it is, and holds what the owner wrote there.
        #[test]
        fn parts_are_those_of_a_plain_line(
            places in 1usize..40,
            steps in prop::collection::vec((0..OWNERS, 0usize..20), 0..60),
        ) {
            let mut extents = Extents::shared(OWNERS, places);
            let mut line: Vec<Option<(usize, usize)>> = vec![None; places];
            for (owner, len) in steps {
                line.iter_mut().filter(|place| place.is_some_and(|(other, _)| other == owner)).for_each(|place| *place = None);
                let free = line.iter().filter(|place| place.is_none()).count();
                let len = len.min(free);
                let mut gaps = line.windows(len.max(1)).map(|gap| gap.iter().all(Option::is_none));
                let gap = gaps.position(|free| free || len == 0);
                let mut moves = 0;
                extents.give(owner, len, |from, to| {
                    assert!(to < from.start);
                    let part: Vec<_> = line[from.clone()].iter_mut().map(Option::take).collect();
                    line[to..to + from.len()].clone_from_slice(&part);
                    moves += 1;
                });
                let part = extents.part(owner);
                prop_assert_eq!(part.len(), len);
                match gap {
                    Some(start) => prop_assert_eq!((moves, part.start), (0, start)),
                    None => prop_assert!(moves > 0),
                }
                for (i, place) in part.enumerate() {
                    prop_assert_eq!(line[place], None);
                    line[place] = Some((owner, i));
                }
                for owner in 0..OWNERS {
                    for (i, place) in extents.part(owner).enumerate() {
                        prop_assert_eq!(line[place], Some((owner, i)));
                    }
                }
            }
        }
    }

    #[test]
    fn equal_parts_follow_each_other() {
        let extents = Extents::equal(3, 4);
        assert_eq!([0, 1, 2].map(|owner| extents.part(owner)), [0..4, 4..8, 8..12]);
    }

    #[test]
    #[should_panic(expected = "3 places, 2 free")]
    fn no_more_than_there_is() {
        let mut extents = Extents::shared(2, 5);
        extents.give(0, 3, |_, _| {});
        extents.give(1, 3, |_, _| {});
    }
}
