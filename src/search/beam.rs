//! Beam search: of all ways to go on, the few likeliest are followed side by side (B. T. Lowerre, "The Harpy speech recognition system", 1976).
//!
//! ```text
//! repeat:
//!     candidates = the best of (sum of the sequence + log-probability of the token), over all sequences and tokens
//!     of the first N:  those that end join the hypotheses, of which the N with the best scores stay
//!     of all:          the first N that do not end are the sequences from now on
//! until enough hypotheses are found, or none can be beaten any more
//! ```
//!
//! Knows no model: [`Language`] answers what comes next. Rules and scores are those of Hugging Face transformers (`generate(num_beams=...)`), so
//! that results can be compared. Used by `branches.rs`.

#[cfg(test)]
mod tests;

use super::score;
use super::tree::Tree;
use crate::sample;
use crate::sample::best::{Best, Candidate};
use crate::session::{End, Hypothesis, Paths};
use crate::stop::Reason;
use crate::tokenizer::TokenId;

/// How to search.
///
/// Begin with [`Beams::new`] and set fields, or end a literal with `..Beams::new(n)`: later versions add some.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beams {
    /// Sequences that are followed side by side; at least 1.
    pub count: usize,
    /// The power of the length that a sum of log-probabilities is divided by. 0: not at all, which favours short continuations.
    pub length_penalty: f32,
    /// When enough has been found.
    pub early_stopping: EarlyStopping,
    /// Keep every token that was followed, for [`Found::tree`](super::Found::tree). The tree grows with the text, and is not part of the plan.
    pub tree: bool,
}

impl Beams {
    /// So many beams, scored by their mean log-probability, until nothing better is to be expected.
    pub fn new(count: usize) -> Beams {
        Beams { count, length_penalty: 1.0, early_stopping: EarlyStopping::Likely, tree: false }
    }
}

/// When a beam search ends before all sequences have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum EarlyStopping {
    /// As soon as there are as many hypotheses as beams. transformers: `early_stopping=True`.
    Full,
    /// When the likeliest sequence, were it to end now, would not beat the worst hypothesis. transformers: `False`.
    #[default]
    Likely,
    /// When no sequence can beat the worst hypothesis any more, however long it becomes. transformers: `"never"`.
    Never,
}

/// Answers what comes next.
pub(super) trait Language {
    /// What can go wrong.
    type Error: From<sample::Error>;

    /// Tokens that stand before every sequence.
    fn start(&self) -> usize;

    /// Lets sequences go on: sequence `i` becomes what sequence `parents[i]` was, with `tokens[i]` behind it. Without any, the search begins with
    /// one empty sequence.
    fn advance(&mut self, parents: &[usize], tokens: &[TokenId]) -> Result<(), Self::Error>;

    /// The logits of what follows a sequence, one for each entry of the vocabulary.
    fn logits(&self, sequence: usize) -> &[f32];

    /// Tokens that a sequence may go on with, as [`sample::Context::allowed`]; `None` for all.
    fn allowed(&self, sequence: usize) -> Option<&[u32]>;

    /// Whether sequence `parent` ends with a token of this log-probability: why, and with how many bytes of text. If it does not, it is one of those that go on, in
    /// the order in which they are asked about.
    fn end(
        &mut self,
        parent: usize,
        token: TokenId,
        logprob: f64,
    ) -> Result<Option<(Reason, usize)>, Self::Error>;

    /// Bytes of text of a sequence that ends without a reason of its own.
    fn text_bytes(&self, sequence: usize) -> usize;

    /// Whether to stop at once.
    fn is_cancelled(&self) -> bool;

    /// Tokens that end a sequence.
    fn ends(&self) -> usize;

    /// Most tokens of a sequence.
    fn longest(&self) -> usize;
}

/// A search on its way.
pub(super) struct Search<'l, L> {
    pub language: &'l mut L,
    beams: Beams,
    /// What is followed, and what has ended.
    pub paths: Paths,
    best: Best,
    /// All that was followed, if it is wanted.
    pub tree: Option<Tree>,
}

