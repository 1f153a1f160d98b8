//! One message of a conversation, as templates and JSON files know it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How the answers of gpt-oss are built: `CHANNEL` name `MESSAGE` text `END`, the last channel being the answer.
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";
const END: &str = "<|end|>";
const FINAL: &str = "<|channel|>final<|message|>";

/// A message: an object with a text `role` (`system`, `user`, `assistant`, `tool`) and, as a rule, `content`. Other fields, such as
/// `tool_calls`, reach the template as they are; the order of fields is kept.
///
/// ```
/// use siskin::chat::Message;
///
/// let hello = Message::new("user", "Hello");
/// assert_eq!((hello.role(), hello.text()), ("user", Some("Hello")));
/// let from_json: Message = serde_json::from_str(r#"{"role": "user", "content": "Hello"}"#)?;
/// assert_eq!(from_json, hello);
/// assert!(serde_json::from_str::<Message>(r#"{"content": "Hello"}"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Message {
    fields: Map<String, Value>,
}

/// An object that is no message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message has no text 'role', expected one such as user, assistant or system")]
pub struct NotAMessage;

impl Message {
    /// A message of plain text.
    pub fn new(role: &str, content: impl Into<String>) -> Message {
        let fields = [("role", role.to_owned()), ("content", content.into())];
        Message {
            fields: fields.into_iter().map(|(key, text)| (key.to_owned(), Value::String(text))).collect(),
        }
    }

    /// What a model answered. gpt-oss writes thoughts and answer into channels of one text; its template refuses that and wants the
    /// thoughts as `thinking`. Other text stays as it is.
    pub fn answer(text: &str) -> Message {
        if !text.starts_with(CHANNEL) {
            return Message::new("assistant", text);
        }
        let (thoughts, answer) = text.split_once(FINAL).unwrap_or((text, ""));
        let thoughts = thoughts.split(MESSAGE).skip(1).filter_map(|part| part.split(END).next());
        let mut message = Message::new("assistant", answer);
        message.fields.insert("thinking".to_owned(), Value::String(thoughts.collect::<Vec<_>>().join("\n")));
        message
    }

    /// Who speaks.
    pub fn role(&self) -> &str {
        self.fields.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// The content, if it is a plain text.
    pub fn text(&self) -> Option<&str> {
        self.fields.get("content").and_then(Value::as_str)
    }
}

impl TryFrom<Map<String, Value>> for Message {
    type Error = NotAMessage;

    fn try_from(fields: Map<String, Value>) -> Result<Message, NotAMessage> {
        let has_role = fields.get("role").is_some_and(Value::is_string);
        if has_role { Ok(Message { fields }) } else { Err(NotAMessage) }
    }
}

impl From<Message> for Map<String, Value> {
    fn from(message: Message) -> Map<String, Value> {
        message.fields
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_taken_apart() {
        let parts = |text: &str| {
            let message = Message::answer(text);
            let thinking = message.fields.get("thinking").and_then(Value::as_str).map(str::to_owned);
            (message.text().map(str::to_owned), thinking)
        };
        let two = |content: &str, thinking: &str| (Some(content.to_owned()), Some(thinking.to_owned()));
        assert_eq!(parts("Hello <|channel|>"), (Some("Hello <|channel|>".to_owned()), None));
        let whole =
            "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Yes.";
        assert_eq!(parts(whole), two("Yes.", "Hm."));
        assert_eq!(parts("<|channel|>final<|message|>Yes."), two("Yes.", ""));
        assert_eq!(parts("<|channel|>analysis<|message|>Hm, cut"), two("", "Hm, cut"));
        assert_eq!(parts("<|channel|>"), two("", ""));
    }
}
