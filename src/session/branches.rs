//! What searches, which follow several continuations, want of a session.

use super::{Allowed, Options, Session};
use crate::stop;
use crate::tokenizer::{TokenId, Tokenizer};
use std::time::Instant;

impl<'m> Session<'m> {
    /// Tokens that there is room for: of each branch, or behind those that were run.
    pub fn room(&self) -> usize {
        match self.plan.branches.count {
            0 => self.decoder.free(),
            _ => self.plan.branches.positions,
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    pub(crate) fn tokenizer(&self) -> &'m Tokenizer {
        self.tokenizer
    }

    /// The stop conditions of a continuation, before its first token.
    pub(crate) fn conditions(&self) -> &stop::Options {
        &self.conditions
    }

    /// What may be the first token of a continuation, and then the next.
    pub(crate) fn first_allowed(&self) -> &Allowed {
        &self.first_allowed
    }

    /// Lets so many branches begin behind the prompt.
    pub(crate) fn begin_branches(&mut self, count: usize) {
        self.decoder.limit_threads(self.decode_threads);
        self.decoder.branch(count);
    }

    /// Forgets the branches.
    pub(crate) fn end_branches(&mut self) {
        self.decoder.truncate(self.seen.end());
    }

    /// Branch `i` becomes what branch `parents[i]` was, with `tokens[i]` behind it; `logits` is `branches x vocabulary`.
    pub(crate) fn advance_branches(&mut self, parents: &[usize], tokens: &[TokenId], logits: &mut [f32]) {
        let start = Instant::now();
        self.decoder.rearrange(parents);
        self.decoder.forward_runs(tokens.iter().map(std::slice::from_ref).enumerate());
        self.decoder.logits_of(0..tokens.len(), logits);
        self.timing.decode += start.elapsed();
        self.timing.decode_tokens += tokens.len();
    }
}
