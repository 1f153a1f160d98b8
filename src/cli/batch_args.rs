//! The flags of `siskin batch`: definitions only.

#[cfg(feature = "chat")]
use super::args::ConversationArgs;
use super::args::{ModelArgs, RunArgs, SampleArgs, StopArgs};
use clap::{Args, value_parser};
use std::path::PathBuf;

/// `siskin batch`.
#[derive(Debug, Args)]
pub struct Batch {
    /// JSON lines, `-` for stdin: each {"prompt": TEXT}, {"tokens": [ids]} or {"messages": [..]}, with options such as "max_tokens" or "seed"
    #[arg(value_name = "IN.jsonl")]
    pub input: PathBuf,
    /// Where a JSON object for each line goes, in the same order, `-` for stdout; a file that is there already is gone on with
    #[arg(value_name = "OUT.jsonl")]
    pub output: PathBuf,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Continue N prompts side by side, so that the weights are read once for all [default: 8, or as many as fit into memory]
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024))]
    pub parallel: Option<u32>,
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
    /// Machine
    #[command(flatten)]
    pub run: RunArgs,
    /// Print times and memory to stderr at the end
    #[arg(long, help_heading = "Output")]
    pub stats: bool,
}
