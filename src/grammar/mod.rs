//! Text held to a form: a JSON schema, a regular expression, or a grammar.
//!
//! ```text
//! Grammar (text) ─┐
//!                 ├─ Constraint: which tokens may come next ─> sample::Context::allowed
//! Vocabulary ─────┘
//! ```
//!
//! At every position each token is tried, byte by byte along the tree of the vocabulary, against the grammar: words by an automaton, rules by an
//! Earley parser (J. Earley, "An efficient context-free parsing algorithm", 1970), both of the crate llguidance. GBNF is first turned into Lark (`gbnf/`).
//! A word of a grammar with recursive rules is as long as it can be, as in other parsers with a lexer.
//!
//! Called by sessions and by searches; knows [`crate::tokenizer`] only. Exists with the feature `grammar`.

mod constraint;
mod error;
mod gbnf;
#[cfg(all(test, feature = "builtin"))]
mod tests;
mod vocabulary;

pub use constraint::Constraint;
pub use error::Error;
pub use vocabulary::Vocabulary;

use llguidance::api::TopLevelGrammar;
use serde_json::{Value, json};
use std::fmt;

/// What a grammar is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A JSON schema.
    JsonSchema,
    /// A regular expression.
    Regex,
    /// A grammar in Lark's notation.
    Lark,
    /// A grammar in GBNF, the notation of llama.cpp.
    Gbnf,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::JsonSchema => "JSON schema",
            Kind::Regex => "regular expression",
            Kind::Lark => "Lark grammar",
            Kind::Gbnf => "GBNF grammar",
        })
    }
}

/// What a generated text must satisfy from its first to its last character. Plain data: mistakes are found by [`Constraint::new`].
///
/// ```
/// use siskin::grammar::Grammar;
/// use siskin::session::Options;
///
/// # fn main() -> Result<(), siskin::Error> {
/// let model = siskin::Model::open("models/builtin.gguf")?;
/// let mut options = Options::default();
/// options.grammar = Some(Grammar::regex("(red|green|blue) [0-9]{2}"));
/// let mut session = model.session("The colour is", &options)?;
/// let text: Result<String, _> = session.steps().map(|token| Ok::<_, siskin::Error>(token?.text)).collect();
/// assert!(text?.trim_start_matches(|c: char| c.is_ascii_lowercase()).len() == 3);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grammar {
    kind: Kind,
    text: String,
}

impl Grammar {
    /// JSON that fits a schema, on one line: behind `,` and `:` there may be a blank, and none elsewhere. The schema's own `x-guidance` object,
    /// if there is one, sets this and more. References to other files are not followed.
    pub fn json_schema(text: impl Into<String>) -> Grammar {
        Grammar { kind: Kind::JsonSchema, text: text.into() }
    }

    /// Text that a regular expression matches as a whole, in the syntax of Rust's crate `regex`.
    pub fn regex(pattern: impl Into<String>) -> Grammar {
        Grammar { kind: Kind::Regex, text: pattern.into() }
    }

    /// Text of the rule `start` of a grammar, in the variant of Lark's notation that llguidance reads.
    pub fn lark(text: impl Into<String>) -> Grammar {
        Grammar { kind: Kind::Lark, text: text.into() }
    }

    /// Text of the rule `root` of a grammar in GBNF, the notation of llama.cpp.
    pub fn gbnf(text: impl Into<String>) -> Grammar {
        Grammar { kind: Kind::Gbnf, text: text.into() }
    }

    /// Text of a grammar in one of these notations: GBNF if a line defines a rule with `::=`, else Lark.
    pub fn of(text: impl Into<String>) -> Grammar {
        let text = text.into();
        if gbnf::is_gbnf(&text) { Grammar::gbnf(text) } else { Grammar::lark(text) }
    }

    /// What it is written in.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// For the compiler; else what is wrong.
    fn top_level(&self) -> Result<TopLevelGrammar, Error> {
        Ok(match self.kind {
            Kind::JsonSchema => TopLevelGrammar::from_json_schema(schema(&self.text)?),
            Kind::Regex => TopLevelGrammar::from_regex(&self.text),
            Kind::Lark => TopLevelGrammar::from_lark(self.text.clone()),
            Kind::Gbnf => TopLevelGrammar::from_lark(gbnf::to_lark(&self.text)?),
        })
    }
}

/// A schema with what siskin wants of blanks.
fn schema(text: &str) -> Result<Value, Error> {
    let invalid = |reason: String| Error::Invalid {
        kind: Kind::JsonSchema,
        reason,
        hint: r#"Try {"type": "object"}, and add to it"#,
    };
    let value = serde_json::from_str(text).map_err(|error| invalid(format!("not JSON: {error}")))?;
    let blanks = json!({ "whitespace_flexible": false, "item_separator": ", ?", "key_separator": ": ?" });
    match value {
        Value::Object(mut schema) => {
            schema.entry("x-guidance").or_insert(blanks);
            Ok(Value::Object(schema))
        }
        Value::Bool(true) => Ok(json!({ "x-guidance": blanks })),
        other => Err(invalid(format!("found {other}, expected an object"))),
    }
}
