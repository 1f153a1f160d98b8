//! The flags of a prompt and of how it is continued, which `generate` and `trace` share: definitions only.

#[cfg(feature = "chat")]
use super::args::ConversationArgs;
#[cfg(feature = "grammar")]
use super::args::GrammarArgs;
use super::args::{ModelArgs, PromptArgs, RunArgs, SampleArgs, SearchArgs, StopArgs};
use super::window_args::WindowArgs;
use clap::Args;

/// What is asked of a model.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Text to continue
    pub prompt: Option<String>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Prompt
    #[command(flatten)]
    pub source: PromptArgs,
    /// Send the prompt as a message, in the format of the model's chat template
    #[cfg(feature = "chat")]
    #[arg(long, conflicts_with_all = ["tokens", "special"], help_heading = "Conversation")]
    pub chat: bool,
    /// Conversation
    #[cfg(feature = "chat")]
    #[command(flatten)]
    pub conversation: ConversationArgs,
    /// Length and stop conditions
    #[command(flatten)]
    pub stop: StopArgs,
    /// Choice of tokens
    #[command(flatten)]
    pub sample: SampleArgs,
    /// Form of the text
    #[cfg(feature = "grammar")]
    #[command(flatten)]
    pub grammar: GrammarArgs,
    /// Several continuations
    #[command(flatten)]
    pub search: SearchArgs,
    /// Machine
    #[command(flatten)]
    pub run: RunArgs,
    /// Endless text
    #[command(flatten)]
    pub window: WindowArgs,
}
