//! One continuation as stop conditions see it: what they have counted, and its text. Used by `branches.rs`, and by batches.

use crate::sample;
use crate::session::{Allowed, Error};
use crate::stop::{Reason, Stops, Token};
use crate::tokenizer::{TextStream, TokenId, Tokenizer};

/// A continuation so far.
#[derive(Clone)]
pub(crate) struct Track {
    stops: Stops,
    /// Which tokens may come next.
    allowed: Allowed,
    /// What is certain to be part of the text.
    certain: Vec<u8>,
    /// Bytes of the last token.
    piece: Vec<u8>,
    /// Entropy of the distribution that the next token comes from, if a condition wants to know.
    entropy: Option<f32>,
}

impl Track {
    pub fn new(stops: Stops, allowed: Allowed) -> Track {
        Track { stops, allowed, certain: Vec::new(), piece: Vec::new(), entropy: None }
    }

    /// Becomes what another one is that began in the same way. Memory that is there is used again; stop conditions and a grammar are cloned.
    pub fn copy_from(&mut self, other: &Track) {
        self.stops.copy_from(&other.stops);
        self.allowed.clone_from(&other.allowed);
        self.certain.clone_from(&other.certain);
        self.entropy = other.entropy;
    }

    /// Whether a condition wants to know the probabilities of tokens.
    pub fn needs_logprob(&self) -> bool {
        self.stops.needs().logprob
    }

    /// Why there may be no token at all.
    pub fn ended(&mut self) -> Option<Reason> {
        self.stops.check().or_else(|| self.allowed.ended())
    }

    /// Looks at what the next token is chosen from.
    ///
    /// # Errors
    ///
    /// If there is none that the grammar allows.
    pub fn look(&mut self, logits: &[f32]) -> Result<(), Error> {
        self.entropy = self.stops.needs().entropy.then(|| sample::entropy(logits));
        self.allowed.look(self.stops.forbids_eog())
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
        tokenizer: &Tokenizer,
        id: TokenId,
        logprob: f64,
    ) -> Result<Option<Reason>, Error> {
        self.piece.clear();
        tokenizer.piece(id, &mut self.piece);
        let is_eog = tokenizer.is_eog(id);
        let logprob = Some(logprob as f32);
        let token = Token { id, is_eog, piece: &self.piece, logprob, entropy: self.entropy };
        let ended = self.stops.step(&token, &mut self.certain);
        self.allowed.accept(id, ended)
    }

    /// The text, if nothing follows.
    pub fn text(&self) -> String {
        let mut rest = self.clone();
        rest.stops.finish(&mut rest.certain);
        let (mut stream, mut text) = (TextStream::new(), String::new());
        stream.push(&rest.certain, &mut text);
        stream.finish(&mut text);
        text
    }
}
