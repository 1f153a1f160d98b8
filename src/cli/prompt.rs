//! What a prompt is made of: a text, token ids, or a message of a conversation. For `generate` and `trace`.

use super::CliError;
#[cfg(feature = "chat")]
use super::args::ConversationArgs;
use super::args::PromptArgs;
use super::input;
use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, TokenId, Tokenizer};

/// The flags that say what the prompt is.
#[derive(Clone, Copy, Debug)]
pub struct Prompt<'a> {
    /// The text on the command line.
    pub direct: Option<&'a str>,
    pub source: &'a PromptArgs,
    #[cfg(feature = "chat")]
    pub chat: bool,
    #[cfg(feature = "chat")]
    pub conversation: &'a ConversationArgs,
}

impl Prompt<'_> {
    /// The text, read from wherever it is; `None` if token ids are given instead.
    pub fn text(&self) -> Result<Option<String>, CliError> {
        let text = input::text(self.direct, self.source.file.as_deref())?;
        if text.is_none() && self.source.tokens.is_none() {
            return Err(CliError::Usage("no prompt given. Try a text, -f FILE, or -f - for stdin".into()));
        }
        #[cfg(feature = "chat")]
        if !self.chat && (self.conversation.system.is_some() || self.conversation.chat_template.is_some()) {
            return Err(CliError::Usage(
                "--system and --chat-template are for conversations. Try with --chat".into(),
            ));
        }
        Ok(text)
    }

    /// The prompt's ids and its text, of what [`Prompt::text`] read.
    #[cfg_attr(not(feature = "chat"), allow(unused_variables))]
    pub fn encode(
        &self,
        file: &Gguf,
        tokenizer: &Tokenizer,
        text: Option<String>,
    ) -> Result<(Vec<TokenId>, String), CliError> {
        if let Some(ids) = &self.source.tokens {
            return Ok((ids.clone(), String::from_utf8_lossy(&tokenizer.decode(ids)).into_owned()));
        }
        let text = text.unwrap_or_default();
        #[cfg(feature = "chat")]
        if self.chat {
            let rendered = super::conversation::rendered(file, self.conversation, tokenizer, &text)?;
            return Ok((siskin::chat::encode(tokenizer, &rendered), rendered));
        }
        let encode = Encode { add_special: true, parse_special: self.source.special };
        Ok((tokenizer.encode(&text, encode), text))
    }
}
