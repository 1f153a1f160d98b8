//! Cutting a text at the special tokens that stand in it, before anything else happens to it.
//!
//! The longest token goes first and takes all its occurrences from the left; the next one searches what
//! remains. So two overlapping tokens are decided by length, not by place, as in llama.cpp. Searching for
//! hundreds of tokens one by one would be slow, so a trie finds in one pass which of them occur at all:
//! nearly always none.

use std::ops::Range;

use super::special::Strip;
use super::vocab::Vocab;
use super::{TokenId, TokenKind};

/// A piece of a text that was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fragment {
    /// Bytes of the text; not empty, on character boundaries.
    Text(Range<usize>),
    /// A special token.
    Token(TokenId),
}

/// The special tokens of a vocabulary, ready to be searched for.
pub(super) struct Partition {
    /// All special tokens, longest first.
    specials: Vec<Special>,
    /// Finds those that any text may hold: the user-defined ones.
    user_defined: Trie,
    /// Finds all.
    all: Trie,
}

struct Special {
    id: TokenId,
    text: Box<str>,
    strip: Strip,
}

/// An estimate of what [`Partition::new`] allocates for the texts of special tokens, none of which is user-defined; sorts them.
pub(super) fn estimate(specials: &mut [&[u8]]) -> usize {
    specials.sort_unstable();
    let texts: usize = specials.iter().map(|text| text.len()).sum();
    let (mut nodes, mut previous) = (1, [].as_slice());
    for text in specials.iter() {
        nodes += text.len() - previous.iter().zip(*text).take_while(|(a, b)| a == b).count();
        previous = text;
    }
    // most nodes have one child; a vector of pairs begins with room for four
    let child = 4 * size_of::<(u8, u32)>();
    let nodes = nodes.next_power_of_two().max(4) * size_of::<Node>() + nodes * child;
    specials.len().next_power_of_two() * size_of::<Special>() + texts + nodes + size_of::<Node>()
}

impl Partition {
    /// Bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        let texts: usize = self.specials.iter().map(|special| special.text.len()).sum();
        let specials = self.specials.capacity() * size_of::<Special>() + texts;
        specials + self.user_defined.bytes() + self.all.bytes()
    }

    /// Collects the special tokens of `vocab`: user-defined, control and unknown. `strip` tells about blanks
    /// beside them. A token whose text is not UTF-8 cannot stand in a text.
    pub(super) fn new(vocab: &Vocab, strip: impl Fn(TokenId) -> Strip) -> Partition {
        let mut specials: Vec<Special> = vocab
            .ids()
            .filter(|&id| is_special(vocab.kind(id)))
            .filter_map(|id| {
                let text = std::str::from_utf8(vocab.text(id)).ok()?.into();
                Some(Special { id, text, strip: strip(id) })
            })
            .collect();
        specials.sort_by_key(|special| std::cmp::Reverse(special.text.len()));
        let (mut user_defined, mut all) = (Trie::new(), Trie::new());
        for (special, index) in specials.iter().zip(0u32..) {
            all.insert(special.text.as_bytes(), index);
            if vocab.kind(special.id) == TokenKind::UserDefined {
                user_defined.insert(special.text.as_bytes(), index);
            }
        }
        Partition { specials, user_defined, all }
    }

    /// Cuts `text` at user-defined tokens and, if `parse_special`, at control and unknown tokens.
    pub(super) fn cut(&self, text: &str, parse_special: bool) -> Vec<Fragment> {
        let mut fragments = Vec::new();
        if !text.is_empty() {
            fragments.push(Fragment::Text(0..text.len()));
        }
        let trie = if parse_special { &self.all } else { &self.user_defined };
        for index in trie.found_in(text.as_bytes()) {
            fragments = self.specials[index as usize].cut_all(text, fragments);
        }
        fragments
    }
}

pub(super) fn is_special(kind: TokenKind) -> bool {
    matches!(kind, TokenKind::UserDefined | TokenKind::Control | TokenKind::Unknown)
}

impl Special {
    fn cut_all(&self, text: &str, fragments: Vec<Fragment>) -> Vec<Fragment> {
        let mut out = Vec::with_capacity(fragments.len() + 2);
        for fragment in fragments {
            match fragment {
                Fragment::Text(range) => self.cut_one(text, range, &mut out),
                token => out.push(token),
            }
        }
        out
    }

    fn cut_one(&self, text: &str, range: Range<usize>, out: &mut Vec<Fragment>) {
        let Range { mut start, end } = range;
        while let Some(found) = text[start..end].find(&*self.text) {
            let left = &text[start..start + found];
            let left = if self.strip.left { left.trim_end_matches(is_blank) } else { left };
            push_text(start..start + left.len(), out);
            out.push(Fragment::Token(self.id));
            start += found + self.text.len();
            if self.strip.right {
                start = end - text[start..end].trim_start_matches(is_blank).len();
            }
        }
        push_text(start..end, out);
    }
}

fn push_text(range: Range<usize>, out: &mut Vec<Fragment>) {
    if !range.is_empty() {
        out.push(Fragment::Text(range));
    }
}

