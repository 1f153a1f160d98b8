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

use super::best::{Best, Candidate};
use super::score;
use crate::sample;
use crate::stop::Reason;
use crate::tokenizer::TokenId;

/// How to search.
///
/// Outside this crate start from [`Beams::new`] and set fields: later versions add some.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Beams {
    /// Sequences that are followed side by side; at least 1.
    pub count: usize,
    /// The power of the length that a sum of log-probabilities is divided by. 0: not at all, which favours short continuations.
    pub length_penalty: f32,
    /// When enough has been found.
    pub early_stopping: EarlyStopping,
}

impl Beams {
    /// So many beams, scored by their mean log-probability, until nothing better is to be expected.
    pub fn new(count: usize) -> Beams {
        Beams { count, length_penalty: 1.0, early_stopping: EarlyStopping::Likely }
    }
}

/// When a beam search ends before all sequences have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EarlyStopping {
    /// As soon as there are as many hypotheses as beams. transformers: `early_stopping=True`.
    Full,
    /// When the likeliest sequence, were it to end now, would not beat the worst hypothesis. transformers: `False`.
    #[default]
    Likely,
    /// When no sequence can beat the worst hypothesis any more, however long it becomes. transformers: `"never"`.
    Never,
}

/// A token that a search followed or ended with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Node {
    /// The node before it; none for a first token.
    pub parent: Option<usize>,
    /// The token.
    pub token: TokenId,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    /// The same of the continuation up to here.
    pub sum: f64,
    /// Whether a continuation ends here.
    pub ends: bool,
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

    /// Whether sequence `parent` ends with a token of this log-probability: why, and with which text. If it does not, it is one of those that go on, in
    /// the order in which they are asked about.
    fn end(
        &mut self,
        parent: usize,
        token: TokenId,
        logprob: f64,
    ) -> Result<Option<(Reason, String)>, Self::Error>;

    /// The text of a sequence that ends without a reason of its own.
    fn text(&self, sequence: usize) -> String;

    /// Whether to stop at once.
    fn is_cancelled(&self) -> bool;

    /// Tokens that end a sequence.
    fn ends(&self) -> usize;

    /// Most tokens of a sequence.
    fn longest(&self) -> usize;
}

/// A sequence that has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hypothesis {
    pub node: usize,
    pub tokens: Vec<TokenId>,
    pub text: String,
    pub logprob: f64,
    pub score: f64,
    pub reason: Reason,
}

/// A search on its way.
pub(super) struct Search<'l, L> {
    language: &'l mut L,
    beams: Beams,
    /// All that was followed, and the sequences of now: their last nodes.
    pub nodes: Vec<Node>,
    running: Vec<usize>,
    /// At most as many as beams, the best first.
    pub hypotheses: Vec<Hypothesis>,
    best: Best,
}

impl<'l, L: Language> Search<'l, L> {
    pub fn new(language: &'l mut L, beams: Beams) -> Search<'l, L> {
        // Even if all tokens that end a sequence are among the best of each, enough others are left to go on with.
        let candidates = beams.count.saturating_mul(language.ends().saturating_add(1).max(2));
        let best = Best::new(candidates);
        Search { language, beams, nodes: Vec::new(), running: Vec::new(), hypotheses: Vec::new(), best }
    }

    /// Searches to the end. `progress` is told how long sequences are.
    pub fn run(&mut self, mut progress: impl FnMut(usize)) -> Result<(), L::Error> {
        let mut len = 0;
        let (mut parents, mut tokens) = (Vec::new(), Vec::new());
        loop {
            if self.language.is_cancelled() {
                self.cancel();
                return Ok(());
            }
            let candidates = self.candidates(&parents, &tokens, len)?;
            len += 1;
            (parents, tokens) = self.follow(&candidates)?;
            progress(len);
            if tokens.is_empty() || self.is_done(len) {
                return Ok(());
            }
        }
    }

    /// The best ways to go on, the best first.
    fn candidates(
        &mut self,
        parents: &[usize],
        tokens: &[TokenId],
        len: usize,
    ) -> Result<Vec<Candidate>, L::Error> {
        self.language.advance(parents, tokens)?;
        let position = self.language.start() + len;
        self.best.clear();
        for i in 0..tokens.len().max(1) {
            let sum = self.running.get(i).map_or(0.0, |&node| self.nodes[node].sum);
            self.best.add(i, sum, (self.language.logits(i), self.language.allowed(i)), position)?;
        }
        Ok(self.best.sorted().to_vec())
    }

    /// Makes the best candidates the sequences of now, and those that end hypotheses. Returns what the language is to go on with.
    fn follow(&mut self, candidates: &[Candidate]) -> Result<(Vec<usize>, Vec<TokenId>), L::Error> {
        let (mut parents, mut tokens, mut running) = (Vec::new(), Vec::new(), Vec::new());
        for (rank, candidate) in candidates.iter().enumerate() {
            if running.len() == self.beams.count {
                break;
            }
            let parent = self.running.get(candidate.parent).copied();
            let &Candidate { token, logprob, sum, .. } = candidate;
            let node = Node { parent, token, logprob, sum, ends: false };
            match self.language.end(candidate.parent, token, logprob)? {
                None => {
                    running.push(self.nodes.len());
                    self.nodes.push(node);
                    parents.push(candidate.parent);
                    tokens.push(token);
                }
                Some(ended) if rank < self.beams.count => self.finish(node, ended),
                Some(_) => {}
            }
        }
        self.running = running;
        Ok((parents, tokens))
    }

    /// Adds a hypothesis, if it is one of the best.
    fn finish(&mut self, node: Node, (reason, text): (Reason, String)) {
        let index = self.nodes.len();
        self.nodes.push(Node { ends: true, ..node });
        let tokens = self.sequence(node);
        let score = score(node.sum, tokens.len(), self.beams.length_penalty);
        let at = self.hypotheses.partition_point(|better| better.score >= score);
        self.hypotheses
            .insert(at, Hypothesis { node: index, tokens, text, logprob: node.sum, score, reason });
        self.hypotheses.truncate(self.beams.count);
    }

    /// Whether nothing that follows is wanted, with sequences of `len` tokens.
    fn is_done(&self, len: usize) -> bool {
        let Some(worst) = self.hypotheses.get(self.beams.count - 1) else { return false };
        let Beams { length_penalty, early_stopping, .. } = self.beams;
        let len = match early_stopping {
            EarlyStopping::Full => return true,
            EarlyStopping::Never if length_penalty > 0.0 => self.language.longest(),
            EarlyStopping::Never | EarlyStopping::Likely => len,
        };
        let best = self.running.first().map_or(f64::NEG_INFINITY, |&node| self.nodes[node].sum);
        score(best, len, length_penalty) <= worst.score
    }

    /// What is running ends here.
    fn cancel(&mut self) {
        for (i, index) in std::mem::take(&mut self.running).into_iter().enumerate() {
            let text = self.language.text(i);
            self.finish(self.nodes[index], (Reason::Cancelled, text));
        }
    }

    /// The tokens from the beginning up to a node.
    fn sequence(&self, last: Node) -> Vec<TokenId> {
        let before = std::iter::successors(last.parent, |&node| self.nodes[node].parent);
        let mut tokens: Vec<_> = before.map(|node| self.nodes[node].token).collect();
        tokens.reverse();
        tokens.push(last.token);
        tokens
    }
}
