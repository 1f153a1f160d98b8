//! Merging: the one loop behind byte-pair encoding and SentencePiece.
//!
//! A word begins as a row of symbols. Of all neighbours that may be joined, the pair with the lowest rank is
//! (the leftmost of them if ranks are equal), until none is left. Doing just that is quadratic; [`Merger`]
//! does it in two ways:
//!
//! - Short words, nearly all there are, keep the ranks in a row and scan for the lowest. Nothing is faster up
//!   to some dozens of symbols.
//! - Long words keep the candidates in buckets, one a rank, worked off from the lowest rank up and within a
//!   bucket from left to right. A join makes new candidates of other ranks, nearly always higher ones, which
//!   go to their buckets; the few that must come first go through a small heap. So a megabyte without a space
//!   costs time linear in its length.
//!
//! Both are compared with the obvious loop in `tests.rs`.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasher, Hasher};

use super::table::{Hash, Join};

/// The rules of merging: what bpe.rs and spm.rs differ in.
pub(super) trait Joins {
    /// What joining two neighbours gives, if they may be joined. `text` is the text of both.
    fn join(&self, left: u32, right: u32, text: &[u8]) -> Option<Join>;
}

/// A part of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Symbol {
    /// Id of its text, or `NO_ID`.
    pub id: u32,
    /// Its bytes in the word.
    pub start: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Symbol {
    #[inline]
    pub(super) fn bytes<'a>(&self, word: &'a [u8]) -> &'a [u8] {
        &word[self.start as usize..][..self.len as usize]
    }
}

/// Words of up to this many symbols are scanned.
const SHORT: usize = 64;

/// Room for merging, kept from word to word.
pub(super) struct Merger {
    /// The symbols of the word: filled by the caller, replaced by [`Merger::merge`].
    pub symbols: Vec<Symbol>,
    /// Short words: what joining each symbol with the next one gives.
    joins: Vec<Option<Join>>,
    long: Option<Box<Buckets>>,
}

impl Merger {
    pub(super) fn new() -> Merger {
        Merger { symbols: Vec::new(), joins: Vec::new(), long: None }
    }

    /// Joins the symbols of `word` as far as `rules` allow. The symbols must cover the word in order.
    #[inline]
    pub(super) fn merge(&mut self, word: &[u8], rules: &impl Joins) {
        if self.symbols.len() <= SHORT {
            self.merge_short(word, rules);
        } else {
            self.long.get_or_insert_with(|| Box::new(Buckets::new())).merge(word, &mut self.symbols, rules);
        }
    }

    fn merge_short(&mut self, word: &[u8], rules: &impl Joins) {
        let (symbols, joins) = (&mut self.symbols, &mut self.joins);
        joins.clear();
        joins.extend(symbols.windows(2).map(|pair| join_of(rules, word, pair[0], pair[1])));
        while let Some((at, join)) = lowest(joins) {
            symbols[at].len += symbols[at + 1].len;
            symbols[at].id = join.id;
            symbols.remove(at + 1);
            joins.remove(at);
            if at > 0 {
                joins[at - 1] = join_of(rules, word, symbols[at - 1], symbols[at]);
            }
            if at < joins.len() {
                joins[at] = join_of(rules, word, symbols[at], symbols[at + 1]);
            }
        }
    }
}

/// The leftmost join of the lowest rank.
#[inline]
fn lowest(joins: &[Option<Join>]) -> Option<(usize, Join)> {
    let mut best: Option<(usize, Join)> = None;
    for (at, join) in joins.iter().enumerate() {
        if let Some(join) = join
            && best.is_none_or(|(_, best)| join.rank < best.rank)
        {
            best = Some((at, *join));
        }
    }
    best
}

#[inline]
fn join_of(rules: &impl Joins, word: &[u8], left: Symbol, right: Symbol) -> Option<Join> {
    rules.join(left.id, right.id, &word[left.start as usize..][..(left.len + right.len) as usize])
}

/// A candidate: join the symbol at `left` with the one after it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    left: u32,
    /// Length of both together: if either symbol has changed since, so has this.
    len: u32,
    id: u32,
}

/// A symbol in the linked row of a long word. Symbols that were joined to the left have length 0.
struct Node {
    symbol: Symbol,
    previous: u32,
    next: u32,
}

/// No neighbour.
const NONE: u32 = u32::MAX;

/// The machinery for long words.
struct Buckets {
    nodes: Vec<Node>,
    /// Candidates of each rank above the one being worked off.
    by_rank: HashMap<u32, Vec<Candidate>, Hash>,
    /// The ranks in `by_rank`.
    ranks: BinaryHeap<Reverse<u32>>,
    /// Candidates of the current rank or below that came up while it was worked off.
    urgent: BinaryHeap<Reverse<(u32, Candidate)>>,
    /// Emptied buckets, to be used again.
    spare: Vec<Vec<Candidate>>,
}

