//! What `chat` and `generate --chat` share: the template and the first message.

use super::args::ConversationArgs;
use super::{CliError, input, template_watch};
use siskin::chat::{self, Conversation, Message, Specials, Template};
use siskin::gguf::Gguf;
use siskin::tokenizer::Tokenizer;
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// The template that the user named, else the model's.
pub fn template(file: &Gguf, args: &ConversationArgs, tokenizer: &Tokenizer) -> Result<Template, CliError> {
    let (origin, source) = source(file, args)?;
    let template = Template::new(&source, &Specials::of(tokenizer));
    template.map_err(|error| CliError::in_file(&origin, error))
}

/// A file, and the template's source in it.
fn source<'f>(file: &'f Gguf, args: &ConversationArgs) -> Result<(PathBuf, Cow<'f, str>), CliError> {
    let in_model = |name| {
        let source = chat::source(file.metadata(), name);
        source.map(|source| (file.path().to_owned(), Cow::Borrowed(source)))
    };
    let of_model = |error: chat::Error| CliError::in_file(file.path(), error);
    match args.chat_template.as_deref() {
        Some(name) if chat::names(file.metadata()).contains(&name) => in_model(Some(name)).map_err(of_model),
        Some(path) => Ok((path.into(), Cow::Owned(input::read(Path::new(path))?))),
        None => in_model(None).map_err(of_model),
    }
}

/// The conversation before anybody spoke.
pub fn beginning(args: &ConversationArgs) -> Vec<Message> {
    args.system.iter().map(|text| Message::new("system", text)).collect()
}

/// The text of a prompt that is the first message of a conversation, up to the beginning of the answer.
pub fn rendered(
    file: &Gguf,
    args: &ConversationArgs,
    tokenizer: &Tokenizer,
    prompt: &str,
) -> Result<String, CliError> {
    let mut messages = beginning(args);
    messages.push(Message::new("user", prompt));
    render(&template(file, args, tokenizer)?, &messages)
}

/// The text of a conversation, up to the beginning of the answer.
pub fn render(template: &Template, messages: &[Message]) -> Result<String, CliError> {
    let render = || template.render(Conversation::to_answer(messages));
    Ok(template_watch::within_limits(render).map_err(chat::Error::from)??)
}
