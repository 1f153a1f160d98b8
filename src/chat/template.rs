//! A chat template: found in a model's file, compiled once, run within limits.
//!
//! One thing is not limited: minijinja 3.1 counts no steps for a list that is added to itself (`l = l + l`), which after some thirty times
//! fills the memory, or keeps a core busy if the list is empty. A hostile template can end the process that way, but do no more. The command
//! watches for it; who embeds the library limits the memory of the process.

use super::error::{Error, Limit};
use super::message::Message;
use super::python::{self, Raised};
use crate::gguf::Metadata;
use crate::tokenizer::{TokenId, Tokenizer};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, ErrorKind};
use std::borrow::Cow;
use std::io::{self, Write};
use std::thread;
use std::time::SystemTime;

/// The key of the template; those of others end with a dot and a name.
const KEY: &str = "tokenizer.chat_template";
/// Steps that every run may take, for each message more, and in all. A step is an instruction or 64 bytes of data. Known templates take
/// 2,200 for six messages and a tool; the largest number takes a fraction of a second.
const STEPS: u64 = 20_000;
const STEPS_PER_MESSAGE: u64 = 1_000;
const MAX_STEPS: u64 = 500_000;
/// Stack that every run has, and for each step more. Showing, comparing or dropping a value recurses over the values inside it, 600 bytes
/// a level at most (measured), and nothing limits their depth but the steps, of which a level takes more than one.
const STACK: usize = 1 << 20;
const STACK_PER_STEP: usize = 512;
/// Levels of nesting; a macro call counts several.
const MAX_DEPTH: usize = 100;
/// Bytes rendered: more than any context holds.
const MAX_OUTPUT: usize = 16 << 20;
/// Bytes of a template: fifteen times the longest one known.
const MAX_SOURCE: usize = 256 << 10;

/// Names of the templates in a file beside the default one, in the file's order.
pub fn names(metadata: &Metadata) -> Vec<&str> {
    metadata.iter().filter_map(|(key, _)| key.strip_prefix(KEY)?.strip_prefix('.')).collect()
}

/// The source of the file's template: of the one with that name, or of the default one, which may also be named `default`.
///
/// # Errors
/// [`Error::Missing`], [`Error::NoDefault`]; [`Error::Gguf`] if the entry is no text.
pub fn source<'f>(metadata: &'f Metadata, name: Option<&str>) -> Result<&'f str, Error> {
    let named = |name: &str| metadata.str(&format!("{KEY}.{name}"));
    let found = match name {
        Some(name) => named(name)?,
        None => metadata.str(KEY)?.map_or_else(|| named("default"), |text| Ok(Some(text)))?,
    };
    found.ok_or_else(|| match names(metadata).as_slice() {
        [] => Error::Missing,
        names => Error::NoDefault { names: names.join(", ") },
    })
}

/// Texts of special tokens that templates write by name; empty where the vocabulary has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Specials {
    /// Beginning of a sequence: `bos_token`.
    pub bos: String,
    /// End of a sequence: `eos_token`.
    pub eos: String,
    /// What the vocabulary cannot express: `unk_token`.
    pub unknown: String,
}

impl Specials {
    /// Those of a vocabulary.
    pub fn of(tokenizer: &Tokenizer) -> Specials {
        let text = |id: Option<TokenId>| {
            let token = id.and_then(|id| tokenizer.token(id));
            token.map(|token| String::from_utf8_lossy(token.bytes).into_owned()).unwrap_or_default()
        };
        Specials {
            bos: text(tokenizer.bos()),
            eos: text(tokenizer.eos()),
            unknown: text(tokenizer.unknown()),
        }
    }
}

/// What a template is given.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// What was said so far.
    pub messages: &'a [Message],
    /// Descriptions of functions that the model may call, as JSON; most models know none.
    pub tools: &'a [serde_json::Value],
    /// Whether the beginning of an answer is to be written.
    pub add_generation_prompt: bool,
    /// The time that templates may tell the model.
    pub now: SystemTime,
}

impl<'a> Conversation<'a> {
    /// A conversation that the model is to answer now.
    pub fn to_answer(messages: &'a [Message]) -> Conversation<'a> {
        Conversation { messages, tools: &[], add_generation_prompt: true, now: SystemTime::now() }
    }
}

/// A compiled template.
///
/// ```
/// use siskin::chat::{Conversation, Message, Specials, Template};
///
/// let source = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}\n{% endfor %}";
/// let template = Template::new(source, &Specials::default())?;
/// let messages = [Message::new("user", "Hello")];
/// assert_eq!(template.render(Conversation::to_answer(&messages))?, "<|user|>Hello\n");
/// # Ok::<(), siskin::chat::Error>(())
/// ```
#[derive(Debug)]
pub struct Template {
    environment: Environment<'static>,
    specials: Specials,
}

impl Template {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the line; [`Error::Limit`] if it is unreasonably long.
    pub fn new(source: &str, specials: &Specials) -> Result<Template, Error> {
        if source.len() > MAX_SOURCE {
            return Err(Error::Limit { limit: Limit::Source(MAX_SOURCE) });
        }
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.map_err(|error| failure(&error, None))?);
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_recursion_limit(MAX_DEPTH);
        python::install(&mut environment);
        let source = without_generation_blocks(source).into_owned();
        environment.add_template_owned(KEY, source).map_err(|error| failure(&error, None))?;
        Ok(Template { environment, specials: specials.clone() })
    }

