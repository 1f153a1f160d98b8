//! The tokens still in the running at one position; filters remove some. Called by the sampler and its filters.
//!
//! Candidates stand in rank order (`rank.rs`) conceptually, but the list is never sorted: what is asked for is always a prefix of an order ("the best
//! 40", "the best that hold 95 % of the mass"), and partial selection finds a prefix in linear time.
//!
//! There is no list either, as long as every token of the vocabulary is in the running: then the [`Source`] is looked at, and the first
//! filter that removes tokens collects what can survive it. If that is too much for a list, the source is narrowed to it instead, and is still the whole.

use super::band::Band;
use super::blocks::Blocks;
use super::edits::{Touched, changed};
use super::histogram::{Histogram, Scale};
use super::rank::{Entry, rank};
use super::softmax::{Moments, Weights};
use super::source::{Ranges, Source, Test};
use std::ops::Range;

/// Bins are made where many logits lie at most this far below the peak, in units of the temperature. The others, if they are 150,000, weigh at most 7 times as
/// much as the peak.
const NEAR: f64 = 10.0;
/// How many there must be: fewer are found sooner without bins.
const MANY: usize = 256;
/// From how many on a list takes longer than another look at the whole vocabulary.
const LONG: usize = 16_384;

/// The candidates of one position, and the distribution they are part of.
#[derive(Debug)]
pub(super) struct Candidates {
    /// In no order, none twice, none with an infinite logit. Empty while the whole vocabulary is in the running, and never afterwards.
    pub(super) list: Vec<Entry>,
    /// Whether every token of the source is in the running.
    whole: bool,
    /// What each of them weighs.
    pub(super) weights: Weights,
    /// What the whole distribution weighs, once somebody asked: the list, and a tail that was left out because nothing can come to need it.
    total: Option<f64>,
}

impl Candidates {
    /// Room for `capacity` candidates; no later call takes more.
    pub(super) fn with_capacity(capacity: usize) -> Candidates {
        let list = Vec::with_capacity(capacity);
        Candidates { list, whole: true, weights: Weights::new(0.0, 1.0), total: None }
    }

    /// How many candidates [`keep_best`](Self::keep_best) needs room for, of a vocabulary of `vocab` tokens.
    ///
    /// Twice as many as it keeps, so that each compaction (linear in the room) is paid for by as many arrivals.
    pub(super) fn room_for_best(k: usize, vocab: usize) -> usize {
        k.saturating_mul(2).max(256).min(vocab)
    }

    /// Starts anew with the whole vocabulary, of which `peak` is the largest logit.
    pub(super) fn start(&mut self, peak: f32) {
        self.list.clear();
        (self.whole, self.weights, self.total) = (true, Weights::new(peak, 1.0), None);
    }

    /// Forgets the list: every token is in the running again.
    pub(super) fn reopen(&mut self) {
        self.list.clear();
        (self.whole, self.total) = (true, None);
    }

    /// Whether no filter has removed anything yet.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Weighs anew: the logits are now to be divided by `temperature`.
    pub(super) fn heat(&mut self, temperature: f64) {
        self.weights = self.weights.at(temperature);
        self.total = None;
    }

    /// After logits of the source were changed: looks for the largest again. -inf if there is none.
    pub(super) fn look_again(&mut self, source: &Source<'_>) -> f32 {
        let peak = source.narrowed().map_or_else(|| source.largest(), |narrowed| narrowed.largest());
        (self.weights, self.total) = (self.weights.from(peak), None);
        peak
    }

    /// Makes what is in the list the whole distribution, after a filter or a penalty changed it.
    pub(super) fn settle(&mut self) {
        let peak = self.list.iter().fold(f32::NEG_INFINITY, |peak, entry| peak.max(entry.logit));
        (self.weights, self.total) = (self.weights.from(peak), None);
    }

