//! Sequences that go on from a common trunk, each with a tail of its own: integers only. For the cache, which moves the bytes.
//!
//! Branches are rearranged all the time: beam search drops some and lets others go on twice. A tail is not copied for that: the first branch
//! that goes on from a parent takes the parent's tail over. Another one gets a tail that nobody needs any more, the one that has most in
//! common with the parent's, and only what differs has to be copied into it.

/// Names what a place of a tail holds: no two places have the same, unless one was copied from the other.
type Id = u64;

/// Which tail each branch has, and what the tails hold. Everything is allocated in [`Branches::new`].
#[derive(Debug, Default)]
pub struct Branches {
    /// The tail of each branch.
    tail_of: Vec<usize>,
    /// What each tail holds, oldest first.
    tails: Vec<Vec<Id>>,
    next: Id,
    /// Of the last rearrangement: what is to be copied, the tails that are still needed, and the new `tail_of`.
    copies: Vec<TailCopy>,
    taken: Vec<bool>,
    arranged: Vec<usize>,
}

/// What has to be copied from one tail to another: the positions from `kept` on, counted from the beginning of the tails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TailCopy {
    /// The tail to copy from.
    pub from: usize,
    /// The tail to copy to.
    pub to: usize,
    /// Positions at the beginning that are in both.
    pub kept: usize,
    /// Positions of the tail to copy from.
    pub len: usize,
}

impl Branches {
    /// Room for `count` branches of up to `positions` positions each; there is none yet.
    pub fn new(count: usize, positions: usize) -> Branches {
        Branches {
            tail_of: Vec::with_capacity(count),
            tails: (0..count).map(|_| Vec::with_capacity(positions)).collect(),
            next: 0,
            copies: Vec::with_capacity(count),
            taken: vec![false; count],
            arranged: Vec::with_capacity(count),
        }
    }

    /// Bytes that [`Branches::new`] allocates; `None` if that does not fit in `usize`.
    pub(super) fn bytes(count: usize, positions: usize) -> Option<usize> {
        let tail = positions.checked_mul(size_of::<Id>())?.checked_add(size_of::<Vec<Id>>())?;
        let one = tail.checked_add(2 * size_of::<usize>() + size_of::<TailCopy>() + size_of::<bool>())?;
        count.checked_mul(one)
    }

    /// Branches there are now.
    pub fn count(&self) -> usize {
        self.tail_of.len()
    }

    /// Branches there can be.
    pub fn capacity(&self) -> usize {
        self.tails.len()
    }

    /// Makes `count` branches with nothing in their tails, instead of those there were.
    ///
    /// # Panics
    ///
    /// If there is no room for so many.
    pub fn start(&mut self, count: usize) {
        assert!(count <= self.capacity(), "{count} branches, room for {}", self.capacity());
        self.tail_of.clear();
        self.tail_of.extend(0..count);
        self.tails.iter_mut().for_each(Vec::clear);
    }

    /// Forgets what is in the tail of one branch.
    ///
    /// # Panics
    ///
    /// If there is no such branch.
    pub fn restart(&mut self, branch: usize) {
        let tail = self.tail(branch);
        self.tails[tail].clear();
    }

    /// The tail that a branch has.
    pub fn tail(&self, branch: usize) -> usize {
        self.tail_of[branch]
    }

    /// Positions in the tail of a branch.
    pub fn len(&self, branch: usize) -> usize {
        self.tails[self.tail(branch)].len()
    }

    /// Appends a position to a branch.
    pub fn append(&mut self, branch: usize) {
        let tail = self.tail(branch);
        self.tails[tail].push(self.next);
        self.next += 1;
    }

