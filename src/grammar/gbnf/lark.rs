//! Rules to Lark's notation.
//!
//! Lark has words, which an automaton reads as far as it can, and rules made of words. What is not recursive becomes words, and as large ones as
//! possible, because inside of a word nothing depends on where pieces of it end: a grammar without recursion is one word, and its language is
//! exactly that of the GBNF.

use super::Expr;
use std::fmt::Write;

/// The grammar; it begins with the rule `root`.
pub(super) fn write(rules: &[Expr], root: usize) -> String {
    let order = regular(rules);
    let mut writer = Writer { words: vec![None; rules.len()], text: String::new(), made: 0 };
    for rule in order {
        let is_empty = writer.can_be_empty(&rules[rule]);
        let body = writer.word(&rules[rule]);
        writer.words[rule] = Some(is_empty);
        let _ = writeln!(writer.text, "W{rule}: {body}");
    }
    let recursive = (0..rules.len()).filter(|&rule| writer.words[rule].is_none()).collect::<Vec<_>>();
    for rule in recursive {
        let body = writer.rule(&rules[rule]);
        let _ = writeln!(writer.text, "r{rule}: {body}");
    }
    let start = writer.rule(&Expr::Rule(root));
    format!("start: {start}\n{}", writer.text)
}

/// The rules from which no recursive one can be reached, each after those it is made of (A. B. Kahn, "Topological sorting of large networks", 1962).
fn regular(rules: &[Expr]) -> Vec<usize> {
    let mut users = vec![Vec::new(); rules.len()];
    let mut missing = vec![0usize; rules.len()];
    for (rule, expr) in rules.iter().enumerate() {
        each_rule(expr, &mut |used| {
            users[used].push(rule);
            missing[rule] += 1;
        });
    }
    let mut order: Vec<usize> = (0..rules.len()).filter(|&rule| missing[rule] == 0).collect();
    let mut done = 0;
    while let Some(&rule) = order.get(done) {
        done += 1;
        for &user in &users[rule] {
            missing[user] -= 1;
            if missing[user] == 0 {
                order.push(user);
            }
        }
    }
    order
}

/// Calls for each mention of a rule.
fn each_rule(expr: &Expr, call: &mut impl FnMut(usize)) {
    match expr {
        Expr::Text(_) | Expr::Class { .. } => {}
        Expr::Rule(rule) => call(*rule),
        Expr::Sequence(all) | Expr::Choice(all) => all.iter().for_each(|one| each_rule(one, call)),
        Expr::Repeat(inner, ..) => each_rule(inner, call),
    }
}

struct Writer {
    /// Of rules that are words: whether they can be empty.
    words: Vec<Option<bool>>,
    text: String,
    /// Words made for parts of rules.
    made: usize,
}

impl Writer {
    /// Whether it is made of words only.
    fn is_word(&self, expr: &Expr) -> bool {
        let mut is_word = true;
        each_rule(expr, &mut |rule| is_word &= self.words[rule].is_some());
        is_word
    }

    /// Whether something made of words can be empty.
    fn can_be_empty(&self, expr: &Expr) -> bool {
        match expr {
            Expr::Text(text) => text.is_empty(),
            Expr::Class { .. } => false,
            Expr::Rule(rule) => self.words[*rule] == Some(true),
            Expr::Sequence(all) => all.iter().all(|one| self.can_be_empty(one)),
            Expr::Choice(all) => all.iter().any(|one| self.can_be_empty(one)),
            Expr::Repeat(inner, min, _) => *min == 0 || self.can_be_empty(inner),
        }
    }

    /// Something made of words, as the body of a word.
    fn word(&self, expr: &Expr) -> String {
        match expr {
            Expr::Rule(rule) => format!("W{rule}"),
            Expr::Sequence(all) if all.is_empty() => quoted(""),
            Expr::Sequence(all) => joined(all.iter().map(|one| self.word(one)), " "),
            Expr::Choice(all) => joined(all.iter().map(|one| self.word(one)), " | "),
            Expr::Repeat(inner, min, max) => repeated(&self.word(inner), *min, *max),
            Expr::Text(text) => quoted(text),
            Expr::Class { is_negated, ranges } => class(*is_negated, ranges),
        }
    }

    /// Anything, as the body of a rule.
    fn rule(&mut self, expr: &Expr) -> String {
        match expr {
            _ if self.is_word(expr) => self.made(expr),
            Expr::Rule(rule) => format!("r{rule}"),
            Expr::Sequence(all) => {
                let is_word = |expr: &&Expr| self.is_word(expr);
                let runs: Vec<&[Expr]> = all.chunk_by(|a, b| is_word(&a) && is_word(&b)).collect();
                let parts: Vec<_> = runs.into_iter().map(|run| self.run(run)).collect();
                joined(parts.into_iter(), " ")
            }
            Expr::Choice(all) => {
                let parts: Vec<_> = all.iter().map(|one| self.rule(one)).collect();
                joined(parts.into_iter(), " | ")
            }
            Expr::Repeat(inner, min, max) => repeated(&self.rule(inner), *min, *max),
            Expr::Text(_) | Expr::Class { .. } => self.made(expr),
        }
    }

    /// Neighbours in a sequence: several words become one.
    fn run(&mut self, run: &[Expr]) -> String {
        match run {
            [one] => self.rule(one),
            words => self.made(&Expr::Sequence(words.to_vec())),
        }
    }

    /// The name of a word made for a part of a rule. Words in rules must not be empty, so one that can be is split into nothing and something.
    fn made(&mut self, expr: &Expr) -> String {
        let body = self.word(expr);
        let name = format!("M{}", self.made);
        self.made += 1;
        if self.can_be_empty(expr) {
            let _ = writeln!(self.text, "{name}: ({body}) & /(?s:.+)/");
            format!("({name})?")
        } else {
            let _ = writeln!(self.text, "{name}: {body}");
            name
        }
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    format!("({})", parts.collect::<Vec<_>>().join(between))
}

fn repeated(inner: &str, min: u32, max: Option<u32>) -> String {
    match (min, max) {
        (0, None) => format!("({inner})*"),
        (1, None) => format!("({inner})+"),
        (0, Some(1)) => format!("({inner})?"),
        (min, None) => format!("({inner}){{{min},}}"),
        (min, Some(max)) => format!("({inner}){{{min},{max}}}"),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One character, as a regular expression in which nothing needs an escape.
fn class(is_negated: bool, ranges: &[(char, char)]) -> String {
    if ranges.is_empty() {
        return "/(?s:.)/".to_owned();
    }
    let mut text = String::from(if is_negated { "/[^" } else { "/[" });
    for (first, last) in ranges {
        let _ = write!(text, "\\x{{{:X}}}-\\x{{{:X}}}", u32::from(*first), u32::from(*last));
    }
    text + "]/"
}
