//! Texts -> ids by prefix: which tokens does a text begin with? What WordPiece and Unigram ask at every place.
//!
//! The nodes lie in one row, breadth first, so that the children of a node are neighbours. The one that a byte
//! leads to is found without branches that cannot be foreseen: of up to eight children, all labels are compared
//! at once; of more, a bit for each byte says whether there is one, and those before it are counted.

use super::TokenId;
use super::table::NO_ID;

/// An immutable byte trie.
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// The byte that leads to each node, and as many zeros as are read too far.
    labels: Vec<u8>,
    /// What is known of nodes with more children than [`FEW`].
    wide: Vec<Wide>,
    /// The child of the root for each byte; [`NO_ID`] if there is none.
    roots: [u32; 256],
}

struct Node {
    /// The first child.
    first: u32,
    /// Number of children if they are few, or else [`MANY`].
    children: u32,
    /// The token that ends here, or [`NO_ID`].
    id: u32,
    /// Its place among the wide ones, if it is one.
    wide: u32,
}

/// Labels that are compared at once: bytes of a number of 64 bits.
const FEW: usize = 8;
/// More than a few.
const MANY: u32 = u32::MAX;

/// Which bytes lead from a node.
#[derive(Clone, Default)]
struct Wide {
    bits: [u64; 4],
    /// Number of bits in the words before each.
    before: [u16; 4],
}

impl Wide {
    /// The labels in ascending order.
    fn new(labels: &[u8]) -> Wide {
        let mut wide = Wide::default();
        for &label in labels {
            wide.bits[usize::from(label / 64)] |= 1 << (label % 64);
        }
        for word in 1..4 {
            wide.before[word] = wide.before[word - 1] + wide.bits[word - 1].count_ones() as u16;
        }
        wide
    }

    /// How many labels there are before this one, if it is one.
    #[inline]
    fn place(&self, byte: u8) -> Option<u32> {
        let (word, bit) = (usize::from(byte / 64), byte % 64);
        let bits = self.bits[word];
        let below = bits & ((1 << bit) - 1);
        (bits >> bit & 1 == 1).then(|| u32::from(self.before[word]) + below.count_ones())
    }
}

/// The place of a byte among the first `count` labels. Equal bytes differ by zero, and a subtraction of one from each byte makes the highest
/// bit of the first zero rise; those of later bytes may rise falsely, which does not matter.
#[inline]
fn place(labels: [u8; FEW], count: u32, byte: u8) -> Option<u32> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let difference = u64::from_le_bytes(labels) ^ (ONES * u64::from(byte));
    let zeros = difference.wrapping_sub(ONES) & !difference & (ONES << 7);
    let place = zeros.trailing_zeros() / 8;
    (place < count).then_some(place)
}

