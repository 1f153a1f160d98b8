//! GBNF text to rules.

use super::{Error, Expr};
use std::collections::HashMap;

/// Most parentheses inside each other.
const DEPTH: usize = 100;

/// The rules of a grammar, and the index of `root`.
pub(super) fn rules(text: &str) -> Result<(Vec<Expr>, usize), Error> {
    let mut parser = Parser { text, at: 0, names: HashMap::new(), rules: Vec::new(), depth: 0 };
    parser.skip_blank(true);
    while !parser.rest().is_empty() {
        parser.rule()?;
        parser.skip_blank(true);
    }
    let Parser { names, rules, .. } = parser;
    let root = names.get("root").map(|name| name.index).filter(|&root| rules[root].is_some());
    let lines = text.lines().count().max(1);
    let Some(root) = root else { return Err(wrong(lines, "no rule root", "root ::= ...")) };
    for (name, Name { index, line }) in names {
        if rules[index].is_none() {
            return Err(wrong(line, &format!("{name}, which is not defined"), "the name of a rule"));
        }
    }
    Ok((rules.into_iter().flatten().collect(), root))
}

fn wrong(line: usize, found: &str, expected: &'static str) -> Error {
    Error::Gbnf { line, found: found.to_owned(), expected }
}

/// A name that came up.
struct Name {
    /// Of its rule.
    index: usize,
    /// Where it came up first.
    line: usize,
}

