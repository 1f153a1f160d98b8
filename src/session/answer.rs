//! The answer of a session on its way out: tokens go in, and text comes out once stop conditions are certain of it, in whole characters. For
//! [`Session`](super::Session) only.

use super::Options;
use crate::sample::Choice;
use crate::stop::{self, Judge, Reason, Stops, Token};
use crate::tokenizer::{TextStream, Tokenizer};

/// Bytes of text that may leave at once, at least, without allocating.
const HELD: usize = 1024;

/// An answer so far. Everything it needs is allocated in [`Answer::new`], but for stop texts that are longer than what is reserved.
pub(super) struct Answer {
    stops: Stops,
    stream: TextStream,
    /// Bytes of the last token, and those that it made certain.
    piece: Vec<u8>,
    certain: Vec<u8>,
    /// What leaves with the step that is being taken.
    text: String,
}

impl Answer {
    /// An answer before its first token, with room for tokens of up to `longest` bytes.
    pub fn new(judge: Judge, longest: usize, options: &Options) -> Answer {
        let held = held(longest, options);
        Answer {
            stops: Stops::of(judge),
            stream: TextStream::new(),
            piece: Vec::with_capacity(longest),
            certain: Vec::with_capacity(held),
            text: String::with_capacity(text_room(held)),
        }
    }

    /// Bytes that [`Answer::new`] allocates, without what stop conditions keep to themselves.
    pub fn bytes(longest: usize, options: &Options) -> usize {
        let held = held(longest, options);
        [longest, held, text_room(held), stop::RESERVED].into_iter().fold(0, usize::saturating_add)
    }

    /// Begins another answer.
    pub fn restart(&mut self, judge: Judge) {
        (self.stops, self.stream) = (Stops::of(judge), TextStream::new());
    }

    /// The stop conditions, and what they have seen so far.
    pub fn stops(&self) -> &Stops {
        &self.stops
    }

    /// Why there may be no other token.
    pub fn check(&mut self) -> Option<Reason> {
        self.stops.check()
    }

    /// Forgets the text of the last step.
    pub fn begin_step(&mut self) {
        self.text.clear();
    }

    /// The text of this step.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Takes a token that was chosen from a distribution of this entropy; why the answer ends with it, if it does.
    pub fn push(&mut self, tokenizer: &Tokenizer, choice: &Choice, entropy: Option<f32>) -> Option<Reason> {
        self.piece.clear();
        tokenizer.piece(choice.token, &mut self.piece);
        let is_eog = tokenizer.is_eog(choice.token);
        let token = Token { id: choice.token, is_eog, piece: &self.piece, logprob: choice.logprob, entropy };
        self.certain.clear();
        let ended = self.stops.step(&token, &mut self.certain);
        self.stream.push(&self.certain, &mut self.text);
        ended
    }

    /// Nothing follows: lets go of what stop conditions and half a character hold back.
    pub fn finish(&mut self) {
        self.certain.clear();
        self.stops.finish(&mut self.certain);
        self.stream.push(&self.certain, &mut self.text);
        self.stream.finish(&mut self.text);
    }
}

/// Bytes that may leave at once without allocating.
fn held(longest: usize, options: &Options) -> usize {
    longest + options.stop_texts.iter().map(String::len).max().unwrap_or(0).max(HELD)
}

/// Room for so many bytes as text: an invalid byte becomes three.
pub(super) fn text_room(bytes: usize) -> usize {
    bytes.saturating_mul(3).saturating_add(16)
}