    /// The text of a conversation, as the model knows it from training.
    ///
    /// # Errors
    /// [`Error::Refused`] if the template says so, [`Error::Invalid`] if it fails, [`Error::Limit`] if it wants too much,
    /// [`Error::Thread`] if the system gives no thread with the stack that a hostile template could use.
    pub fn render(&self, conversation: Conversation<'_>) -> Result<String, Error> {
        let steps = steps(&conversation);
        let stack = STACK + STACK_PER_STEP * steps as usize;
        thread::scope(|scope| {
            let run = || self.render_within(conversation, steps);
            let thread = thread::Builder::new().stack_size(stack).spawn_scoped(scope, run)?;
            // The interpreter is another's, and some templates make it panic: `break` in a block of its own scope, for one.
            thread.join().unwrap_or_else(|_| {
                let reason = "the interpreter failed. Try another template".to_owned();
                Err(Error::Invalid { line: None, reason })
            })
        })
    }

    fn render_within(&self, conversation: Conversation<'_>, steps: u64) -> Result<String, Error> {
        let mut environment = self.environment.clone();
        environment.set_fuel(Some(steps));
        let mut out = Capped { bytes: Vec::new(), full: false };
        let template = environment.get_template(KEY);
        let rendered =
            template.and_then(|template| template.render_captured_to(self.context(conversation), &mut out));
        match rendered {
            // minijinja writes whole texts only
            Ok(_) => Ok(String::from_utf8_lossy(&out.bytes).into_owned()),
            Err(_) if out.full => Err(Error::Limit { limit: Limit::Output(MAX_OUTPUT) }),
            Err(error) => Err(failure(&error, Some(steps))),
        }
    }

    /// The names that templates use. What is absent is `none`, as in Python.
    fn context(&self, conversation: Conversation<'_>) -> Value {
        let Conversation { messages, tools, add_generation_prompt, now } = conversation;
        let tools = if tools.is_empty() { Value::from(()) } else { Value::from(Serde(tools)) };
        Value::from_pairs([
            ("messages", Value::from(Serde(messages))),
            ("tools", tools),
            ("documents", Value::from(())),
            ("add_generation_prompt", Value::from(add_generation_prompt)),
            ("bos_token", Value::from(self.specials.bos.as_str())),
            ("eos_token", Value::from(self.specials.eos.as_str())),
            ("unk_token", Value::from(self.specials.unknown.as_str())),
            ("strftime_now", python::strftime_now(now)),
        ])
    }
}

/// The source with plain blocks instead of `{% generation %}` ones, which mark the assistant's text for training and else do nothing.
fn without_generation_blocks(source: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let (before, tag) = rest.split_at(start + 2);
        out.push_str(before);
        rest = tag;
        let Some((inside, _)) = tag.split_once("%}") else { break };
        let name = inside.trim_matches(['-', '+']).trim();
        let plain = match name {
            "generation" => "with",
            "endgeneration" => "endwith",
            _ => continue,
        };
        out.push_str(&inside.replacen(name, plain, 1));
        rest = &tag[inside.len()..];
    }
    if out.is_empty() {
        return Cow::Borrowed(source);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Takes bytes up to a limit.
struct Capped {
    bytes: Vec<u8>,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MAX_OUTPUT - self.bytes.len() {
            self.full = true;
            return Err(io::Error::other("too much output"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Steps that a template may take for a conversation; texts are copied a few times.
fn steps(conversation: &Conversation<'_>) -> u64 {
    let messages = conversation.messages;
    let bytes: usize = messages.iter().filter_map(Message::text).map(str::len).sum();
    let steps = STEPS + STEPS_PER_MESSAGE * messages.len() as u64 + bytes as u64 / 2;
    steps.min(MAX_STEPS)
}

/// The engine's error in our words; `steps` is what a run was allowed.
fn failure(error: &minijinja::Error, steps: Option<u64>) -> Error {
    let mut sources = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    if let Some(Raised(reason)) = sources.find_map(|error| error.downcast_ref()) {
        return Error::Refused { reason: reason.clone() };
    }
    match (error.kind(), error.detail(), steps) {
        (ErrorKind::OutOfFuel, _, Some(steps)) => Error::Limit { limit: Limit::Steps(steps) },
        (ErrorKind::InvalidOperation, Some(detail), _) if detail.contains("recursion limit") => {
            Error::Limit { limit: Limit::Depth(MAX_DEPTH) }
        }
        (kind, Some(detail), _) => Error::Invalid { line: error.line(), reason: format!("{kind}: {detail}") },
        (kind, None, _) => Error::Invalid { line: error.line(), reason: kind.to_string() },
    }
}

#[cfg(test)]
mod tests;
