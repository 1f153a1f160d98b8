//! A line of the input: a prompt and its own options, on top of those of the command line.

#[cfg(feature = "chat")]
use super::super::args::ConversationArgs;
use serde::Deserialize;
use serde_json::Value;
use siskin::batch::Job;
#[cfg(feature = "chat")]
use siskin::chat::{self, Conversation, Message, Template};
#[cfg(feature = "chat")]
use siskin::gguf::Gguf;
use siskin::session::Options;
use siskin::tokenizer::{Encode, TokenId, Tokenizer};
#[cfg(feature = "chat")]
use std::cell::OnceCell;

#[cfg(not(feature = "chat"))]
type Message = Value;

/// What a line can say. Options are named like the flags.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(rename = "id")]
    _id: Option<Value>,
    prompt: Option<String>,
    tokens: Option<Vec<TokenId>>,
    messages: Option<Vec<Message>>,
    special: Option<bool>,
    max_tokens: Option<usize>,
    min_tokens: Option<usize>,
    ignore_eos: Option<bool>,
    stop: Option<Vec<String>>,
    stop_sentences: Option<usize>,
    stop_lines: Option<usize>,
    stop_json: Option<bool>,
    temp: Option<f32>,
    top_k: Option<u32>,
    top_p: Option<f32>,
    min_p: Option<f32>,
    typical: Option<f32>,
    repeat_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    seed: Option<u64>,
}

/// The `id` of a line, if it has one; it may be anything.
pub fn id(line: &str) -> Option<Value> {
    serde_json::from_str::<Value>(line).ok()?.get("id").cloned()
}

/// What a line says.
fn fields(line: &str) -> Result<Fields, String> {
    if !line.trim_start().starts_with('{') {
        return Err(
            "line: found no JSON object, expected one such as {\"prompt\": \"Once upon a time\"}".into()
        );
    }
    // what is called line 1 there has another number here
    serde_json::from_str(line)
        .map_err(|error| format!("line: {error}").replace(" at line 1 column ", " at column "))
}

/// Makes jobs of lines.
pub struct Items<'a> {
    pub tokenizer: &'a Tokenizer,
    /// What the flags say.
    pub defaults: Options,
    #[cfg(feature = "chat")]
    pub file: &'a Gguf,
    #[cfg(feature = "chat")]
    pub conversation: &'a ConversationArgs,
    /// Found when the first line with messages comes.
    #[cfg(feature = "chat")]
    pub template: OnceCell<Result<Template, String>>,
}

impl Items<'_> {
    /// The job of a line.
    ///
    /// # Errors
    ///
    /// What is wrong with the line.
    pub fn job(&self, index: usize, line: &str) -> Result<Job, String> {
        let fields = fields(line)?;
        let options = self.options(index, &fields);
        Ok(Job { prompt: self.prompt(fields)?, options })
    }

    fn prompt(&self, fields: Fields) -> Result<Vec<TokenId>, String> {
        let encode = Encode { add_special: true, parse_special: fields.special.unwrap_or(false) };
        match (fields.prompt, fields.tokens, fields.messages) {
            (Some(text), None, None) => Ok(self.tokenizer.encode(&text, encode)),
            (None, Some(tokens), None) => Ok(tokens),
            (None, None, Some(messages)) => self.conversation(messages),
            _ => Err("line: expected one of prompt, tokens and messages".into()),
        }
    }

    #[cfg(feature = "chat")]
    fn conversation(&self, mut messages: Vec<Message>) -> Result<Vec<TokenId>, String> {
        use super::super::conversation;
        let find = || conversation::template(self.file, self.conversation, self.tokenizer);
        let template = self.template.get_or_init(|| find().map_err(|error| error.to_string()));
        let template = template.as_ref().map_err(String::clone)?;
        if messages.first().is_none_or(|message| message.role() != "system") {
            drop(messages.splice(..0, conversation::beginning(self.conversation)));
        }
        let rendered =
            template.render(Conversation::to_answer(&messages)).map_err(|error| error.to_string())?;
        Ok(chat::encode(self.tokenizer, &rendered))
    }

    #[cfg(not(feature = "chat"))]
    fn conversation(&self, _: Vec<Message>) -> Result<Vec<TokenId>, String> {
        Err("line: messages need a build with feature chat. Try prompt".into())
    }

    /// The flags' options with what the line says; the seed is the flags' and the number of the line, unless it has its own.
    fn options(&self, index: usize, fields: &Fields) -> Options {
        let mut options = self.defaults.clone();
        let (rules, sampling) = (&mut options.stop, &mut options.sampling);
        set(&mut options.max_tokens, fields.max_tokens);
        set(&mut options.ignore_eos, fields.ignore_eos);
        set(&mut options.stop_texts, fields.stop.clone());
        set(&mut rules.min_tokens, fields.min_tokens);
        set(&mut rules.sentences, fields.stop_sentences.map(Some));
        set(&mut rules.lines, fields.stop_lines.map(Some));
        set(&mut rules.json, fields.stop_json);
        set(&mut sampling.temperature, fields.temp);
        set(&mut sampling.top_k, fields.top_k);
        set(&mut sampling.top_p, fields.top_p);
        set(&mut sampling.min_p, fields.min_p);
        set(&mut sampling.typical, fields.typical);
        set(&mut sampling.penalties.repeat, fields.repeat_penalty);
        set(&mut sampling.penalties.presence, fields.presence_penalty);
        set(&mut sampling.penalties.frequency, fields.frequency_penalty);
        sampling.seed = fields.seed.unwrap_or(sampling.seed.wrapping_add(index as u64));
        options
    }
}

fn set<T>(option: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *option = value;
    }
}
