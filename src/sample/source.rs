//! The logits of one position as the sampler sees them: the model's, without tokens that a grammar forbids, and with those that bias and
//! penalties changed. Called by the sampler and its filters; nothing is copied.

use super::blocks::{BLOCK, Blocks};
use super::candidates::{Entry, rank};
use super::edits::{Edits, Touched};
use siskin_simd::{Work, widest};

/// Tokens of a word of a bit set.
const WORD: usize = u32::BITS as usize;

/// The logits of one position.
#[derive(Debug)]
pub(super) struct Source<'a> {
    logits: &'a [f32],
    /// Which tokens may be chosen; `None` for all. Tokens beyond its end may not.
    allowed: Option<&'a [u32]>,
    edits: &'a mut Edits,
}

impl<'a> Source<'a> {
    /// Logits that nothing has changed yet.
    pub(super) fn new(logits: &'a [f32], allowed: Option<&'a [u32]>, edits: &'a mut Edits) -> Source<'a> {
        edits.clear();
        Source { logits, allowed, edits }
    }

    /// Number of tokens of the vocabulary, the forbidden ones included.
    pub(super) fn vocab(&self) -> usize {
        self.logits.len()
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
        let mut floor = widest(Above { source: self, floor, take: &mut take });
        for &entry in self.edits.entries() {
            if entry.logit > floor.next_down() && self.allows(entry.token) {
                floor = take(entry);
            }
        }
    }

    fn allows(&self, token: u32) -> bool {
        self.allowed_word(token as usize / WORD) >> (token as usize % WORD) & 1 == 1
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
        for (to, entry) in block.iter_mut().zip(entries).filter(|(_, entry)| self.allows(entry.token)) {
            *to = entry.logit;
        }
        block
    }

    /// A block of the model's logits without those that are forbidden or changed.
    fn masked(&self, index: usize, block: &[f32; BLOCK]) -> [f32; BLOCK] {
        let words = [self.unchanged(2 * index), self.unchanged(2 * index + 1)];
        let stays = |i: usize| words[i / WORD] >> (i % WORD) & 1 == 1;
        std::array::from_fn(|i| if stays(i) { block[i] } else { f32::NEG_INFINITY })
    }
}

/// The search for the model's own logits above a floor; gives the floor at its end.
struct Above<'a, 's, F> {
    source: &'a Source<'s>,
    floor: f32,
    take: F,
}

impl<F: FnMut(Entry) -> f32> Work for Above<'_, '_, F> {
    type Output = f32;

    /// Few logits pass. So words are compared as a whole: without a branch for each logit, and without a bit for each where none passes.
    #[inline(always)]
    fn run(mut self) -> f32 {
        for (index, chunk) in self.source.logits.chunks(WORD).enumerate() {
            if !chunk.iter().fold(false, |any, &logit| any | (logit > self.floor)) {
                continue;
            }
            let mut word = self.source.unchanged(index) & above(chunk, self.floor);
            while word != 0 {
                let bit = word.trailing_zeros() as usize;
                word &= word - 1;
                // The floor may have been raised.
                if chunk[bit] > self.floor {
                    self.floor = (self.take)(Entry { token: (index * WORD + bit) as u32, logit: chunk[bit] });
                }
            }
        }
        self.floor
    }
}

/// A bit for each of up to 32 logits: whether it is above `floor`.
#[inline(always)]
fn above(chunk: &[f32], floor: f32) -> u32 {
    let bit = |(i, &logit): (usize, &f32)| u32::from(logit > floor) << i;
    chunk.iter().enumerate().map(bit).fold(0, |word, bit| word | bit)
}

impl Blocks for Source<'_> {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.logits.blocks() + self.edits.entries().len().div_ceil(BLOCK)
    }

    fn plain(&self) -> Option<&[f32]> {
        (self.allowed.is_none() && self.edits.entries().is_empty()).then_some(self.logits)
    }

    #[inline(always)]
    fn block(&self, index: usize) -> [f32; BLOCK] {
        if index >= self.logits.blocks() {
            return self.changed(index - self.logits.blocks());
        }
        let block = self.logits.block(index);
        let all = self.unchanged(2 * index) & self.unchanged(2 * index + 1) == u32::MAX;
        if all { block } else { self.masked(index, &block) }
    }
}
