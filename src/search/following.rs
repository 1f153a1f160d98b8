//! The sequences of a beam search on a session, each with what its stop conditions have seen. Used by `branches.rs`.

use super::beam::Language;
use super::branches::Branches;
use crate::session::{Error, Track};
use crate::stop::Reason;
use crate::tokenizer::TokenId;

/// Sequences of now and of the step that is being taken, in memory that is there from the beginning.
pub(super) struct Following<'s, 'm> {
    branches: Branches<'s, 'm>,
    tracks: Vec<Track>,
    next: Vec<Track>,
    /// How many of `next` go on.
    going: usize,
}

impl<'s, 'm> Following<'s, 'm> {
    /// Sequences that begin with one.
    pub fn new(branches: Branches<'s, 'm>, first: Track) -> Self {
        let tracks = vec![first; branches.count];
        Following { next: tracks.clone(), tracks, branches, going: 0 }
    }

    /// The text of a sequence with these tokens, of so many bytes.
    pub fn text(&mut self, tokens: &[TokenId], bytes: usize) -> String {
        self.tracks[0].text(&mut self.branches.pieces, tokens, bytes)
    }
}

impl Language for Following<'_, '_> {
    type Error = Error;

    fn start(&self) -> usize {
        self.branches.session.tokens().len()
    }

    fn advance(&mut self, parents: &[usize], tokens: &[TokenId]) -> Result<(), Error> {
        self.branches.run(parents, tokens);
        if !tokens.is_empty() {
            std::mem::swap(&mut self.tracks, &mut self.next);
            self.going = 0;
        }
        let sequences = self.tracks.iter_mut().take(tokens.len().max(1));
        sequences.enumerate().try_for_each(|(sequence, track)| track.look(self.branches.logits(sequence)))
    }

    fn logits(&self, sequence: usize) -> &[f32] {
        self.branches.logits(sequence)
    }

    fn allowed(&self, sequence: usize) -> Option<&[u32]> {
        self.tracks[sequence].allowed()
    }

    fn end(&mut self, parent: usize, token: TokenId, logprob: f64) -> Result<Option<(Reason, usize)>, Error> {
        let track = &mut self.next[self.going];
        track.copy_from(&self.tracks[parent]);
        let reason = track.step(&mut self.branches.pieces, token, logprob)?;
        let ended = reason.map(|reason| (reason, track.text_bytes()));
        self.going += usize::from(ended.is_none());
        Ok(ended)
    }

    fn text_bytes(&self, sequence: usize) -> usize {
        self.next[sequence].text_bytes()
    }

    fn is_cancelled(&self) -> bool {
        self.branches.session.is_cancelled()
    }

    fn ends(&self) -> usize {
        self.branches.session.tokenizer().eog().len()
    }

    fn longest(&self) -> usize {
        self.branches.session.plan().branches.positions
    }
}