    /// What the distribution weighs.
    pub(super) fn total(&mut self, source: &Source<'_>) -> f64 {
        let known = self.total;
        let total = known.unwrap_or_else(|| match self.whole {
            true => self.weights.sum(source),
            false => self.weights.sum(self.list.as_slice()),
        });
        self.total = Some(total);
        total
    }

    /// Sums over the distribution.
    pub(super) fn moments(&mut self, source: &Source<'_>) -> Moments {
        let moments = match self.whole {
            true => self.weights.moments(source),
            false => self.weights.moments(self.list.as_slice()),
        };
        self.total = Some(moments.total);
        moments
    }

    /// How many there are.
    pub(super) fn count(&self, source: &Source<'_>) -> f64 {
        if self.whole { source.count() } else { self.list.len() as f64 }
    }

    /// Bins for the logits, if all are in the running and many are likely enough to matter. A few of the logits are looked at for that.
    pub(super) fn scale(&self, source: &Source<'_>) -> Option<Scale> {
        if !self.whole {
            return None;
        }
        let (near, lowest) = source.glance(self.weights.below_peak(NEAR));
        // What is further below matters little, even if most of them are there.
        let low = lowest.max(self.weights.below_peak(2.0 * NEAR));
        (near >= MANY).then(|| self.weights.scale(low))
    }

    /// Bins for the list, if it is long enough to gain by them.
    pub(super) fn scale_of_list(&self) -> Option<Scale> {
        let lowest = || self.list.iter().fold(f32::INFINITY, |lowest, entry| lowest.min(entry.logit));
        (self.list.len() >= MANY).then(|| self.weights.scale(lowest()))
    }

    /// What the distribution weighs, and what each bin.
    pub(super) fn total_by_bin(&self, source: &Source<'_>, scale: Scale) -> (f64, Histogram) {
        if !self.whole {
            return self.weights.sum_by_bin(self.list.as_slice(), scale);
        }
        match source.narrowed() {
            Some(narrowed) => self.weights.sum_by_bin(&narrowed, scale),
            None => self.weights.sum_by_bin(source, scale),
        }
    }

    /// The last of the shortest prefix of the rank order that weighs at least `target`. Nothing else stays in a list.
    pub(super) fn border(
        &mut self,
        source: &Source<'_>,
        histogram: &Histogram,
        target: f64,
    ) -> Option<Entry> {
        let (bin, above) = histogram.reach(target)?;
        self.list_bins(source, histogram, [bin..bin + 1, 0..0]);
        let n = self.select_mass(target - above, rank);
        self.take(n)
    }

    /// The candidate before index `n` of the list, of which nothing stays.
    pub(super) fn take(&mut self, n: usize) -> Option<Entry> {
        let entry = n.checked_sub(1).and_then(|last| self.list.get(last).copied());
        self.list.clear();
        entry
    }

    /// Lists the logits in some bins.
    pub(super) fn list_bins(&mut self, source: &Source<'_>, histogram: &Histogram, bins: [Range<usize>; 2]) {
        let ranges = Ranges(bins.map(|bins| histogram.logits(bins)));
        if self.whole {
            source.for_each_in(ranges, |entry| self.list.push(entry));
        } else {
            self.list.retain(|entry| ranges.passes(entry.logit));
        }
    }

    /// Leaves what is in `band`: as a list, if that is short. What lies at or below `useless` may be left out of a list.
    pub(super) fn narrow(&mut self, source: &mut Source<'_>, band: Band, useless: f32) {
        source.narrow(band);
        if source.glance(useless).0 < LONG {
            self.collect_above(source, useless);
            self.settle();
        } else if band.first != Band::ALL.first {
            self.look_again(source);
        } else {
            self.total = None;
        }
    }

    /// Makes a list of every logit above `floor`, if there is none yet; the total stays as it is.
    pub(super) fn collect_above(&mut self, source: &Source<'_>, floor: f32) {
        if !self.whole {
            return;
        }
        self.whole = false;
        source.for_each_above(floor, |entry| {
            self.list.push(entry);
            floor
        });
    }