    /// Replaces all branches: branch `i` is from now on a copy of what branch `parents[i]` was. Says what has to be copied for that.
    ///
    /// # Panics
    ///
    /// If there is no room for so many branches, or no such parent.
    pub fn rearrange(&mut self, parents: &[usize]) -> &[TailCopy] {
        assert!(parents.len() <= self.capacity(), "{} branches, room for {}", parents.len(), self.capacity());
        self.taken.fill(false);
        parents.iter().for_each(|&parent| self.taken[self.tail_of[parent]] = true);
        self.copies.clear();
        self.arranged.clear();
        for (i, &parent) in parents.iter().enumerate() {
            let from = self.tail_of[parent];
            let is_first = !parents[..i].contains(&parent);
            let tail = if is_first { from } else { self.copy(from) };
            self.arranged.push(tail);
        }
        std::mem::swap(&mut self.tail_of, &mut self.arranged);
        &self.copies
    }

    /// Makes a tail that is not needed a copy of another, and returns it.
    fn copy(&mut self, from: usize) -> usize {
        let free = (0..self.tails.len()).filter(|&tail| !self.taken[tail]);
        let (to, kept) = free
            .map(|tail| (tail, self.in_common(from, tail)))
            .max_by_key(|&(tail, kept)| (kept, std::cmp::Reverse(tail)))
            .expect("as many tails as branches");
        self.taken[to] = true;
        let len = self.tails[from].len();
        let mut ids = std::mem::take(&mut self.tails[to]);
        ids.truncate(kept);
        ids.extend_from_slice(&self.tails[from][kept..]);
        self.tails[to] = ids;
        self.copies.push(TailCopy { from, to, kept, len });
        to
    }

    /// Positions at the beginning that two tails both hold. None if the second is longer: it may have overwritten what the first still has.
    fn in_common(&self, from: usize, to: usize) -> usize {
        let (from, to) = (&self.tails[from], &self.tails[to]);
        if to.len() > from.len() { 0 } else { from.iter().zip(to).take_while(|(a, b)| a == b).count() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const COUNT: usize = 5;

    proptest! {
        /// Against sequences that are really copied, with tails as plain lists of what was appended.
        #[test]
        fn branches_are_what_copies_would_be(
            steps in prop::collection::vec((prop::collection::vec(0usize..COUNT, 1..=COUNT), any::<u8>()), 0..30),
        ) {
            let mut branches = Branches::new(COUNT, 30);
            branches.start(COUNT);
            let mut plain: Vec<Vec<usize>> = vec![Vec::new(); COUNT];
            let mut tails: Vec<Vec<usize>> = vec![Vec::new(); COUNT];
            for (step, (parents, advanced)) in steps.into_iter().enumerate() {
                let parents: Vec<usize> = parents.iter().map(|parent| parent % plain.len()).collect();
                plain = parents.iter().map(|&parent| plain[parent].clone()).collect();
                for copy in branches.rearrange(&parents) {
                    prop_assert_eq!(copy.len, tails[copy.from].len());
                    let copied = tails[copy.from][copy.kept..].to_vec();
                    tails[copy.to].truncate(copy.kept);
                    tails[copy.to].extend(copied);
                }
                for (branch, plain) in plain.iter_mut().enumerate() {
                    // some stand still
                    if advanced >> branch & 1 == 0 {
                        branches.append(branch);
                        plain.push(step * COUNT + branch);
                        tails[branches.tail(branch)].push(step * COUNT + branch);
                    }
                }
                for (branch, plain) in plain.iter().enumerate() {
                    prop_assert_eq!(&tails[branches.tail(branch)], plain);
                    prop_assert_eq!(branches.len(branch), plain.len());
                }
            }
        }
    }

    #[test]
    fn only_what_differs_is_copied() {
        let mut branches = Branches::new(2, 9);
        branches.start(2);
        (0..2).for_each(|branch| branches.append(branch));
        assert_eq!(branches.rearrange(&[1, 1]), [TailCopy { from: 1, to: 0, kept: 0, len: 1 }]);
        (0..2).for_each(|branch| branches.append(branch));
        assert_eq!(branches.rearrange(&[1, 0]), []);
        let copies = branches.rearrange(&[0, 0]).to_vec();
        assert_eq!((copies.len(), copies[0].kept, copies[0].len), (1, 1, 2));
    }
}
