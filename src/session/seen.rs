//! The tokens that a session has run: all of them, or the last ones of endless text. For [`Session`](super::Session) only.

use super::Extent;
use crate::tokenizer::TokenId;
use std::hash::{DefaultHasher, Hasher};

/// Tokens in memory that is taken once. Of endless text the last are there, at least as many as the ring holds, and of those before them a hash: enough
/// to see whether another text begins in the same way.
#[derive(Debug)]
pub(super) struct Seen {
    tokens: Vec<TokenId>,
    /// Most that the ring holds.
    held: usize,
    /// How many are gone, and their hash.
    gone: usize,
    hash: DefaultHasher,
}

impl Seen {
    pub fn new(extent: &Extent) -> Seen {
        let tokens = Vec::with_capacity(Seen::capacity(extent));
        Seen { tokens, held: extent.positions, gone: 0, hash: DefaultHasher::new() }
    }

    /// Tokens that there is room for. Twice what the ring holds, so that tokens are seldom moved.
    fn capacity(extent: &Extent) -> usize {
        extent.positions.saturating_mul(if extent.sinks.is_some() { 2 } else { 1 })
    }

    /// Bytes that [`Seen::new`] allocates; `None` if that does not fit in `usize`.
    pub fn bytes(extent: &Extent) -> Option<usize> {
        Seen::capacity(extent).checked_mul(size_of::<TokenId>())
    }

    /// Tokens run so far.
    pub fn end(&self) -> usize {
        self.gone + self.tokens.len()
    }

    /// Those of them that the ring can hold: the last ones.
    pub fn last(&self) -> &[TokenId] {
        &self.tokens[self.tokens.len().saturating_sub(self.held)..]
    }

    /// Appends tokens, at most as many as the ring holds.
    pub fn extend(&mut self, tokens: &[TokenId]) {
        if self.tokens.len() + tokens.len() > self.tokens.capacity() {
            let gone = self.tokens.len() - self.held;
            self.tokens.drain(..gone).for_each(|token| self.hash.write_u32(token));
            self.gone += gone;
        }
        self.tokens.extend_from_slice(tokens);
    }

    /// Tokens that a text has in common with these, from the beginning on.
    pub fn in_common(&self, text: &[TokenId]) -> usize {
        let Some((before, rest)) = text.split_at_checked(self.gone) else { return 0 };
        let mut hash = DefaultHasher::new();
        before.iter().for_each(|&token| hash.write_u32(token));
        if hash.finish() != self.hash.finish() {
            return 0;
        }
        self.gone + self.tokens.iter().zip(rest).take_while(|(a, b)| a == b).count()
    }

    /// Forgets all tokens from `end` on: all of them, if that is before the first that is there.
    pub fn truncate(&mut self, end: usize) {
        match end.checked_sub(self.gone) {
            Some(len) => self.tokens.truncate(len),
            None => {
                self.tokens.clear();
                (self.gone, self.hash) = (0, DefaultHasher::new());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::shape::BranchShape;

    fn extent(sinks: Option<usize>) -> Extent {
        Extent { positions: 4, sinks, prompt: None, branches: BranchShape::default() }
    }

    #[test]
    fn endless_text_keeps_its_end() {
        let mut seen = Seen::new(&extent(Some(1)));
        let all: Vec<TokenId> = (0..100).map(|i| i * 7 % 31).collect();
        for (i, token) in all.iter().enumerate() {
            seen.extend(&[*token]);
            assert_eq!((seen.end(), seen.tokens.capacity()), (i + 1, 8));
            assert_eq!(seen.last(), &all[(i + 1).saturating_sub(4)..=i]);
            assert_eq!(seen.in_common(&all), i + 1);
        }
        let mut other = all.clone();
        other[98] += 1;
        assert_eq!(seen.in_common(&other), 98);
        other[3] += 1;
        assert_eq!((seen.in_common(&other), seen.in_common(&all[..5])), (0, 0));
        seen.truncate(98);
        assert_eq!((seen.end(), seen.in_common(&all)), (98, 98));
        seen.truncate(0);
        assert_eq!((seen.end(), seen.in_common(&all)), (0, 0));
    }

    #[test]
    fn text_with_an_end_is_kept() {
        let mut seen = Seen::new(&extent(None));
        seen.extend(&[1, 2, 3, 4]);
        assert_eq!((seen.end(), seen.last(), seen.tokens.capacity()), (4, &[1, 2, 3, 4][..], 4));
        assert_eq!((seen.in_common(&[1, 2, 5]), Seen::bytes(&extent(None))), (2, Some(16)));
    }
}
