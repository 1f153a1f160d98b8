//! The logits of one position as the sampler sees them: the model's, without tokens that a grammar forbids, and with those that bias and
//! penalties changed. Called by the sampler and its filters; nothing is copied.

use super::band::Band;
use super::blocks::{BLOCK, Blocks};
use super::edits::{Edits, Touched};
use super::rank::{Entry, rank};
use super::token_set::contains;
use siskin_simd::{Work, widest};

/// Tokens of a word of a bit set.
const WORD: usize = u32::BITS as usize;

/// One of so many blocks is glanced at.
const GLANCED: usize = 64;

/// The logits of one position.
#[derive(Debug)]
pub(super) struct Source<'a> {
    logits: &'a [f32],
    /// Which tokens may be chosen; `None` for all. Tokens beyond its end may not.
    allowed: Option<&'a [u32]>,
    edits: &'a mut Edits,
    /// Which tokens filters have left, if they left too many for a list.
    band: Band,
    is_narrow: bool,
}

impl<'a> Source<'a> {
    /// Logits that nothing has changed yet.
    pub(super) fn new(logits: &'a [f32], allowed: Option<&'a [u32]>, edits: &'a mut Edits) -> Source<'a> {
        edits.clear();
        Source { logits, allowed, edits, band: Band::ALL, is_narrow: false }
    }

    /// Number of tokens of the vocabulary, the forbidden ones included.
    pub(super) fn vocab(&self) -> usize {
        self.logits.len()
    }

    /// Leaves only what is in `band`. Logits must not be changed any more: the band is one of logits as they are.
    pub(super) fn narrow(&mut self, band: Band) {
        self.band = self.band.and(band);
        self.is_narrow = true;
    }

    /// Whether tokens were removed by [`narrow`](Self::narrow).
    pub(super) fn is_narrow(&self) -> bool {
        self.is_narrow
    }

    /// What [`narrow`](Self::narrow) left, if nothing is forbidden or changed: the same blocks, in less time.
    pub(super) fn narrowed(&self) -> Option<impl Blocks> {
        let is_plain = self.allowed.is_none() && self.edits.entries().is_empty();
        (self.is_narrow && is_plain).then_some(Narrowed { logits: self.logits, band: self.band })
    }

    /// About how many logits are above `floor`, and about the lowest that is finite: a look at a few of them.
    pub(super) fn glance(&self, floor: f32) -> (usize, f32) {
        match self.plain() {
            Some(logits) => widest(Glance { blocks: logits, floor }),
            None => widest(Glance { blocks: self, floor }),
        }
    }

    /// Changes logits: see [`Edits::apply`].
    pub(super) fn edit(&mut self, touched: &Touched, change: impl Fn(f32, f32) -> f32) {
        self.edits.apply(self.logits, touched, change);
    }

    /// The likeliest token; `None` if there is none above -inf.
    pub(super) fn best(&self) -> Option<Entry> {
        let mut best: Option<Entry> = None;
        self.for_each_above(f32::NEG_INFINITY, |entry| {
            if best.is_none_or(|best| rank(&entry) < rank(&best)) {
                best = Some(entry);
            }
            best.map_or(f32::NEG_INFINITY, |best| best.logit)
        });
        best
    }

    /// Calls `take` for every logit above `floor`; `take` returns the floor from there on.
    ///
    /// First the model's own, in order of token id; then the changed ones, also those that equal the floor, because their id may be lower.
    pub(super) fn for_each_above(&self, floor: f32, mut take: impl FnMut(Entry) -> f32) {
        let lowest = self.band.last.logit.next_down();
        let mut above = |entry| Floor(take(entry).max(lowest));
        let Floor(mut floor) =
            widest(Search { source: self, test: Floor(floor.max(lowest)), take: &mut above });
        for &entry in self.edits.entries() {
            if entry.logit > floor.next_down() && self.has(entry) {
                floor = take(entry);
            }
        }
    }

    /// Calls `take` for every logit in some ranges, in no order.
    pub(super) fn for_each_in(&self, ranges: Ranges, mut take: impl FnMut(Entry)) {
        let mut each = |entry| {
            take(entry);
            ranges
        };
        widest(Search { source: self, test: ranges, take: &mut each });
        for &entry in self.edits.entries() {
            if ranges.passes(entry.logit) && self.has(entry) {
                each(entry);
            }
        }
    }

    /// Whether a changed logit is that of a candidate.
    fn has(&self, entry: Entry) -> bool {
        self.allowed.is_none_or(|words| contains(words, entry.token)) && self.band.contains(entry)
    }

    #[inline(always)]
    fn allowed_word(&self, index: usize) -> u32 {
        self.allowed.map_or(u32::MAX, |words| words.get(index).copied().unwrap_or(0))
    }

    /// Which of the tokens from `32 * index` on are allowed and have the model's logit.
    #[inline(always)]
    fn unchanged(&self, index: usize) -> u32 {
        self.allowed_word(index) & !self.edits.word(index)
    }

    /// A block of the changed logits, without those that are forbidden.
    fn changed(&self, index: usize) -> [f32; BLOCK] {
        let mut block = [f32::NEG_INFINITY; BLOCK];
        let entries = self.edits.entries().get(index * BLOCK..).unwrap_or_default();
        for (to, entry) in block.iter_mut().zip(entries).filter(|(_, entry)| self.has(**entry)) {
            *to = entry.logit;
        }
        block
    }

    /// A block of the model's logits without those that are forbidden or changed.
    #[inline(always)]
    fn masked(&self, index: usize, block: &[f32; BLOCK]) -> [f32; BLOCK] {
        let words = [self.unchanged(2 * index), self.unchanged(2 * index + 1)];
        let stays = |i: usize| words[i / WORD] >> (i % WORD) & 1 == 1;
        std::array::from_fn(|i| if stays(i) { block[i] } else { f32::NEG_INFINITY })
    }

    /// What is in the band; apart, so that what calls it stays small where there is none.
    #[inline(never)]
    fn in_band(&self, index: usize, block: &[f32; BLOCK]) -> [f32; BLOCK] {
        self.band.mask((index * BLOCK) as u32, block)
    }
}

/// The model's logits in a band.
struct Narrowed<'a> {
    logits: &'a [f32],
    band: Band,
}

