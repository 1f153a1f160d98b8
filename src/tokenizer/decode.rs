//! Token ids to the bytes they mean.

use super::blanks::append_unescaped;
use super::bytes::append_meaning;
use super::{Rules, TokenId, TokenKind, Tokenizer};

impl Tokenizer {
    /// Appends the bytes that this token adds to a text: blanks for `▁`, bytes for their spellings. Control,
    /// unknown and unused tokens add nothing, nor do ids that are not in the vocabulary. The bytes may end
    /// inside a character: see [`TextStream`](super::TextStream).
    pub fn piece(&self, id: TokenId, out: &mut Vec<u8>) {
        if !self.vocab.is_token(id) {
            return;
        }
        let text = self.vocab.text(id);
        match self.vocab.kind(id) {
            TokenKind::Control | TokenKind::Unknown | TokenKind::Unused => {}
            TokenKind::UserDefined => out.extend_from_slice(text),
            TokenKind::Byte => out.extend(byte_value(text)),
            TokenKind::Normal => match &self.algorithm {
                Rules::Bpe(bpe) if bpe.rule().byte_level => append_meaning(text, out),
                _ => append_unescaped(text, out),
            },
        }
    }

    /// The bytes of a whole sequence: the pieces of all tokens, less the blanks that [`Tokenizer::encode`]
    /// puts before texts. So a text comes back as it was, or as WordPiece and Unigram normalize it.
    pub fn decode(&self, ids: &[TokenId]) -> Vec<u8> {
        let mut out = Vec::with_capacity(ids.len() * 4);
        let mut after_prefix = self.space_prefix;
        for &id in ids {
            let start = out.len();
            self.piece(id, &mut out);
            if self.is_cut(id) {
                after_prefix = self.space_prefix;
            } else if std::mem::take(&mut after_prefix) && out.get(start) == Some(&b' ') {
                out.remove(start);
            }
        }
        out
    }

    /// Whether a text is cut at this token, so that a blank is put before what follows.
    fn is_cut(&self, id: TokenId) -> bool {
        let kind = self.vocab.token(id).map(|token| token.kind);
        matches!(kind, Some(TokenKind::Control | TokenKind::UserDefined))
    }
}

/// The byte that `<0xXX>` stands for.
fn byte_value(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"<0x")?.strip_suffix(b">")?;
    let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() == 2)?;
    u8::from_str_radix(digits, 16).ok()
}
