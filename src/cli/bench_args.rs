//! The command line of `siskin bench`: definitions only.

use super::args::ModelArgs;
use super::run_args::{KvTypeArg, LimitArgs};
use clap::Args;

/// `siskin bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt
    #[arg(short, long, value_name = "N", default_value_t = 256)]
    pub prompt: usize,
    /// Tokens to generate after it
    #[arg(short = 'n', long, value_name = "N", default_value_t = 32)]
    pub max_tokens: usize,
    /// Tokens that are in the context before
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub depth: usize,
    /// Repetitions, after one that is not counted
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    pub repetitions: usize,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Threads for the prompt [default: as --threads]
    #[arg(long, value_name = "N")]
    pub prefill_threads: Option<usize>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Memory
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Print one JSON object
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print a line of names and a line of values for each repetition
    #[arg(long)]
    pub csv: bool,
}
