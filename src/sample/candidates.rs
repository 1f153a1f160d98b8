//! The tokens still in the running at one position; the sampler collects them, the filters remove some.
//!
//! Candidates stand in *rank order* conceptually (higher logit first; of equal logits, the lower token id), but
//! the list is never sorted: what is asked for is always a prefix of the rank order ("the best 40", "the best
//! that hold 95 % of the mass"), and partial selection finds a prefix in linear time.

use super::softmax::{BLOCK, Weights};

/// A token and its logit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: u32,
    pub(super) logit: f32,
}

/// Sorts candidates into rank order: the likelier first, and of equally likely ones the lower token id.
///
/// One integer, so that partial selection compares without branches. The bits of an f32 order like a signed
/// magnitude: flipping all of a negative one, or the sign of a positive one, makes them order like an unsigned
/// number; the outer `!` puts the largest first. Adding 0.0 makes the two zeros equal.
pub(super) fn rank(candidate: &Candidate) -> u64 {
    let bits = (candidate.logit + 0.0).to_bits();
    let ascending = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(!ascending) << 32 | u64::from(candidate.token)
}

/// The candidates of one position, never empty once collected, and the distribution they are the best part of.
#[derive(Debug)]
pub(super) struct Candidates {
    /// In no order. No two have the same token, none has an infinite logit.
    pub(super) list: Vec<Candidate>,
    /// What each of them weighs.
    pub(super) weights: Weights,
    /// What the whole distribution weighs: the list, and the tail that was left out because nothing can
    /// come to need it.
    pub(super) total: f64,
}

impl Candidates {
    /// Room for `capacity` candidates; no later call takes more.
    pub(super) fn with_capacity(capacity: usize) -> Candidates {
        Candidates { list: Vec::with_capacity(capacity), weights: Weights::new(0.0, 1.0), total: 0.0 }
    }

    /// How many candidates [`collect_best`](Self::collect_best) needs room for, of a vocabulary of `vocab` tokens.
    ///
    /// Twice as many as it keeps, so that each compaction (linear in the room) is paid for by as many arrivals.
    pub(super) fn room_for_best(k: usize, vocab: usize) -> usize {
        k.saturating_mul(2).max(256).min(vocab)
    }

    /// Starts anew with every logit above `floor`, out of a distribution that weighs `total`.
    pub(super) fn collect_above(&mut self, logits: &[f32], floor: f32, weights: Weights, total: f64) {
        self.list.clear();
        (self.weights, self.total) = (weights, total);
        for_each_above(logits, floor, |candidate| {
            self.list.push(candidate);
            floor
        });
    }

    /// Starts anew with the `k` best of `logits` (fewer if fewer are finite); `k` must be at least 1.
    ///
    /// A logit has to beat the k-th best seen so far to enter. Equal does not: its token id is higher.
    pub(super) fn collect_best(&mut self, logits: &[f32], k: usize, weights: Weights) {
        let room = Self::room_for_best(k, logits.len());
        let list = &mut self.list;
        list.clear();
        let mut floor = f32::NEG_INFINITY;
        for_each_above(logits, floor, |candidate| {
            if list.len() == room {
                floor = keep_best(list, k);
            }
            list.push(candidate);
            floor
        });
        keep_best(list, k);
        self.weights = weights;
        self.renormalize();
    }

    /// The length of the shortest prefix of the rank order that weighs at least `target`: 1 up to all.
    ///
    /// Afterwards the first that many in the list are the prefix, the last of them being its lowest in rank.
    /// Halves the undecided part each time, so the time is linear in the length of the list.
    pub(super) fn select_mass(&mut self, target: f64) -> usize {
        let (mut decided, mut end) = (0, self.list.len());
        let mut mass_decided = 0.0;
        while end - decided > 1 {
            let undecided = &mut self.list[decided..end];
            let half = undecided.len() / 2;
            undecided.select_nth_unstable_by_key(half, rank);
            let mass_better = mass_decided + mass(&undecided[..half], self.weights);
            if mass_better >= target {
                end = decided + half;
            } else {
                decided += half;
                mass_decided = mass_better;
            }
        }
        end
    }

    /// Makes what is left in the list the whole distribution, after a filter changed the list or the weights.
    pub(super) fn renormalize(&mut self) {
        self.total = mass(&self.list, self.weights);
    }
}

/// What `candidates` weigh together.
fn mass(candidates: &[Candidate], weights: Weights) -> f64 {
    let mass_of_block = |block: &[Candidate]| {
        let mut logits = [f32::NEG_INFINITY; BLOCK];
        logits.iter_mut().zip(block).for_each(|(logit, candidate)| *logit = candidate.logit);
        weights.sum(&logits[..block.len()])
    };
    candidates.chunks(BLOCK).map(mass_of_block).sum()
}

/// Keeps the `k` best, and returns the logit of the last of them (-inf while there are fewer than `k`).
fn keep_best(list: &mut Vec<Candidate>, k: usize) -> f32 {
    if list.len() < k {
        return f32::NEG_INFINITY;
    }
    let (_, worst, _) = list.select_nth_unstable_by_key(k - 1, rank);
    let floor = worst.logit;
    list.truncate(k);
    floor
}

/// Calls `take` for every logit above `floor`, in order of token id; `take` returns the floor from there on.
///
/// Few logits pass. So the common case, a whole chunk that does not, is tested without a branch per logit.
fn for_each_above(logits: &[f32], mut floor: f32, mut take: impl FnMut(Candidate) -> f32) {
    const CHUNK: usize = 32;
    for (index, chunk) in logits.chunks(CHUNK).enumerate() {
        if !chunk.iter().fold(false, |any, &logit| any | (logit > floor)) {
            continue;
        }
        for (token, &logit) in (index * CHUNK..).zip(chunk) {
            if logit > floor {
                floor = take(Candidate { token: token as u32, logit });
            }
        }
    }
}
