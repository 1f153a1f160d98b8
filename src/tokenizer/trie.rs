//! Texts -> ids by prefix: which tokens does a text begin with? What WordPiece and Unigram ask at every place.
//!
//! The nodes lie in one row, breadth first, so that the children of a node are neighbours and their labels can
//! be searched in a few bytes.

use super::TokenId;
use super::table::NO_ID;

/// An immutable byte trie.
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// The byte that leads to each node.
    labels: Vec<u8>,
    /// The child of the root for each byte; [`NO_ID`] if there is none.
    roots: [u32; 256],
}

struct Node {
    /// The first child.
    first: u32,
    /// Number of children, 0 to 256.
    children: u16,
    /// The token that ends here, or [`NO_ID`].
    id: u32,
}

/// Below this many children, looking at each is faster than halving.
const FEW: usize = 8;

impl Trie {
    /// The trie of `texts`, none of which occurs twice. An empty text is never found.
    pub(super) fn new<'a>(texts: impl Iterator<Item = (&'a [u8], TokenId)>) -> Trie {
        let mut texts: Vec<(&[u8], TokenId)> = texts.filter(|text| !text.0.is_empty()).collect();
        texts.sort_unstable();
        let mut trie = Trie { nodes: Vec::new(), labels: Vec::new(), roots: [NO_ID; 256] };
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
            let children = (below.len() - first) as u16;
            trie.nodes.push(Node { first: first as u32, children, id: ends });
        }
        let root = &trie.nodes[0];
        for child in root.first..root.first + u32::from(root.children) {
            trie.roots[usize::from(trie.labels[child as usize])] = child;
        }
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
        let labels = &self.labels[node.first as usize..][..usize::from(node.children)];
        let found = match labels.len() < FEW {
            true => labels.iter().position(|&label| label == byte),
            false => labels.binary_search(&byte).ok(),
        };
        found.map_or(NO_ID, |place| node.first + place as u32)
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
