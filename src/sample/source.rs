//! The logits of one position as the sampler sees them: the model's, without tokens that a grammar forbids, and with those that bias and
//! penalties changed. Called by the sampler and its filters; nothing is copied.

use super::blocks::{BLOCK, Blocks};
use super::candidates::{Entry, rank};
use super::edits::{Edits, Touched};

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
    /// Few logits pass. So the common case, a whole word that does not, is tested without a branch per logit.
    pub(super) fn for_each_above(&self, mut floor: f32, mut take: impl FnMut(Entry) -> f32) {
        for (index, chunk) in self.logits.chunks(WORD).enumerate() {
            if !chunk.iter().fold(false, |any, &logit| any | (logit > floor)) {
                continue;
            }
            let word = self.unchanged(index);
            for (token, &logit) in (index * WORD..).zip(chunk) {
                if logit > floor && word >> (token % WORD) & 1 == 1 {
                    floor = take(Entry { token: token as u32, logit });
                }
            }
        }
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

impl Blocks for Source<'_> {
    #[inline(always)]
    fn blocks(&self) -> usize {
        self.logits.blocks() + self.edits.entries().len().div_ceil(BLOCK)
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
