//! The sequences that a beam search follows, as the tokens they are made of: reserved once, so that the plan has them ([`Paths::bytes`]), and nothing is
//! allocated on the way. `search` follows them; knows no model.

use crate::sample::best::Best;
use crate::stop::Reason;
use crate::tokenizer::{MOST_ENDS, TokenId};

/// A token that was followed, and the one before it.
#[derive(Clone, Copy, Debug)]
struct Node {
    /// [`NONE`] before a first token.
    before: u32,
    token: TokenId,
}

const NONE: u32 = u32::MAX;

/// The end of a sequence.
#[derive(Clone, Copy, Debug)]
struct Tip {
    node: u32,
    /// Natural logarithm of the sequence's probability.
    sum: f64,
}

/// Where a sequence ends: behind a node, and perhaps a last token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    node: u32,
    last: Option<TokenId>,
}

/// A sequence that has ended.
#[derive(Debug)]
pub(crate) struct Hypothesis {
    pub end: End,
    /// Bytes of its text.
    pub bytes: usize,
    /// Natural logarithm of its probability.
    pub logprob: f64,
    pub score: f64,
    pub reason: Reason,
}

/// The sequences of now and how they came about. They begin with one that is empty.
#[derive(Debug)]
pub(crate) struct Paths {
    /// Of all steps: at most one for each sequence and position.
    nodes: Vec<Node>,
    running: Vec<Tip>,
    next: Vec<Tip>,
    /// Which sequence each of `next`, or of `running` after [`Paths::advance`], goes on from, and its last token.
    parents: Vec<usize>,
    tokens: Vec<TokenId>,
    /// Of sequences that have ended, as many as sequences are followed: the best, and the best of them first.
    pub hypotheses: Vec<Hypothesis>,
}

impl Paths {
    /// Room for `count` sequences of up to `positions` tokens, and as many that have ended.
    pub fn new(count: usize, positions: usize) -> Paths {
        Paths {
            nodes: Vec::with_capacity(count.saturating_mul(positions)),
            running: Vec::with_capacity(count),
            next: Vec::with_capacity(count),
            parents: Vec::with_capacity(count),
            tokens: Vec::with_capacity(count),
            hypotheses: Vec::with_capacity(count),
        }
    }

    /// Bytes that [`Paths::new`] and [`Paths::candidates`] allocate; `None` if that does not fit in `usize`.
    pub fn bytes(count: usize, positions: usize) -> Option<usize> {
        let nodes = positions.checked_mul(size_of::<Node>())?;
        let one = 2 * size_of::<Tip>() + size_of::<usize>() + size_of::<TokenId>() + size_of::<Hypothesis>();
        nodes.checked_add(one)?.checked_mul(count)?.checked_add(Best::bytes(Paths::room(count))?)
    }

    /// Room for what `count` sequences could go on with, where `ends` tokens end a sequence: even if all of them are among the best of each, enough
    /// others are left to go on with.
    pub fn candidates(count: usize, ends: usize) -> Best {
        let wanted = count.saturating_mul(ends.saturating_add(1).max(2));
        Best::new(wanted, Paths::room(count))
    }

    fn room(count: usize) -> usize {
        count.saturating_mul(MOST_ENDS + 1)
    }

    /// Sequences there are now.
    pub fn len(&self) -> usize {
        self.running.len()
    }

    /// Natural logarithm of the probability of a sequence; 0 of the empty one.
    pub fn sum(&self, sequence: usize) -> f64 {
        self.running.get(sequence).map_or(0.0, |tip| tip.sum)
    }

    /// Of each sequence there is now: the one that it went on from, and its last token. None at the beginning.
    pub fn steps(&self) -> (&[usize], &[TokenId]) {
        (&self.parents, &self.tokens)
    }

    /// Forgets how the sequences of now came about, to say how the next ones do.
    pub fn begin(&mut self) {
        self.next.clear();
        self.parents.clear();
        self.tokens.clear();
    }

    /// Lets a sequence go on with a token, as one of the next ones. Returns how many those are.
    pub fn follow(&mut self, parent: usize, token: TokenId, sum: f64) -> usize {
        let before = self.running.get(parent).map_or(NONE, |tip| tip.node);
        let node = u32::try_from(self.nodes.len()).expect("fewer tokens than memory holds");
        self.nodes.push(Node { before, token });
        self.next.push(Tip { node, sum });
        self.parents.push(parent);
        self.tokens.push(token);
        self.next.len()
    }

    /// The next sequences become those of now.
    pub fn advance(&mut self) {
        std::mem::swap(&mut self.running, &mut self.next);
    }

    /// The end of a sequence there is now, with a last token or as it is.
    pub fn end(&self, sequence: usize, last: Option<TokenId>) -> End {
        End { node: self.running.get(sequence).map_or(NONE, |tip| tip.node), last }
    }

    /// The tokens up to an end, in memory that is just enough.
    pub fn tokens(&self, end: End) -> Vec<TokenId> {
        let node = |at: u32| self.nodes.get(at as usize);
        let nodes = || std::iter::successors(node(end.node), |last| node(last.before));
        let back = || end.last.into_iter().chain(nodes().map(|node| node.token));
        let mut tokens = Vec::with_capacity(back().count());
        tokens.extend(back());
        tokens.reverse();
        tokens
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Whatever a vocabulary has of end tokens, all candidates fit in what is planned.
    #[test]
    fn candidates_fit_for_any_number_of_ends() {
        for (count, ends) in [(1, 0), (1, 1), (3, 15), (4, 16), (2, MOST_ENDS)] {
            let mut best = Paths::candidates(count, ends);
            let logits = vec![0.0; 100 * count * (ends + 2)];
            best.add(0, 0.0, (&logits, None), 0).unwrap();
            assert_eq!(best.sorted().len(), count * (ends + 1).max(2));
            assert_eq!(Some(best.capacity_bytes()), Best::bytes(Paths::room(count)));
        }
    }

    proptest! {
        /// Against sequences that are copied; and never more than what was reserved.
        #[test]
        fn sequences_are_what_copies_would_be(count in 1usize..5, steps in prop::collection::vec(prop::collection::vec((0usize..5, 0u32..9), 1..5), 0..12)) {
            let mut paths = Paths::new(count, steps.len());
            let capacity = paths.nodes.capacity();
            let mut plain: Vec<(Vec<TokenId>, f64)> = vec![(Vec::new(), 0.0)];
            for step in &steps {
                paths.begin();
                let mut next = Vec::new();
                for &(parent, token) in step.iter().take(count) {
                    let parent = parent % plain.len();
                    let (tokens, sum) = &plain[parent];
                    next.push(([&tokens[..], &[token]].concat(), sum - f64::from(token)));
                    prop_assert_eq!(paths.follow(parent, token, paths.sum(parent) - f64::from(token)), next.len());
                }
                plain = next;
                paths.advance();
                prop_assert_eq!(paths.len(), plain.len());
                for (i, (tokens, sum)) in plain.iter().enumerate() {
                    prop_assert_eq!((&paths.tokens(paths.end(i, None)), paths.sum(i)), (tokens, *sum));
                    let ended = paths.tokens(paths.end(i, Some(7)));
                    prop_assert_eq!((&ended[..], ended.capacity()), (&[&tokens[..], &[7]].concat()[..], ended.len()));
                    prop_assert_eq!(paths.steps().1[i], tokens[tokens.len() - 1]);
                }
            }
            prop_assert_eq!(paths.nodes.capacity(), capacity);
        }
    }
}
