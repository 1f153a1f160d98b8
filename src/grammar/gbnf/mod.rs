//! Grammars in GBNF, the notation of llama.cpp (its `grammars/README.md`), turned into Lark. Called by the room only.
//!
//! | GBNF | meaning |
//! |---|---|
//! | `name ::= ...` | a rule, up to the end of the line; in parentheses and around `\|` it may go on in the next |
//! | `"text"` | itself; escapes `\n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH` |
//! | `[a-z_]`, `[^"]`, `.` | one character: of these, none of these, any |
//! | `x y`, `x \| y`, `(x)` | one after the other, one of them, a group |
//! | `x*`, `x+`, `x?`, `x{2}`, `x{2,}`, `x{2,5}` | repetition |
//! | `# ...` | a comment, up to the end of the line |
//!
//! Generation begins with the rule `root`.

mod lark;
mod parse;

use super::Error;

/// An expression of a rule.
#[derive(Clone, Debug, PartialEq)]
enum Expr {
    /// This text, which may be empty.
    Text(String),
    /// One character of these ranges, ends included, or none of them.
    Class { is_negated: bool, ranges: Vec<(char, char)> },
    /// The rule with this index.
    Rule(usize),
    /// One after the other.
    Sequence(Vec<Expr>),
    /// One of these.
    Choice(Vec<Expr>),
    /// At least so many times, and at most.
    Repeat(Box<Expr>, u32, Option<u32>),
}

/// The same language in Lark's notation.
///
/// # Errors
///
/// If there is a mistake in it.
pub(super) fn to_lark(text: &str) -> Result<String, Error> {
    let (rules, root) = parse::rules(text)?;
    Ok(lark::write(&rules, root))
}

/// Whether a text looks like GBNF: a line defines a rule with `::=`.
pub(super) fn is_gbnf(text: &str) -> bool {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.lines().any(|line| line.trim_start().trim_start_matches(name).trim_start().starts_with("::="))
}
