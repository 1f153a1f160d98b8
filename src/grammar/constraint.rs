//! How far a text has come in a grammar, and which tokens may follow.

use super::{Error, Grammar, Kind, Vocabulary};
use crate::tokenizer::TokenId;
use llguidance::Matcher;
use llguidance::toktrie::SimpleVob;
use std::fmt;

/// The state of one text that is held to a grammar. A clone goes on by itself from there.
///
/// ```
/// use siskin::grammar::{Constraint, Grammar, Vocabulary};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let model = siskin::Model::open("models/builtin.gguf")?;
/// let vocabulary = Vocabulary::new(model.tokenizer())?;
/// let mut constraint = Constraint::new(&Grammar::regex("yes|no"), &vocabulary)?;
/// let token = model.tokenizer().find("n").expect("a token");
/// assert!(constraint.mask()?[token as usize / 32] >> (token % 32) & 1 == 1);
/// constraint.accept(token)?;
/// assert!(!constraint.is_accepting());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Constraint {
    matcher: Matcher,
    vocabulary: Vocabulary,
    /// What may follow, once it was asked for.
    mask: Option<SimpleVob>,
    is_accepting: bool,
    is_over: bool,
    tokens: usize,
}

impl Constraint {
    /// A grammar for the tokens of a vocabulary, before the first one.
    ///
    /// # Errors
    ///
    /// If the grammar is none, or not supported, or too complex, or no text satisfies it.
    pub fn new(grammar: &Grammar, vocabulary: &Vocabulary) -> Result<Constraint, Error> {
        let compiled = grammar.top_level()?;
        let parser = vocabulary.factory().create_parser(compiled);
        let parser = parser.map_err(|error| invalid(grammar.kind, &error.to_string()))?;
        let matcher = Matcher::new(Ok(parser));
        let vocabulary = vocabulary.clone();
        let mut constraint =
            Constraint { matcher, vocabulary, mask: None, is_accepting: false, is_over: false, tokens: 0 };
        constraint.take(&[])?;
        Ok(constraint)
    }

    /// The tokens that may follow: bit `t % 32` of word `t / 32` for token `t`, as `sample::Context::allowed` takes them. Tokens that end
    /// the generation are among them exactly if [`is_accepting`](Self::is_accepting).
    ///
    /// # Errors
    ///
    /// If there is none, or finding them takes too much time or memory.
    pub fn mask(&mut self) -> Result<&[u32], Error> {
        if self.mask.is_none() {
            self.mask = Some(self.find()?);
        }
        let words = self.mask.as_ref().map_or(&[][..], SimpleVob::as_slice);
        Ok(&words[..self.vocabulary.tokens().div_ceil(32).min(words.len())])
    }

    /// Appends a token to the text.
    ///
    /// # Errors
    ///
    /// If it may not follow, or what may follow takes too much time or memory to find.
    pub fn accept(&mut self, token: TokenId) -> Result<(), Error> {
        if self.vocabulary.eog().contains(&token) && self.is_accepting {
            self.is_over = true;
            return Ok(());
        }
        let is_allowed =
            self.mask()?.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1);
        if !is_allowed || self.is_over {
            return Err(Error::NotAllowed { token });
        }
        self.take(&[token])
    }

    /// Whether the text satisfies the grammar as it is.
    pub fn is_accepting(&self) -> bool {
        self.is_accepting
    }

    /// Whether the text satisfies the grammar, and nothing may follow.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// Takes tokens that may follow, and finds out where that leads.
    fn take(&mut self, tokens: &[TokenId]) -> Result<(), Error> {
        self.mask = None;
        self.tokens += tokens.len();
        self.matcher.consume_tokens(tokens).map_err(|error| self.limit(&error.to_string()))?;
        self.is_over = self.matcher.is_stopped();
        self.is_accepting =
            self.is_over || self.matcher.is_accepting().map_err(|error| self.limit(&error.to_string()))?;
        if self.is_accepting && !self.is_over {
            let eog = self.vocabulary.eog().len();
            let mask = self.find()?;
            self.is_over = mask.num_set() == eog;
            self.mask = Some(mask);
        }
        Ok(())
    }

    /// Searches the tokens that may follow.
    fn find(&mut self) -> Result<SimpleVob, Error> {
        let mut mask = if self.is_over {
            SimpleVob::alloc(self.vocabulary.tokens())
        } else {
            match self.matcher.compute_mask() {
                Ok(mask) => mask,
                Err(error) if is_dead_end(&error.to_string()) => SimpleVob::alloc(self.vocabulary.tokens()),
                Err(error) => return Err(self.limit(&error.to_string())),
            }
        };
        for &token in self.vocabulary.eog() {
            mask.set(token as usize, self.is_accepting);
        }
        if mask.is_zero() && !self.is_accepting {
            return Err(Error::Nothing { tokens: self.tokens });
        }
        Ok(mask)
    }

    fn limit(&self, reason: &str) -> Error {
        Error::Limit { reason: words(reason), tokens: self.tokens }
    }
}

impl fmt::Debug for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Constraint { tokens, is_accepting, is_over, .. } = self;
        let mut debug = f.debug_struct("Constraint");
        debug
            .field("tokens", tokens)
            .field("is_accepting", is_accepting)
            .field("is_over", is_over)
            .finish_non_exhaustive()
    }
}

/// What to try when the compiler refuses a grammar.
fn hint(kind: Kind) -> &'static str {
    match kind {
        Kind::JsonSchema => "Try without what is named here: not all of JSON Schema is supported",
        Kind::Regex => {
            "Try a backslash before special characters that stand for themselves, and no look-around"
        }
        Kind::Lark => {
            "Try a rule `start: ...`, and a definition of every name: `name: ...` of a rule, `NAME: ...` of a token"
        }
        Kind::Gbnf => "Try a grammar of fewer or simpler rules",
    }
}

/// A mistake in a grammar. A regular expression is a word of a grammar to the compiler, which the caller has not written.
fn invalid(kind: Kind, message: &str) -> Error {
    let mut reason = words(message);
    if kind == Kind::Regex {
        let end = reason.find("\n   1 | ").unwrap_or(reason.len());
        let start = reason.find("(in regex): ").map_or(0, |at| at + "(in regex): ".len());
        reason = reason.get(start..end).unwrap_or(&reason).to_owned();
    }
    Error::Invalid { kind, reason, hint: hint(kind) }
}

/// Whether the compiler's message says that no token may follow; it has no other way to say so.
fn is_dead_end(message: &str) -> bool {
    message.starts_with("NoExtension")
}

/// A message without what is for the compiler's own authors.
fn words(message: &str) -> String {
    let ends = ["\n<backtrace>", "\n<non-verbose/>", "\n<state>"];
    let end = ends.iter().filter_map(|end| message.find(end)).min().unwrap_or(message.len());
    message[..end].trim_end().to_owned()
}
