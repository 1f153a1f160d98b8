//! Every token that a beam search followed or ended with, as a tree, for those who want to see it. Used by `beam.rs`.

use crate::sample::best::Candidate;
use crate::tokenizer::TokenId;

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

/// The tree so far.
#[derive(Default)]
pub(super) struct Tree {
    /// A node comes after its parent.
    pub nodes: Vec<Node>,
    /// The last nodes of the sequences of now, and of the next.
    running: Vec<usize>,
    next: Vec<usize>,
}

impl Tree {
    fn push(&mut self, Candidate { parent, token, logprob, sum }: Candidate, ends: bool) {
        let parent = self.running.get(parent).copied();
        self.nodes.push(Node { parent, token, logprob, sum, ends });
    }

    /// A candidate becomes one of the next sequences.
    pub fn follow(&mut self, candidate: Candidate) {
        self.next.push(self.nodes.len());
        self.push(candidate, false);
    }

    /// A candidate ends a sequence.
    pub fn end(&mut self, candidate: Candidate) {
        self.push(candidate, true);
    }

    /// The next sequences become those of now.
    pub fn advance(&mut self) {
        self.running = std::mem::take(&mut self.next);
    }

    /// All sequences of now end where they are.
    pub fn end_all(&mut self) {
        for node in std::mem::take(&mut self.running) {
            self.nodes.push(Node { ends: true, ..self.nodes[node] });
        }
    }
}
