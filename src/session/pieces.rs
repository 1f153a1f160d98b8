//! Text of tokens that are there already: of the one that a stop condition looks at, and of a whole continuation when it is wanted. Used by sessions and
//! batches for those who follow several continuations.

use super::answer::text_room;
use crate::tokenizer::{TextStream, TokenId, Tokenizer};

/// A tokenizer, and room for the text of one token.
pub(crate) struct Pieces<'m> {
    tokenizer: &'m Tokenizer,
    piece: Vec<u8>,
    text: String,
}

impl<'m> Pieces<'m> {
    /// Takes memory with the first token.
    pub fn new(tokenizer: &'m Tokenizer) -> Pieces<'m> {
        Pieces { tokenizer, piece: Vec::new(), text: String::new() }
    }

    /// With room for any token.
    pub fn reserved(tokenizer: &'m Tokenizer) -> Pieces<'m> {
        let longest = tokenizer.longest();
        let text = String::with_capacity(text_room(longest));
        Pieces { tokenizer, piece: Vec::with_capacity(longest), text }
    }

    /// Bytes that [`Pieces::reserved`] allocates, of a tokenizer whose longest token has so many.
    pub fn bytes(longest: usize) -> usize {
        longest + text_room(longest)
    }

    /// Whether a token ends the generation, and its bytes.
    pub fn token(&mut self, id: TokenId) -> (bool, &[u8]) {
        self.piece.clear();
        self.tokenizer.piece(id, &mut self.piece);
        (self.tokenizer.is_eog(id), &self.piece)
    }

    /// The first `bytes` of the text of tokens, in memory that is just enough.
    pub fn text(&mut self, tokens: &[TokenId], bytes: usize, has_text: impl Fn(bool) -> bool) -> String {
        let mut len = 0;
        self.each(tokens, bytes, &has_text, |part| len += part.len());
        let mut text = String::with_capacity(len);
        self.each(tokens, bytes, &has_text, |part| text.push_str(part));
        text
    }

    fn each(
        &mut self,
        tokens: &[TokenId],
        mut bytes: usize,
        has_text: impl Fn(bool) -> bool,
        mut part: impl FnMut(&str),
    ) {
        let mut stream = TextStream::new();
        let mut text = std::mem::take(&mut self.text);
        for &id in tokens {
            let (is_eog, piece) = self.token(id);
            if has_text(is_eog) {
                let piece = &piece[..piece.len().min(bytes)];
                bytes -= piece.len();
                text.clear();
                stream.push(piece, &mut text);
                part(&text);
            }
        }
        text.clear();
        stream.finish(&mut text);
        part(&text);
        self.text = text;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Gguf;
    use crate::tokenizer::Encode;

    #[test]
    fn texts_are_what_their_bytes_say() {
        let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf");
        let file = Gguf::open(&model).unwrap();
        let tokenizer = Tokenizer::from_metadata(file.metadata()).unwrap();
        let mut tokens = tokenizer.encode("Once \u{1F40D}, \u{e9}t\u{e9}.", Encode::default());
        let end = tokenizer.eog()[0];
        tokens.insert(1, end);
        let mut all = Vec::new();
        tokens.iter().filter(|&&id| id != end).for_each(|&id| tokenizer.piece(id, &mut all));
        let mut pieces = Pieces::reserved(&tokenizer);
        let taken = (pieces.piece.capacity(), pieces.text.capacity());
        assert_eq!(taken.0 + taken.1, Pieces::bytes(tokenizer.longest()));
        for bytes in 0..=all.len() {
            let text = pieces.text(&tokens, bytes, |is_eog| !is_eog);
            assert_eq!(
                (text.capacity(), text.as_str()),
                (text.len(), &*String::from_utf8_lossy(&all[..bytes]))
            );
        }
        assert_eq!((pieces.piece.capacity(), pieces.text.capacity()), taken);
    }
}