    /// Makes a list that holds the best of the order by some key, up to a mass of `target`, if there is none yet. All of them lie less than
    /// `width` below the peak, in units of the temperature. What lies at or below `useless` may be missing.
    ///
    /// `found` tells the mass that a list certainly has in common with the beginning of the order, when it has all logits above a floor. Mostly a few tokens near the
    /// peak are enough, so they are looked at first.
    pub(super) fn collect_best(
        &mut self,
        source: &Source<'_>,
        (width, target): (f64, f64),
        useless: f32,
        found: impl Fn(&[Entry], f32) -> f64,
    ) {
        if !std::mem::take(&mut self.whole) {
            return;
        }
        let mut above = f32::INFINITY;
        for share in [0.25, 0.5, 1.0] {
            let floor = self.weights.below_peak(width * share).max(useless);
            source.for_each_above(floor, |entry| {
                if entry.logit > floor && entry.logit <= above {
                    self.list.push(entry);
                }
                floor
            });
            // A little more than enough, because sums are rounded.
            if floor == useless || found(&self.list, floor) > target * (1.0 + 1e-9) {
                return;
            }
            above = floor;
        }
    }

    /// Makes a list that holds the likeliest up to a share `p` of the mass `total`, likewise.
    pub(super) fn collect_likeliest(&mut self, source: &Source<'_>, (p, total): (f64, f64), useless: f32) {
        let (weights, width) = (self.weights, Weights::width(p, source.vocab(), total));
        self.collect_best(source, (width, p * total), useless, |list, _| weights.sum(list));
    }

    /// Keeps the `k` best (all, if there are fewer); `k` must be at least 1.
    ///
    /// A logit has to beat the k-th best seen so far to enter. Equal does not: its token id is higher.
    pub(super) fn keep_best(&mut self, source: &Source<'_>, k: usize) {
        let list = &mut self.list;
        if self.whole {
            self.whole = false;
            let room = Self::room_for_best(k, source.vocab());
            let mut floor = f32::NEG_INFINITY;
            source.for_each_above(floor, |entry| {
                if list.len() == room {
                    floor = truncate_to_best(list, k);
                }
                list.push(entry);
                floor
            });
        }
        truncate_to_best(list, k);
        self.settle();
    }

    /// The length of the shortest prefix of the order by `key` that weighs at least `target`: 1 up to all.
    ///
    /// Afterwards the first that many in the list are the prefix, the last of them being its last in the order.
    /// Halves the undecided part each time, so the time is linear in the length of the list.
    pub(super) fn select_mass<K: Ord>(&mut self, target: f64, key: impl Fn(&Entry) -> K) -> usize {
        let (mut decided, mut end) = (0, self.list.len());
        let mut mass_decided = 0.0;
        while end - decided > 1 {
            let undecided = &mut self.list[decided..end];
            let half = undecided.len() / 2;
            undecided.select_nth_unstable_by_key(half, &key);
            let mass_better = mass_decided + self.weights.sum(&undecided[..half]);
            if mass_better >= target {
                end = decided + half;
            } else {
                decided += half;
                mass_decided = mass_better;
            }
        }
        end
    }

    /// Passes the logit of every touched token in the list through `change`; those that become -inf leave it.
    pub(super) fn edit(&mut self, touched: &Touched, change: impl Fn(f32, f32) -> f32) {
        for entry in &mut self.list {
            if let Some(amount) = touched.of(entry.token) {
                entry.logit = changed(entry.logit, amount, &change);
            }
        }
        self.list.retain(|entry| entry.logit > f32::NEG_INFINITY);
        self.settle();
    }
}

/// Keeps the `k` best, and returns the logit of the last of them (-inf while there are fewer than `k`).
fn truncate_to_best(list: &mut Vec<Entry>, k: usize) -> f32 {
    if list.len() < k {
        return f32::NEG_INFINITY;
    }
    let (_, worst, _) = list.select_nth_unstable_by_key(k - 1, rank);
    let floor = worst.logit;
    list.truncate(k);
    floor
}