impl Blocks for Narrowed<'_> {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.logits.blocks()
    }

    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        self.band.mask((index * BLOCK) as u32, &self.logits.block(index))
    }
}

/// A look at some blocks: about how many logits are above a floor, and the lowest that is finite.
struct Glance<'a, B: ?Sized> {
    blocks: &'a B,
    floor: f32,
}

impl<B: Blocks + ?Sized> Work for Glance<'_, B> {
    type Output = (usize, f32);

    #[inline(always)]
    fn run(self) -> (usize, f32) {
        let (mut counts, mut lowest) = ([0u32; BLOCK], [f32::INFINITY; BLOCK]);
        for index in (0..self.blocks.blocks()).step_by(GLANCED) {
            let block = self.blocks.block(index);
            for i in 0..BLOCK {
                counts[i] += u32::from(block[i] > self.floor);
                let is_lower = (block[i] > f32::NEG_INFINITY) & (block[i] < lowest[i]);
                lowest[i] = if is_lower { block[i] } else { lowest[i] };
            }
        }
        let count: u32 = counts.iter().sum();
        (count as usize * GLANCED, lowest.into_iter().fold(f32::INFINITY, f32::min))
    }
}

/// Which logits a search looks for.
pub(super) trait Test: Copy {
    /// Whether this is one.
    fn passes(self, logit: f32) -> bool;
}

/// Those above a floor.
#[derive(Clone, Copy)]
struct Floor(f32);

impl Test for Floor {
    #[inline(always)]
    fn passes(self, logit: f32) -> bool {
        logit > self.0
    }
}

/// Those in one of two ranges, each above its first number and up to its second.
#[derive(Clone, Copy)]
pub(super) struct Ranges(pub(super) [(f32, f32); 2]);

impl Test for Ranges {
    #[inline(always)]
    fn passes(self, logit: f32) -> bool {
        let [a, b] = self.0;
        ((logit > a.0) & (logit <= a.1)) | ((logit > b.0) & (logit <= b.1))
    }
}

/// The search for the model's own logits that pass a test, which may change each time that one did; gives the test at its end.
struct Search<'a, 's, T, F> {
    source: &'a Source<'s>,
    test: T,
    take: F,
}

impl<T: Test, F: FnMut(Entry) -> T> Work for Search<'_, '_, T, F> {
    type Output = T;

    /// Few logits pass. So words are compared as a whole: without a branch for each logit, and without a bit for each where none passes.
    #[inline(always)]
    fn run(mut self) -> T {
        let (words, rest) = self.source.logits.as_chunks();
        for (index, word) in words.iter().enumerate() {
            self.look_at(index, word);
        }
        if !rest.is_empty() {
            let mut last = [f32::NEG_INFINITY; WORD];
            last[..rest.len()].copy_from_slice(rest);
            self.look_at(words.len(), &last);
        }
        self.test
    }
}

impl<T: Test, F: FnMut(Entry) -> T> Search<'_, '_, T, F> {
    #[inline(always)]
    fn look_at(&mut self, index: usize, logits: &[f32; WORD]) {
        let test = self.test;
        if !logits.iter().fold(false, |any, &logit| any | test.passes(logit)) {
            return;
        }
        let bit = |i: usize| u32::from(test.passes(logits[i])) << i;
        let mut word = self.source.unchanged(index) & (0..WORD).fold(0, |word, i| word | bit(i));
        while word != 0 {
            let i = word.trailing_zeros() as usize;
            word &= word - 1;
            let entry = Entry { token: (index * WORD + i) as u32, logit: logits[i] };
            // The test may have become another one.
            if self.test.passes(entry.logit) && self.source.band.contains(entry) {
                self.test = (self.take)(entry);
            }
        }
    }
}

impl Blocks for Source<'_> {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.logits.blocks() + self.edits.entries().len().div_ceil(BLOCK)
    }

    fn plain(&self) -> Option<&[f32]> {
        (self.allowed.is_none() && self.edits.entries().is_empty() && !self.is_narrow())
            .then_some(self.logits)
    }

    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        if index >= self.logits.blocks() {
            return self.changed(index - self.logits.blocks());
        }
        let block = self.logits.block(index);
        let all = self.unchanged(2 * index) & self.unchanged(2 * index + 1) == u32::MAX;
        let block = if all { block } else { self.masked(index, &block) };
        if self.is_narrow { self.in_band(index, &block) } else { block }
    }
}
