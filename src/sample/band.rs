//! A range of the rank order: what filters leave where that is too much for a list. Called by the source only.

use super::blocks::BLOCK;
use super::rank::Entry;

/// Tokens between two of them, in rank order. Of logits that equal one at an end, those with a token id up to that end's are in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Band {
    /// The highest logit.
    pub(super) first: Entry,
    /// The lowest logit.
    pub(super) last: Entry,
}

impl Band {
    /// All tokens.
    pub(super) const ALL: Band = Band {
        first: Entry { token: u32::MAX, logit: f32::INFINITY },
        last: Entry { token: u32::MAX, logit: f32::NEG_INFINITY },
    };

    /// What is in both.
    pub(super) fn and(self, other: Band) -> Band {
        // of two borders at the same logit, fewer tokens are within the one with the lower id
        let inner = |a: Entry, b: Entry, is_inner: bool| match a.logit == b.logit {
            true => Entry { token: a.token.min(b.token), ..a },
            false if is_inner => a,
            false => b,
        };
        Band {
            first: inner(self.first, other.first, self.first.logit < other.first.logit),
            last: inner(self.last, other.last, self.last.logit > other.last.logit),
        }
    }

    pub(super) fn contains(&self, Entry { token, logit }: Entry) -> bool {
        let below_first = logit < self.first.logit || logit == self.first.logit && token <= self.first.token;
        below_first && (logit > self.last.logit || logit == self.last.logit && token <= self.last.token)
    }

    /// A block of logits, of tokens from `token` on, without those that are outside.
    #[inline(always)]
    pub(super) fn mask(&self, token: u32, block: &[f32; BLOCK]) -> [f32; BLOCK] {
        let end = token.saturating_add(BLOCK as u32);
        // Whether the border runs through the block.
        let through = |border: Entry| (token..end).contains(&border.token);
        if through(self.first) || through(self.last) {
            return self.mask_each(token, block);
        }
        let after = |border: Entry| token > border.token;
        let high = if after(self.first) { self.first.logit.next_down() } else { self.first.logit };
        let low = if after(self.last) { self.last.logit } else { self.last.logit.next_down() };
        std::array::from_fn(
            |i| if (block[i] <= high) & (block[i] > low) { block[i] } else { f32::NEG_INFINITY },
        )
    }

    #[cold]
    fn mask_each(&self, token: u32, block: &[f32; BLOCK]) -> [f32; BLOCK] {
        let is_in =
            |i: usize| self.contains(Entry { token: token.saturating_add(i as u32), logit: block[i] });
        std::array::from_fn(|i| if is_in(i) { block[i] } else { f32::NEG_INFINITY })
    }
}
