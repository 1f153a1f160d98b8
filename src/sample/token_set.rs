//! Sets of tokens as bits, for [`Context::allowed`](super::Context::allowed). Used by the session and by searches.

/// Whether a token is in the set with these bits.
pub(super) fn contains(words: &[u32], token: u32) -> bool {
    words.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1)
}

/// A set of the tokens of a vocabulary: bit `t % 32` of word `t / 32` says whether token `t` is in it.
///
/// ```
/// let mut set = siskin::sample::TokenSet::full(70);
/// set.remove(69);
/// assert!(set.contains(68) && !set.contains(69) && !set.contains(70));
/// assert_eq!(set.words().len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenSet {
    words: Vec<u32>,
}

impl TokenSet {
    /// All of `vocab` tokens.
    pub fn full(vocab: usize) -> TokenSet {
        let mut words = vec![u32::MAX; vocab.div_ceil(32)];
        if let (Some(last), rest @ 1..) = (words.last_mut(), vocab % 32) {
            *last = (1 << rest) - 1;
        }
        TokenSet { words }
    }

    /// What a set for a vocabulary of `vocab` tokens allocates, in bytes.
    pub fn bytes(vocab: usize) -> usize {
        vocab.div_ceil(32) * size_of::<u32>()
    }

    /// Takes a token out, if the vocabulary has it.
    pub fn remove(&mut self, token: u32) {
        if let Some(word) = self.words.get_mut(token as usize / 32) {
            *word &= !(1 << (token % 32));
        }
    }

    /// Whether a token is in it.
    pub fn contains(&self, token: u32) -> bool {
        contains(&self.words, token)
    }

    /// The bits.
    pub fn words(&self) -> &[u32] {
        &self.words
    }
}