impl Buckets {
    fn new() -> Buckets {
        Buckets {
            nodes: Vec::new(),
            by_rank: HashMap::with_hasher(Hash::new()),
            ranks: BinaryHeap::new(),
            urgent: BinaryHeap::new(),
            spare: Vec::new(),
        }
    }

    fn merge(&mut self, word: &[u8], symbols: &mut Vec<Symbol>, rules: &impl Joins) {
        self.link(symbols);
        for left in 0..self.nodes.len() as u32 - 1 {
            self.add(word, rules, left, None);
        }
        while let Some(Reverse(rank)) = self.ranks.pop() {
            let mut bucket = self.by_rank.remove(&rank).unwrap_or_default();
            // Filled by several passes from left to right: runs, which this sort merges in linear time.
            bucket.sort_by_key(|candidate| candidate.left);
            for &candidate in &bucket {
                self.work_off_urgent(word, rules, rank, candidate.left);
                self.take(word, rules, rank, candidate);
            }
            self.work_off_urgent(word, rules, rank, NONE);
            bucket.clear();
            self.spare.push(bucket);
        }
        symbols.clear();
        symbols.extend(self.nodes.iter().map(|node| node.symbol).filter(|symbol| symbol.len > 0));
    }

    fn link(&mut self, symbols: &[Symbol]) {
        self.nodes.clear();
        self.nodes.extend(symbols.iter().zip(0u32..).map(|(&symbol, at)| Node {
            symbol,
            previous: at.wrapping_sub(1),
            next: at + 1,
        }));
        if let Some(last) = self.nodes.last_mut() {
            last.next = NONE;
        }
    }

    /// Works off the urgent candidates that come before the one of `rank` at `left`.
    fn work_off_urgent(&mut self, word: &[u8], rules: &impl Joins, rank: u32, left: u32) {
        while let Some(&Reverse((urgent_rank, candidate))) = self.urgent.peek() {
            if (urgent_rank, candidate.left) >= (rank, left) {
                break;
            }
            self.urgent.pop();
            self.take(word, rules, rank, candidate);
        }
    }

    /// Joins the candidate's symbols, if both are still what they were, and adds the two candidates that
    /// arise.
    fn take(&mut self, word: &[u8], rules: &impl Joins, rank: u32, candidate: Candidate) {
        let left = candidate.left as usize;
        let right = self.nodes[left].next;
        if self.nodes[left].symbol.len == 0 || right == NONE {
            return;
        }
        let right = right as usize;
        let len = self.nodes[left].symbol.len + self.nodes[right].symbol.len;
        if len != candidate.len {
            return;
        }
        self.nodes[right].symbol.len = 0;
        let after = self.nodes[right].next;
        let node = &mut self.nodes[left];
        node.symbol.len = len;
        node.symbol.id = candidate.id;
        node.next = after;
        let before = node.previous;
        if after != NONE {
            self.nodes[after as usize].previous = candidate.left;
            self.add(word, rules, candidate.left, Some(rank));
        }
        if before != NONE {
            self.add(word, rules, before, Some(rank));
        }
    }

    /// Adds joining the symbol at `left` with the next one as a candidate, if the rules allow it. `current`
    /// is the rank that is being worked off.
    fn add(&mut self, word: &[u8], rules: &impl Joins, left: u32, current: Option<u32>) {
        let (symbol, next) = (self.nodes[left as usize].symbol, self.nodes[left as usize].next);
        let right = self.nodes[next as usize].symbol;
        let Some(Join { rank, id }) = join_of(rules, word, symbol, right) else { return };
        let candidate = Candidate { left, len: symbol.len + right.len, id };
        if current.is_some_and(|current| rank <= current) {
            return self.urgent.push(Reverse((rank, candidate)));
        }
        let (ranks, spare) = (&mut self.ranks, &mut self.spare);
        let bucket = self.by_rank.entry(rank).or_insert_with(|| {
            ranks.push(Reverse(rank));
            spare.pop().unwrap_or_default()
        });
        bucket.push(candidate);
    }
}

/// Hashes one rank.
pub(super) struct RankHasher {
    hash: Hash,
    result: u64,
}

impl BuildHasher for Hash {
    type Hasher = RankHasher;

    fn build_hasher(&self) -> RankHasher {
        RankHasher { hash: *self, result: 0 }
    }
}

impl Hasher for RankHasher {
    fn finish(&self) -> u64 {
        self.result
    }

    fn write(&mut self, bytes: &[u8]) {
        self.result = self.hash.bytes(bytes);
    }

    fn write_u32(&mut self, rank: u32) {
        self.result = self.hash.pair(rank, 0);
    }
}