impl Trie {
    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        let nodes = self.nodes.capacity() * size_of::<Node>() + self.wide.capacity() * size_of::<Wide>();
        nodes + self.labels.capacity()
    }

    /// The trie of `texts`, none of which occurs twice. An empty text is never found.
    pub(super) fn new<'a>(texts: impl Iterator<Item = (&'a [u8], TokenId)>) -> Trie {
        let mut texts: Vec<(&[u8], TokenId)> = texts.filter(|text| !text.0.is_empty()).collect();
        texts.sort_unstable();
        let mut trie = Trie { nodes: Vec::new(), labels: Vec::new(), wide: Vec::new(), roots: [NO_ID; 256] };
        // The texts below each node, and how many of their bytes led there.
        let mut below = vec![(0..texts.len(), 0)];
        trie.labels.push(0);
        let mut at = 0;
        while let Some((range, depth)) = below.get(at).cloned() {
            at += 1;
            let (ends, longer) = match texts[range.clone()].first() {
                Some((text, id)) if text.len() == depth => (*id, range.start + 1..range.end),
                _ => (NO_ID, range),
            };
            let first = below.len();
            for group in texts[longer.clone()].chunk_by(|a, b| a.0[depth] == b.0[depth]) {
                let start = below[first..].last().map_or(longer.start, |child| child.0.end);
                trie.labels.push(group[0].0[depth]);
                below.push((start..start + group.len(), depth + 1));
            }
            let (children, wide) = (below.len() - first, trie.wide.len() as u32);
            if children > FEW {
                trie.wide.push(Wide::new(&trie.labels[first..]));
            }
            let children = if children > FEW { MANY } else { children as u32 };
            trie.nodes.push(Node { first: first as u32, children, id: ends, wide });
        }
        trie.labels.extend([0; FEW]);
        trie.roots = std::array::from_fn(|byte| trie.child(&trie.nodes[0], byte as u8));
        trie
    }

    /// Calls `found` with the length and the id of each text that `bytes` begins with, the shortest first.
    #[inline]
    pub(super) fn prefixes(&self, bytes: &[u8], mut found: impl FnMut(usize, TokenId)) {
        let Some((&byte, rest)) = bytes.split_first() else { return };
        let mut at = self.roots[usize::from(byte)];
        let mut len = 1;
        let mut rest = rest.iter();
        while at != NO_ID {
            let node = &self.nodes[at as usize];
            if node.id != NO_ID {
                found(len, node.id);
            }
            let Some(&byte) = rest.next() else { return };
            at = self.child(node, byte);
            len += 1;
        }
    }

    /// The length and the id of the longest text that `bytes` begins with.
    #[inline]
    pub(super) fn longest(&self, bytes: &[u8]) -> Option<(usize, TokenId)> {
        let mut longest = None;
        self.prefixes(bytes, |len, id| longest = Some((len, id)));
        longest
    }

    #[inline]
    fn child(&self, node: &Node, byte: u8) -> u32 {
        let found = if node.children == MANY {
            self.wide[node.wide as usize].place(byte)
        } else {
            let labels = self.labels[node.first as usize..].first_chunk().copied().unwrap_or_default();
            place(labels, node.children, byte)
        };
        found.map_or(NO_ID, |place| node.first + place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn prefixes(trie: &Trie, bytes: &[u8]) -> Vec<(usize, TokenId)> {
        let mut out = Vec::new();
        trie.prefixes(bytes, |len, id| out.push((len, id)));
        out
    }

    #[test]
    fn the_empty_trie_finds_nothing() {
        let trie = Trie::new(std::iter::once((b"".as_slice(), 7)));
        assert_eq!(prefixes(&trie, b""), []);
        assert_eq!(prefixes(&trie, b"a"), []);
        assert_eq!(trie.longest(b"a"), None);
    }

    #[test]
    fn a_node_can_have_all_children() {
        let texts: Vec<[u8; 2]> = (0..=255u8).map(|byte| [b'x', byte]).collect();
        let trie = Trie::new(texts.iter().zip(0..).map(|(text, id)| (text.as_slice(), id)));
        for (text, id) in texts.iter().zip(0..) {
            assert_eq!(trie.longest(text), Some((2, id)));
        }
    }

    proptest! {
        #[test]
        fn prefixes_are_those_that_are_tokens(
            texts in prop::collection::hash_set(prop_oneof!["[ab]{1,5}", "[a-m]{1,3}"], 0..60),
            text in prop_oneof!["[ab]{0,12}", "[a-n]{0,6}"],
        ) {
            let texts: Vec<String> = HashSet::into_iter(texts).collect();
            let trie = Trie::new(texts.iter().zip(0..).map(|(text, id)| (text.as_bytes(), id)));
            let is_token = |len: &usize| texts.iter().position(|token| *token == text[..*len]);
            let expected: Vec<_> =
                (1..=text.len()).filter_map(|len| Some((len, is_token(&len)? as TokenId))).collect();
            prop_assert_eq!(trie.longest(text.as_bytes()), expected.last().copied());
            prop_assert_eq!(prefixes(&trie, text.as_bytes()), expected);
        }
    }
}