impl<'l, L: Language> Search<'l, L> {
    pub fn new(language: &'l mut L, beams: Beams) -> Search<'l, L> {
        let paths = Paths::new(beams.count, language.longest());
        let best = Paths::candidates(beams.count, language.ends());
        let tree = beams.tree.then(Tree::default);
        Search { language, beams, paths, best, tree }
    }

    /// Searches to the end. `progress` is told how long sequences are.
    pub fn run(&mut self, mut progress: impl FnMut(usize)) -> Result<(), L::Error> {
        for len in 1.. {
            if self.language.is_cancelled() {
                self.cancel(len - 1);
                break;
            }
            self.look(len - 1)?;
            self.follow(len)?;
            progress(len);
            if self.paths.len() == 0 || self.is_done(len) {
                break;
            }
        }
        Ok(())
    }

    /// Finds the best ways to go on from sequences of `len` tokens.
    fn look(&mut self, len: usize) -> Result<(), L::Error> {
        let (parents, tokens) = self.paths.steps();
        self.language.advance(parents, tokens)?;
        let position = self.language.start() + len;
        self.best.clear();
        for i in 0..self.paths.len().max(1) {
            let next = (self.language.logits(i), self.language.allowed(i));
            self.best.add(i, self.paths.sum(i), next, position)?;
        }
        Ok(())
    }

    /// Makes the best candidates the sequences of now, of `len` tokens, and those that end hypotheses.
    fn follow(&mut self, len: usize) -> Result<(), L::Error> {
        self.paths.begin();
        let (mut best, mut following) = (std::mem::take(&mut self.best), 0);
        for (rank, &candidate) in best.sorted().iter().enumerate() {
            if following == self.beams.count {
                break;
            }
            let Candidate { parent, token, logprob, sum } = candidate;
            match self.language.end(parent, token, logprob)? {
                None => {
                    following = self.paths.follow(parent, token, sum);
                    self.tree.iter_mut().for_each(|tree| tree.follow(candidate));
                }
                Some(ended) if rank < self.beams.count => {
                    self.tree.iter_mut().for_each(|tree| tree.end(candidate));
                    self.finish(self.paths.end(parent, Some(token)), len, sum, ended);
                }
                Some(_) => {}
            }
        }
        self.best = best;
        self.paths.advance();
        self.tree.iter_mut().for_each(Tree::advance);
        Ok(())
    }

    /// Adds a hypothesis of `len` tokens with the log-probability `sum`, if it is one of the best.
    fn finish(&mut self, end: End, len: usize, sum: f64, (reason, bytes): (Reason, usize)) {
        let score = score(sum, len, self.beams.length_penalty);
        let hypotheses = &mut self.paths.hypotheses;
        let at = hypotheses.partition_point(|better| better.score >= score);
        if at < self.beams.count {
            hypotheses.truncate(self.beams.count - 1);
            hypotheses.insert(at, Hypothesis { end, bytes, logprob: sum, score, reason });
        }
    }

    /// Whether nothing that follows is wanted, with sequences of `len` tokens.
    fn is_done(&self, len: usize) -> bool {
        let Some(worst) = self.paths.hypotheses.get(self.beams.count - 1) else { return false };
        let Beams { length_penalty, early_stopping, .. } = self.beams;
        let len = match early_stopping {
            EarlyStopping::Full => return true,
            EarlyStopping::Never if length_penalty > 0.0 => self.language.longest(),
            EarlyStopping::Never | EarlyStopping::Likely => len,
        };
        score(self.paths.sum(0), len, length_penalty) <= worst.score
    }

    /// What is running, sequences of `len` tokens, ends here.
    fn cancel(&mut self, len: usize) {
        for i in 0..self.paths.len() {
            let (end, sum) = (self.paths.end(i, None), self.paths.sum(i));
            self.finish(end, len, sum, (Reason::Cancelled, self.language.text_bytes(i)));
        }
        self.tree.iter_mut().for_each(Tree::end_all);
    }
}