/// What C's `isspace` counts as blank.
fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// A byte trie over texts.
struct Trie {
    nodes: Vec<Node>,
    /// All indices are below this.
    bound: u32,
}

#[derive(Default)]
struct Node {
    /// Ascending by byte.
    children: Vec<(u8, u32)>,
    /// Index of the text that ends here.
    text: Option<u32>,
}

impl Trie {
    /// Bytes allocated.
    fn bytes(&self) -> usize {
        let children = self.nodes.iter().map(|node| node.children.capacity() * size_of::<(u8, u32)>());
        self.nodes.capacity() * size_of::<Node>() + children.sum::<usize>()
    }

    fn new() -> Trie {
        Trie { nodes: vec![Node::default()], bound: 0 }
    }

    fn insert(&mut self, text: &[u8], index: u32) {
        let mut at = 0;
        for &byte in text {
            let free = self.nodes.len() as u32;
            let children = &mut self.nodes[at].children;
            at = match children.binary_search_by_key(&byte, |child| child.0) {
                Ok(place) => children[place].1 as usize,
                Err(place) => {
                    children.insert(place, (byte, free));
                    self.nodes.push(Node::default());
                    free as usize
                }
            };
        }
        self.nodes[at].text = Some(index);
        self.bound = self.bound.max(index + 1);
    }

    /// Indices of the texts that occur in `bytes`, ascending.
    fn found_in(&self, bytes: &[u8]) -> Vec<u32> {
        if self.bound == 0 {
            return Vec::new();
        }
        let mut begins = [false; 256];
        for child in &self.nodes[0].children {
            begins[child.0 as usize] = true;
        }
        let mut found = vec![false; self.bound as usize];
        for (at, _) in bytes.iter().enumerate().filter(|&(_, &byte)| begins[byte as usize]) {
            self.walk(&bytes[at..], &mut |index| found[index as usize] = true);
        }
        (0..self.bound).filter(|&index| found[index as usize]).collect()
    }

    /// Calls `found` for each text that `bytes` begins with.
    fn walk(&self, bytes: &[u8], found: &mut impl FnMut(u32)) {
        let mut node = &self.nodes[0];
        for &byte in bytes {
            let Ok(place) = node.children.binary_search_by_key(&byte, |child| child.0) else { return };
            node = &self.nodes[node.children[place].1 as usize];
            if let Some(index) = node.text {
                found(index);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(tokens: &[(&str, TokenKind, Strip)]) -> Partition {
        let texts = tokens.iter().map(|token| Ok(token.0.as_bytes()));
        let kinds = tokens.iter().map(|token| token.1).collect();
        let vocab = Vocab::new(texts, tokens.len(), kinds, Vec::new()).unwrap();
        Partition::new(&vocab, |id| tokens[id as usize].2)
    }

    /// Fragments as text, tokens in brackets.
    fn cut(partition: &Partition, text: &str, parse_special: bool) -> String {
        let show = |fragment: &Fragment| match fragment {
            Fragment::Text(range) => text[range.clone()].to_string(),
            Fragment::Token(id) => format!("[{id}]"),
        };
        partition.cut(text, parse_special).iter().map(show).collect::<Vec<_>>().join("|")
    }

    const KEEP: Strip = Strip { left: false, right: false };

    #[test]
    fn control_tokens_only_when_asked_for() {
        let p = partition(&[
            ("<s>", TokenKind::Control, KEEP),
            ("<u>", TokenKind::UserDefined, KEEP),
            ("a", TokenKind::Normal, KEEP),
        ]);
        assert_eq!(cut(&p, "a<s>b<u>c", false), "a<s>b|[1]|c");
        assert_eq!(cut(&p, "a<s>b<u>c", true), "a|[0]|b|[1]|c");
        assert_eq!(cut(&p, "<s><s>", true), "[0]|[0]");
        assert_eq!(cut(&p, "", true), "");
    }

    #[test]
    fn the_longest_token_wins_wherever_it_stands() {
        let user = TokenKind::UserDefined;
        let p = partition(&[
            ("ab", user, KEEP),
            ("bcd", user, KEEP),
            ("abc", user, KEEP),
            ("  ", user, KEEP),
            ("   ", user, KEEP),
        ]);
        // Of equal length: the lower id.
        assert_eq!(cut(&p, "abcd", false), "a|[1]");
        assert_eq!(cut(&p, "abc", false), "[2]");
        assert_eq!(cut(&p, "xbcd ab", false), "x|[1]| |[0]");
        assert_eq!(cut(&p, "        .", false), "[4]|[4]|[3]|.");
    }

    #[test]
    fn blanks_are_stripped_on_the_side_asked_for() {
        let left = Strip { left: true, right: false };
        let right = Strip { left: false, right: true };
        let p = partition(&[("<l>", TokenKind::Control, left), ("<r>", TokenKind::Control, right)]);
        assert_eq!(cut(&p, "a \n<l> b", true), "a|[0]| b");
        assert_eq!(cut(&p, "a <r> \n\tb", true), "a |[1]|b");
        assert_eq!(cut(&p, " <l><r> ", true), "[0]|[1]");
        assert_eq!(cut(&p, "<r>\u{3000}b", true), "[1]|\u{3000}b");
    }
}
