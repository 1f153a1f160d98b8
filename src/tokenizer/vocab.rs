//! The vocabulary: texts, kinds and scores of all tokens, and the way from a text to its id.

use super::error::Error;
use super::table::TextTable;
use super::{Token, TokenId, TokenKind};

impl TokenKind {
    /// Whether text alone can yield a token of this kind. A control token in a text would let the author of the
    /// text give orders in the name of the program, so those are only found where the caller asks for it
    /// (`partition.rs`).
    pub(super) fn occurs_in_text(self) -> bool {
        matches!(self, TokenKind::Normal | TokenKind::UserDefined | TokenKind::Unused)
    }
}

/// All tokens of a model. The texts lie one after the other in one arena.
///
/// After the tokens there may be further texts that merges produce on their way, or by mistake, without being
/// tokens. They have ids from `len()` on, which never leave this room.
pub(super) struct Vocab {
    arena: Vec<u8>,
    /// End of each text in `arena`; a text begins where the one before it ends.
    ends: Vec<u32>,
    kinds: Vec<TokenKind>,
    /// Empty if the file has no scores.
    scores: Vec<f32>,
    by_text: TextTable,
    longest: usize,
}

impl Vocab {
    /// Builds the vocabulary from `count` texts in the order of their ids. An empty text becomes
    /// `[EMPTY_id]`.
    ///
    /// # Errors
    ///
    /// No token, a text that occurs twice, kinds or scores of another number than texts (scores may be
    /// absent), or texts too long for 32-bit offsets.
    pub(super) fn new<'a>(
        texts: impl Iterator<Item = Result<&'a [u8], Error>>,
        count: usize,
        kinds: Vec<TokenKind>,
        scores: Vec<f32>,
    ) -> Result<Vocab, Error> {
        check_length("tokenizer.ggml.token_type", kinds.len(), count)?;
        if !scores.is_empty() {
            check_length("tokenizer.ggml.scores", scores.len(), count)?;
        }
        let by_text = TextTable::with_capacity(count);
        let mut vocab =
            Vocab { arena: Vec::new(), ends: Vec::with_capacity(count), kinds, scores, by_text, longest: 0 };
        vocab.arena.reserve(count.saturating_mul(8));
        for text in texts {
            vocab.add_token(text?)?;
        }
        check_length("tokenizer.ggml.tokens", vocab.ends.len(), count)?;
        if count == 0 { Err(Error::NoTokens) } else { Ok(vocab) }
    }

    fn add_token(&mut self, text: &[u8]) -> Result<(), Error> {
        let second = self.ends.len() as TokenId;
        let named;
        let text = if text.is_empty() {
            log::warn!("tokenizer.ggml.tokens: token {second} is empty and can never be found in a text");
            named = format!("[EMPTY_{second}]");
            named.as_bytes()
        } else {
            text
        };
        self.longest = self.longest.max(text.len());
        match self.intern(text)? {
            id if id == second => Ok(()),
            first => {
                Err(Error::Duplicate { text: String::from_utf8_lossy(text).into_owned(), first, second })
            }
        }
    }

    /// The id of `text`, token or not; it gets the next free one if it is new.
    pub(super) fn intern(&mut self, text: &[u8]) -> Result<u32, Error> {
        let id = self.ends.len() as u32;
        let (arena, ends) = (&self.arena, &self.ends);
        if let Some(known) = self.by_text.insert(text, id, |id| text_at(arena, ends, id)) {
            return Ok(known);
        }
        self.arena.extend_from_slice(text);
        let (end, most) = (self.arena.len() as u64, u64::from(u32::MAX));
        let end = u32::try_from(end).map_err(|_| Error::TooLarge {
            key: "tokenizer.ggml.tokens",
            found: end,
            most,
        })?;
        self.ends.push(end);
        Ok(id)
    }

    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        let ids = size_of::<u32>() * self.ends.capacity() + size_of::<TokenKind>() * self.kinds.capacity();
        self.arena.capacity() + ids + size_of::<f32>() * self.scores.capacity() + self.by_text.bytes()
    }

    /// Bytes of the longest text.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Number of tokens.
    pub(super) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether `id` is a token.
    pub(super) fn is_token(&self, id: u32) -> bool {
        (id as usize) < self.len()
    }

    /// The text of `id`, which must come from this vocabulary.
    #[inline]
    pub(super) fn text(&self, id: u32) -> &[u8] {
        text_at(&self.arena, &self.ends, id)
    }

    /// The kind of a token; `id` must be below [`Vocab::len`].
    #[inline]
    pub(super) fn kind(&self, id: TokenId) -> TokenKind {
        self.kinds[id as usize]
    }

    pub(super) fn set_kind(&mut self, id: TokenId, kind: TokenKind) {
        self.kinds[id as usize] = kind;
    }

    /// The score of a token, 0 if the file has none; `id` must be below [`Vocab::len`].
    pub(super) fn score(&self, id: TokenId) -> f32 {
        self.scores.get(id as usize).copied().unwrap_or(0.0)
    }

    /// Everything about one token.
    pub(super) fn token(&self, id: TokenId) -> Option<Token<'_>> {
        self.is_token(id).then(|| Token { bytes: self.text(id), kind: self.kind(id), score: self.score(id) })
    }

    /// Ids of all tokens.
    pub(super) fn ids(&self) -> impl Iterator<Item = TokenId> + use<> {
        0..self.len() as TokenId
    }

    /// The id of a text, token or not.
    #[inline]
    pub(super) fn find(&self, text: &[u8]) -> Option<u32> {
        self.by_text.get(text, |id| self.text(id))
    }

    /// The ids of `N` texts or fewer, tokens or not; faster than one by one.
    pub(super) fn find_many<const N: usize>(&self, texts: &[&[u8]]) -> [Option<u32>; N] {
        self.by_text.get_many(texts, |id| self.text(id))
    }

    /// The token with that text.
    #[inline]
    pub(super) fn find_token(&self, text: &[u8]) -> Option<TokenId> {
        if text.len() > self.longest {
            return None;
        }
        self.find(text).filter(|&id| self.is_token(id))
    }

    /// The token `<0xXX>` of a byte.
    pub(super) fn find_byte_token(&self, byte: u8) -> Option<TokenId> {
        self.find_token(format!("<0x{byte:02X}>").as_bytes())
    }
}

#[inline]
fn text_at<'a>(arena: &'a [u8], ends: &[u32], id: u32) -> &'a [u8] {
    let id = id as usize;
    let start = if id == 0 { 0 } else { ends[id - 1] };
    &arena[start as usize..ends[id] as usize]
}

fn check_length(key: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { key, found, expected }) }
}
