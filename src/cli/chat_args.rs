//! The flags of `siskin chat`, and those of conversations that other commands have too: definitions only.

use super::args::ModelArgs;
#[cfg(feature = "grammar")]
use super::grammar_args::GrammarArgs;
use super::run_args::RunArgs;
use super::sample_args::SampleArgs;
use super::stop_args::StopArgs;
use super::window_args::WindowArgs;
use clap::Args;
use std::path::PathBuf;

/// `siskin chat`.
#[derive(Debug, Args)]
pub struct Chat {
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Conversation
    #[command(flatten)]
    pub conversation: ConversationArgs,
    /// Do not remember lines for the next time
    #[arg(long, help_heading = "Conversation")]
    pub no_history: bool,
    /// Go on with the conversation in this file, as /load does
    #[arg(long, value_name = "FILE", help_heading = "Conversation")]
    pub load: Option<PathBuf>,
    /// Write the conversation to this file at the end, as /save does
    #[arg(long, value_name = "FILE", help_heading = "Conversation")]
    pub save: Option<PathBuf>,
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
    /// Machine
    #[command(flatten)]
    pub run: RunArgs,
    /// Endless text
    #[command(flatten)]
    pub window: WindowArgs,
    /// Print times to stderr after each answer
    #[arg(long, help_heading = "Output")]
    pub stats: bool,
}

/// How a conversation begins, and in which format the model knows it.
#[derive(Debug, Args)]
#[command(next_help_heading = "Conversation")]
pub struct ConversationArgs {
    /// Begin the conversation with this system prompt
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Use the Jinja template in this file, or the model's template of this name [default: the model's]
    #[arg(long, value_name = "FILE|NAME")]
    pub chat_template: Option<String>,
}