struct Parser<'a> {
    text: &'a str,
    /// Bytes read.
    at: usize,
    names: HashMap<&'a str, Name>,
    /// `None` as long as a rule has only been named.
    rules: Vec<Option<Expr>>,
    /// Open parentheses.
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// What is wrong here.
    fn wrong(&self, expected: &'static str) -> Error {
        let line = self.text[..self.at].matches('\n').count() + 1;
        let found = self.peek().map_or_else(|| "the end".to_owned(), |c| format!("{c:?}"));
        Error::Gbnf { line, found, expected }
    }

    /// Skips blanks and comments, and line ends too if they mean nothing.
    fn skip_blank(&mut self, lines: bool) {
        loop {
            let rest = self.rest();
            let blank = |c: char| matches!(c, ' ' | '\t') || lines && matches!(c, '\r' | '\n');
            let len = match rest.strip_prefix('#') {
                Some(_) => rest.find('\n').unwrap_or(rest.len()),
                None => rest.len() - rest.trim_start_matches(blank).len(),
            };
            if len == 0 {
                return;
            }
            self.at += len;
        }
    }

    /// The index of the rule whose name comes next.
    fn name(&mut self) -> Result<usize, Error> {
        let rest = self.rest();
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let len = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        if len == 0 {
            return Err(self.wrong("the name of a rule"));
        }
        let line = self.text[..self.at].matches('\n').count() + 1;
        self.at += len;
        let next = Name { index: self.rules.len(), line };
        let index = self.names.entry(&rest[..len]).or_insert(next).index;
        if index == self.rules.len() {
            self.rules.push(None);
        }
        Ok(index)
    }

    /// `name ::= choice`
    fn rule(&mut self) -> Result<(), Error> {
        let index = self.name()?;
        self.skip_blank(false);
        if self.rules[index].is_some() {
            return Err(self.wrong("a name that is not defined yet"));
        }
        if !self.eat("::=") {
            return Err(self.wrong("::="));
        }
        self.skip_blank(true);
        let expr = self.choice()?;
        self.rules[index] = Some(expr);
        match self.peek() {
            None | Some('\r' | '\n') => Ok(()),
            Some(_) => Err(self.wrong("a text, a class, a name, a group, | or the end of the rule")),
        }
    }

    /// `sequence | sequence | ...`
    fn choice(&mut self) -> Result<Expr, Error> {
        let mut all = vec![self.sequence()?];
        loop {
            let end = self.at;
            self.skip_blank(true);
            if !self.eat("|") {
                // At the end of a rule, the line end counts.
                self.at = if self.depth > 0 { self.at } else { end };
                return Ok(if all.len() == 1 { all.remove(0) } else { Expr::Choice(all) });
            }
            self.skip_blank(true);
            all.push(self.sequence()?);
        }
    }

    fn sequence(&mut self) -> Result<Expr, Error> {
        let mut all = Vec::new();
        while let Some(item) = self.item()? {
            let item = self.repeated(item)?;
            all.push(item);
            self.skip_blank(self.depth > 0);
        }
        Ok(if all.len() == 1 { all.remove(0) } else { Expr::Sequence(all) })
    }

    fn item(&mut self) -> Result<Option<Expr>, Error> {
        Ok(Some(match self.peek() {
            Some('"') => Expr::Text(self.quoted()?),
            Some('[') => self.class()?,
            Some('(') => self.group()?,
            Some('.') => {
                self.at += 1;
                Expr::Class { is_negated: true, ranges: Vec::new() }
            }
            Some(c) if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') => Expr::Rule(self.name()?),
            _ => return Ok(None),
        }))
    }

    fn group(&mut self) -> Result<Expr, Error> {
        if self.depth == DEPTH {
            return Err(self.wrong("fewer parentheses inside each other"));
        }
        self.at += 1;
        self.depth += 1;
        self.skip_blank(true);
        let inner = self.choice()?;
        self.depth -= 1;
        if self.eat(")") { Ok(inner) } else { Err(self.wrong("a text, a class, a name, a group, | or )")) }
    }

    /// An item with the repetition that follows.
    fn repeated(&mut self, mut item: Expr) -> Result<Expr, Error> {
        let mut signs = 0;
        loop {
            self.skip_blank(self.depth > 0);
            let (min, max) = match self.peek() {
                Some('*') => (0, None),
                Some('+') => (1, None),
                Some('?') => (0, Some(1)),
                Some('{') => self.counts()?,
                _ => return Ok(item),
            };
            self.at += 1;
            signs += 1;
            if signs > DEPTH {
                return Err(self.wrong("fewer repetitions of one item"));
            }
            item = Expr::Repeat(Box::new(item), min, max);
        }
    }

    /// `{2}`, `{2,}`, `{2,5}` up to the closing brace.
    fn counts(&mut self) -> Result<(u32, Option<u32>), Error> {
        let counts = "a repetition such as {2}, {2,} or {2,5}";
        let Some((inner, _)) = self.rest()[1..].split_once('}') else { return Err(self.wrong(counts)) };
        let (min, max) = match inner.split_once(',') {
            None => (inner, inner),
            Some(parts) => parts,
        };
        let number = |text: &str| text.trim().parse::<u32>().ok();
        let max = if max.trim().is_empty() { Some(None) } else { number(max).map(Some) };
        let min = if min.trim().is_empty() && inner.contains(',') { Some(0) } else { number(min) };
        match (min, max) {
            (Some(min), Some(max)) if max.is_none_or(|max| min <= max) => {
                self.at += 1 + inner.len();
                Ok((min, max))
            }
            _ => Err(self.wrong(counts)),
        }
    }

    fn quoted(&mut self) -> Result<String, Error> {
        self.at += 1;
        let mut text = String::new();
        while !self.eat("\"") {
            text.push(self.character("a closing quote")?);
        }
        Ok(text)
    }

    /// `[abc]`, `[a-z]`, `[^a-z]`
    fn class(&mut self) -> Result<Expr, Error> {
        self.at += 1;
        let is_negated = self.eat("^");
        let mut ranges = Vec::new();
        while !self.eat("]") {
            let first = self.character("a closing bracket")?;
            let is_range = self.rest().starts_with('-') && !self.rest().starts_with("-]");
            self.at += usize::from(is_range);
            let last = if is_range { self.character("a closing bracket")? } else { first };
            if first > last {
                return Err(self.wrong("a range from a lower to a higher character before this"));
            }
            ranges.push((first, last));
        }
        if ranges.is_empty() && !is_negated {
            return Err(self.wrong("a character in the class before this"));
        }
        Ok(Expr::Class { is_negated, ranges })
    }

    /// A character, or what an escape stands for.
    fn character(&mut self, end: &'static str) -> Result<char, Error> {
        match self.peek() {
            None | Some('\n') => Err(self.wrong(end)),
            Some('\\') => {
                self.at += 1;
                self.escaped()
            }
            Some(c) => {
                self.next();
                Ok(c)
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Error> {
        let start = self.at;
        let digits = match self.next() {
            Some('n') => return Ok('\n'),
            Some('r') => return Ok('\r'),
            Some('t') => return Ok('\t'),
            Some(c @ ('\\' | '"' | '[' | ']' | '-' | '^')) => return Ok(c),
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            _ => 0,
        };
        let code = self.rest().get(..digits).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        match code.and_then(char::from_u32) {
            Some(c) if digits > 0 => {
                self.at += digits;
                Ok(c)
            }
            _ => {
                self.at = start;
                Err(self.wrong("an escape: n, r, t, \\, \", [, ], xHH, uHHHH or UHHHHHHHH"))
            }
        }
    }
}
