//! One continuation as stop conditions and a grammar see it. Its text is not kept: it is made of its tokens when it is wanted. Used by searches and batches.

use super::{Allowed, Error, Pieces};
use crate::sample;
use crate::stop::{Judge, Reason, Token};
use crate::tokenizer::TokenId;

/// A continuation so far.
#[derive(Clone)]
pub(crate) struct Track {
    pub(super) judge: Judge,
    /// Which tokens may come next.
    pub(super) allowed: Allowed,
    /// Entropy of the distribution that the next token comes from, if a condition wants to know.
    entropy: Option<f32>,
}

impl Track {
    pub fn new(judge: Judge, allowed: Allowed) -> Track {
        Track { judge, allowed, entropy: None }
    }

    /// Bytes of a track in a list, where its conditions own so many; without what a grammar keeps.
    pub fn bytes(owned: usize) -> usize {
        size_of::<Track>() + owned
    }

    /// Becomes what another one is that began in the same way, in the memory that is there; only a grammar is cloned.
    pub fn copy_from(&mut self, other: &Track) {
        self.judge.copy_from(&other.judge);
        self.allowed.clone_from(&other.allowed);
        self.entropy = other.entropy;
    }

    /// Whether a condition wants to know the probabilities of tokens.
    pub fn needs_logprob(&self) -> bool {
        self.judge.needs().logprob
    }

    /// Why there may be no token at all.
    pub fn ended(&mut self) -> Option<Reason> {
        self.judge.check().or_else(|| self.allowed.ended())
    }

    /// Looks at what the next token is chosen from.
    ///
    /// # Errors
    ///
    /// If there is none that the grammar allows.
    pub fn look(&mut self, logits: &[f32]) -> Result<(), Error> {
        self.entropy = self.judge.needs().entropy.then(|| sample::entropy(logits));
        self.allowed.look(self.judge.forbids_eog())
    }

    /// Which tokens may come next, as [`sample::Context::allowed`].
    pub fn allowed(&self) -> Option<&[u32]> {
        self.allowed.words()
    }

    /// Appends a token; why the continuation ends with it, if it does.
    ///
    /// # Errors
    ///
    /// If the grammar asks for too much.
    pub fn step(
        &mut self,
        pieces: &mut Pieces<'_>,
        id: TokenId,
        logprob: f64,
    ) -> Result<Option<Reason>, Error> {
        let (is_eog, piece) = pieces.token(id);
        let logprob = Some(logprob as f32);
        let token = Token { id, is_eog, piece, logprob, entropy: self.entropy };
        let ended = self.judge.step(&token);
        self.allowed.accept(id, ended)
    }

    /// Bytes of the text, if nothing follows.
    pub fn text_bytes(&self) -> usize {
        self.judge.bytes()
    }

    /// The text of a continuation with these tokens and so many [bytes](Track::text_bytes), whose options are those of this one.
    pub fn text(&self, pieces: &mut Pieces<'_>, tokens: &[TokenId], bytes: usize) -> String {
        pieces.text(tokens, bytes, |is_eog| self.judge.has_text(is_eog))
    }
}
