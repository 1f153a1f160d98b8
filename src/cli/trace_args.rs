//! The flags of `trace`: those of `generate`, and what is shown. Definitions only.

#[cfg(feature = "chat")]
use super::args::ConversationArgs;
#[cfg(feature = "grammar")]
use super::args::GrammarArgs;
use super::args::{ModelArgs, PromptArgs, RunArgs, SampleArgs, SearchArgs, StopArgs};
use clap::{Args, value_parser};
use std::path::PathBuf;

/// `siskin trace`.
#[derive(Debug, Args)]
#[command(allow_negative_numbers = true)]
pub struct Trace {
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
    /// What is shown
    #[command(flatten)]
    pub show: ShowArgs,
}

/// What a trace shows, and where.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct ShowArgs {
    /// Show the K likeliest tokens of each position
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = value_parser!(u32).range(1..=1000))]
    pub top: u32,
    /// Show the tokens of the prompt too, and how likely each was
    #[arg(long)]
    pub with_prompt: bool,
    /// Print JSON objects instead of the table, one on each line
    #[arg(long, conflicts_with = "csv")]
    pub jsonl: bool,
    /// Print comma-separated values instead of the table, a line for each candidate
    #[arg(long)]
    pub csv: bool,
    /// Write a page for the browser that shows it all, in one file, and print just the text
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
