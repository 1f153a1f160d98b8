//! What a search found, as records, and its tree for the terminal.

use super::capture::piece;
use super::look::Look;
use super::record::{BeamNode, Continuation};
use super::text::{cut, shown};
use crate::cli::json::Stop;
use siskin::search::Found;
use siskin::tokenizer::Tokenizer;

/// The tree of a search; the path to its best continuation is marked.
pub fn nodes(tokenizer: &Tokenizer, found: &Found) -> Vec<BeamNode> {
    let node = |(id, node): (usize, &siskin::search::Node)| BeamNode {
        id,
        parent: node.parent,
        piece: piece(tokenizer, node.token),
        logprob: node.logprob,
        sum: node.sum,
        ends: node.ends,
        best: false,
    };
    let mut nodes: Vec<BeamNode> = found.tree.iter().enumerate().map(node).collect();
    let best = found.continuations.first().map_or(&[][..], |best| &best.tokens);
    let end = (0..nodes.len()).find(|&id| nodes[id].ends && path(&nodes, id).eq(best.iter().rev().copied()));
    let mut next = end;
    while let Some(id) = next {
        nodes[id].best = true;
        next = nodes[id].parent;
    }
    nodes
}

/// The tokens from a node back to the first.
fn path(nodes: &[BeamNode], id: usize) -> impl Iterator<Item = u32> {
    std::iter::successors(Some(id), |&id| nodes[id].parent).map(|id| nodes[id].piece.token)
}

/// The continuations.
pub fn continuations(found: &Found) -> Vec<Continuation> {
    let continuation = |of: &siskin::search::Continuation| Continuation {
        text: of.text.clone(),
        tokens: of.tokens.clone(),
        logprob: of.logprob,
        score: of.score,
        stop: Stop::from(&of.reason),
    };
    found.continuations.iter().map(continuation).collect()
}

/// The tree in lines: tokens that follow each other without a choice stand on one line, what branches off is indented. `+` ends a
/// continuation, `*` is on the way to the best.
pub fn tree(nodes: &[BeamNode], look: &Look) -> String {
    let mut children = vec![Vec::new(); nodes.len()];
    let mut roots = Vec::new();
    for node in nodes {
        match node.parent {
            Some(parent) => children[parent].push(node.id),
            None => roots.push(node.id),
        }
    }
    let mut tree = Tree { nodes, children, look, out: String::new() };
    // Depth first, without recursion: a continuation can be as long as the context.
    let mut open: Vec<(usize, String, bool)> = Vec::new();
    push(&mut open, &roots, "");
    while let Some((id, indent, is_last)) = open.pop() {
        let last = tree.line(id, &indent, is_last);
        let below = format!("{indent}{}", if is_last { "   " } else { "│  " });
        push(&mut open, &tree.children[last], &below);
    }
    tree.out
}

/// Puts siblings on the stack, the first on top.
fn push(open: &mut Vec<(usize, String, bool)>, siblings: &[usize], indent: &str) {
    let with_place = siblings.iter().enumerate();
    open.extend(with_place.rev().map(|(i, &id)| (id, indent.to_owned(), i + 1 == siblings.len())));
}

struct Tree<'a> {
    nodes: &'a [BeamNode],
    children: Vec<Vec<usize>>,
    look: &'a Look,
    out: String,
}

impl Tree<'_> {
    /// A line for a node and those that follow it without a choice; returns the last of them.
    fn line(&mut self, first: usize, indent: &str, is_last: bool) -> usize {
        let (mut last, mut text) = (first, shown(&self.nodes[first].piece));
        while let [only] = self.children[last][..] {
            last = only;
            text.push(' ');
            text.push_str(&shown(&self.nodes[last].piece));
        }
        let node = &self.nodes[last];
        let branch = if is_last { "└─ " } else { "├─ " };
        let mark = format!("{}{}", if node.best { "*" } else { "" }, if node.ends { "+" } else { "" });
        let sum = format!(" {:.2}{}{mark}", node.sum, if mark.is_empty() { "" } else { " " });
        let taken = indent.chars().count() + branch.chars().count() + sum.chars().count();
        let text = cut(&text, self.look.width.saturating_sub(taken).max(12));
        let text = if node.best { self.look.bold(&text) } else { text };
        let sum = self.look.dim(&sum);
        self.out.push_str(&format!("{indent}{branch}{text}{sum}\n"));
        last
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Piece;
    use super::*;

    fn node(id: usize, parent: Option<usize>, text: &str, (ends, best): (bool, bool)) -> BeamNode {
        let piece = Piece { token: id as u32, text: text.to_owned(), special: false, bytes: None };
        BeamNode { id, parent, piece, logprob: -0.5, sum: -0.5 * (id + 1) as f64, ends, best }
    }

    #[test]
    fn what_branches_off_is_indented() {
        let nodes = [
            node(0, None, "a", (false, true)),
            node(1, None, "x", (false, false)),
            node(2, Some(0), "b", (false, true)),
            node(3, Some(2), "c", (true, true)),
            node(4, Some(2), "\n", (false, false)),
        ];
        let lines = tree(&nodes, &Look { colour: false, width: 80 });
        let expected = "├─ \"a\" \"b\" -1.50 *\n│  ├─ \"c\" -2.00 *+\n│  └─ \"\\n\" -2.50\n└─ \"x\" -1.00\n";
        assert_eq!(lines, expected);
        assert!(tree(&nodes, &Look { colour: true, width: 80 }).contains("\u{1b}[1m"));
    }

    /// Deeper than any stack of calls would bear.
    #[test]
    fn depth_is_no_problem() {
        let mut nodes = vec![node(0, None, "a", (false, false))];
        for i in 0..3000 {
            let parent = nodes.len() - 1 - usize::from(i > 0);
            nodes.push(node(nodes.len(), Some(parent), "b", (false, false)));
            nodes.push(node(nodes.len(), Some(parent), "c", (false, false)));
        }
        assert_eq!(tree(&nodes, &Look { colour: false, width: 40 }).lines().count(), 6001);
    }
}
