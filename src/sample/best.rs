//! The best of many numbers that come row by row, without sorting them; for beam search.

use super::token_set::contains;
use super::{Error, log_sum_exp};
use std::cmp::Ordering;

/// A sequence that could go on with a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Candidate {
    /// Which of the sequences.
    pub parent: usize,
    pub token: u32,
    /// Natural logarithm of the token's probability.
    pub logprob: f64,
    /// The same of the whole sequence.
    pub sum: f64,
}

impl Candidate {
    /// The likelier first; of equally likely ones the earlier sequence, and then the lower token id.
    pub fn rank(&self, other: &Candidate) -> Ordering {
        other.sum.total_cmp(&self.sum).then((self.parent, self.token).cmp(&(other.parent, other.token)))
    }
}

/// The `count` best candidates of those seen so far. Takes linear time: once twice as many have come as are kept, the worse half goes.
#[derive(Debug, Default)]
pub(crate) struct Best {
    count: usize,
    list: Vec<Candidate>,
    /// A sum that has to be reached.
    floor: f64,
}

impl Best {
    /// With memory for the best `room` of them, or for `count` if that is more.
    pub fn new(count: usize, room: usize) -> Best {
        Best { count, list: Vec::with_capacity(2 * count.max(room)), floor: f64::NEG_INFINITY }
    }

    /// Bytes that [`Best::new`] allocates for so much room; `None` if that does not fit in `usize`.
    pub fn bytes(room: usize) -> Option<usize> {
        room.checked_mul(2 * size_of::<Candidate>())
    }

    #[cfg(test)]
    pub fn capacity_bytes(&self) -> usize {
        self.list.capacity() * size_of::<Candidate>()
    }

    pub fn clear(&mut self) {
        self.list.clear();
        self.floor = f64::NEG_INFINITY;
    }

    /// Adds all tokens that a sequence with the log-probability `sum` can go on with; those with a logit of -inf and those that are not
    /// allowed it cannot.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or all of them are -inf.
    pub fn add(
        &mut self,
        parent: usize,
        sum: f64,
        (logits, allowed): (&[f32], Option<&[u32]>),
        position: usize,
    ) -> Result<(), Error> {
        let is_allowed = |token: u32| allowed.is_none_or(|words| contains(words, token));
        let normalizer = log_sum_exp(logits, position as u64)?;
        for (token, &logit) in logits.iter().enumerate() {
            let logprob = f64::from(logit) - normalizer;
            let token = token as u32;
            if sum + logprob >= self.floor && logit > f32::NEG_INFINITY && is_allowed(token) {
                self.push(Candidate { parent, token, logprob, sum: sum + logprob });
            }
        }
        Ok(())
    }

    fn push(&mut self, candidate: Candidate) {
        if self.list.len() == 2 * self.count {
            let (_, last, _) = self.list.select_nth_unstable_by(self.count - 1, Candidate::rank);
            self.floor = last.sum;
            self.list.truncate(self.count);
        }
        self.list.push(candidate);
    }

    /// The best ones, the best first.
    pub fn sorted(&mut self) -> &[Candidate] {
        self.list.sort_unstable_by(Candidate::rank);
        self.list.truncate(self.count);
        &self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_best_are_those_of_a_full_sort(
            rows in prop::collection::vec(prop::collection::vec(-9i8..9, 30), 1..5),
            count in 1usize..20,
        ) {
            let mut best = Best::new(count, 0);
            let mut all = Vec::new();
            for (parent, row) in rows.iter().enumerate() {
                // many are equal
                let logits: Vec<f32> = row.iter().map(|&x| f32::from(x)).collect();
                let sum = -(parent as f64);
                best.add(parent, sum, (&logits, None), 0).unwrap();
                let total: f64 = logits.iter().map(|&x| f64::from(x).exp()).sum();
                for (token, &logit) in logits.iter().enumerate() {
                    all.push((sum + (f64::from(logit).exp() / total).ln(), parent, token as u32));
                }
            }
            all.sort_by(|a, b| b.0.total_cmp(&a.0));
            let found = best.sorted();
            prop_assert_eq!(found.len(), count);
            for (found, expected) in found.iter().zip(&all) {
                prop_assert!((found.sum - expected.0).abs() < 1e-5);
            }
            for pair in found.windows(2) {
                prop_assert!(pair[0].rank(&pair[1]) == Ordering::Less);
            }
        }
    }
}
