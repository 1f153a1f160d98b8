//! The flags of `siskin score`: definitions only.

use super::args::{KvTypeArg, LimitArgs, ModelArgs};
use clap::Args;
use std::path::PathBuf;

/// `siskin score`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("text").required(true).args(["file", "choice"])))]
pub struct Score {
    /// File with the text, `-` for stdin; with --choices, each of its lines is a continuation
    pub file: Option<PathBuf>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// What the text follows; it has no score
    #[arg(short, long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Read that from a file
    #[arg(long, value_name = "FILE", conflicts_with = "prompt")]
    pub prompt_file: Option<PathBuf>,
    /// Compare the lines of FILE: print the likeliest continuation of the prompt first
    #[arg(long, requires = "file")]
    pub choices: bool,
    /// A continuation to compare; given several times
    #[arg(long, value_name = "TEXT")]
    pub choice: Vec<String>,
    /// Divide the log-probabilities of continuations by their numbers of tokens or of bytes
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = Normalize::None)]
    pub normalize: Normalize,
    /// Read special tokens such as <|im_start|> as tokens, not as text
    #[arg(long)]
    pub special: bool,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Memory
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What log-probabilities are divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Normalize {
    /// Nothing
    None,
    /// Tokens
    Tokens,
    /// Bytes of UTF-8
    Bytes,
}
