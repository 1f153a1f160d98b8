//! A vocabulary as a tree of bytes, in which the tokens that a grammar allows are searched.

use super::Error;
use crate::tokenizer::{TokenId, TokenKind, Tokenizer};
use llguidance::ParserFactory;
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, TokEnv, TokRxInfo, TokTrie};
use std::fmt;
use std::sync::Arc;

/// Most tokens of a vocabulary, and most bytes of all together: the tree counts its nodes with 22 bits.
const MOST: usize = 1 << 22;
/// Most bytes of a token. No longer one is ever allowed: a node counts its parents with 10 bits.
const LONGEST: usize = 1000;
/// The first byte of special tokens, which no text has.
const SPECIAL: u8 = 0xff;
/// The least that an allocation takes.
const ALLOCATION: usize = 32;
/// Most states of the automaton that reads a grammar's words; each takes 1 to 2 kB.
const LEXER_STATES: usize = 10_000;

/// The tokens of a model, ready for grammars. Cheap to clone: clones share it.
///
/// Takes some 20 MB for 150,000 tokens ([`Vocabulary::bytes`]), and a third of a second to make.
#[derive(Clone)]
pub struct Vocabulary {
    factory: Arc<ParserFactory>,
    /// Tokens that end the generation.
    eog: Arc<[TokenId]>,
    bytes: usize,
}

impl Vocabulary {
    /// The tokens of a tokenizer, as the bytes that they add to a text.
    ///
    /// Tokens without text, such as control tokens, are allowed only where a Lark grammar names them (`<|im_start|>`). Those that end the generation
    /// are allowed where the text satisfies the grammar.
    ///
    /// # Errors
    ///
    /// If there are too many tokens.
    pub fn new(tokenizer: &Tokenizer) -> Result<Vocabulary, Error> {
        Vocabulary::of(words(tokenizer), tokenizer.eog())
    }

    /// What [`Vocabulary::new`] will take, in bytes, to a tenth. Takes 16 bytes a token meanwhile.
    pub fn estimate(tokenizer: &Tokenizer) -> usize {
        let texts = (0..tokenizer.len() as TokenId)
            .map(|id| tokenizer.token(id).map_or(&[][..], |token| token.bytes));
        bytes(&mut texts.collect::<Vec<_>>())
    }

    /// The same of tokens as the tree has them.
    pub(super) fn of(words: Vec<Vec<u8>>, eog: &[TokenId]) -> Result<Vocabulary, Error> {
        let mut texts: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let (tokens, text) = (words.len(), text(&texts));
        if tokens.max(text) >= MOST {
            return Err(Error::Vocabulary { tokens, bytes: text, most: MOST - 1 });
        }
        let bytes = bytes(&mut texts);
        let first = eog.first().copied().unwrap_or(u32::MAX);
        let trie = TokTrie::from(&TokRxInfo::new(tokens as u32, first), &words);
        drop(words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let factory = ParserFactory::new(&environment, InferenceCapabilities::default(), &[]);
        let mut factory = factory.map_err(|error| Error::Limit { reason: error.to_string(), tokens: 0 })?;
        factory.quiet();
        factory.limits_mut().max_lexer_states = LEXER_STATES;
        factory.limits_mut().verbose_errors = false;
        Ok(Vocabulary { factory: Arc::new(factory), eog: eog.into(), bytes })
    }

    /// What it takes while it is made, which is more than afterwards, in bytes; without what grammars take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of tokens.
    pub(super) fn tokens(&self) -> usize {
        self.factory.tok_env().tok_trie().vocab_size()
    }

    pub(super) fn eog(&self) -> &[TokenId] {
        &self.eog
    }

    pub(super) fn factory(&self) -> &ParserFactory {
        &self.factory
    }
}

impl fmt::Debug for Vocabulary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vocabulary").field("tokens", &self.tokens()).field("bytes", &self.bytes).finish()
    }
}

/// What the tree has for each token.
fn words(tokenizer: &Tokenizer) -> Vec<Vec<u8>> {
    (0..tokenizer.len() as TokenId).map(|id| word(tokenizer, id)).collect()
}

/// Bytes of all words.
fn text(words: &[&[u8]]) -> usize {
    words.iter().map(|word| word.len()).sum()
}

/// Memory of two trees, each with an entry for every token (offset, length, rank), all bytes, and a node of 8 bytes for each different prefix; and
/// of the words that they are made of, each an allocation of its own.
fn bytes(words: &mut [&[u8]]) -> usize {
    words.sort_unstable();
    let shared = |pair: &[&[u8]]| pair[0].iter().zip(pair[1]).take_while(|(a, b)| a == b).count();
    let nodes = text(words) - words.windows(2).map(shared).sum::<usize>();
    2 * (words.len() * 12 + text(words) + nodes * 8) + words.len() * (size_of::<Vec<u8>>() + ALLOCATION)
}

/// What the tree has for a token: nothing if it may never be chosen.
fn word(tokenizer: &Tokenizer, id: TokenId) -> Vec<u8> {
    let mut word = Vec::new();
    let Some(token) = tokenizer.token(id) else { return word };
    let is_special = token.kind == TokenKind::Control || tokenizer.is_eog(id);
    if is_special {
        word.push(SPECIAL);
        word.extend_from_slice(token.bytes);
    } else {
        tokenizer.piece(id, &mut word);
    }
    let is_text = word.first() != Some(&SPECIAL);
    if word.len() > LONGEST || !(is_text || is_special) {
        word.clear();
    }
    word
}
