//! The command line of `siskin perplexity`: definitions only.

use super::args::{KvTypeArg, LimitArgs, ModelArgs};
use clap::Args;
use std::path::PathBuf;

/// `siskin perplexity`.
#[derive(Debug, Args)]
pub struct Perplexity {
    /// Text to predict
    pub text: Option<String>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Read the text from a file, `-` for stdin
    #[arg(short, long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Tokens of a window [default: 512, or the model's context]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// Begin a window every N tokens and count its last N, instead of windows one after the other with the second half counting
    #[arg(long, value_name = "N")]
    pub stride: Option<usize>,
    /// Another model with the same vocabulary: report the divergence from its predictions too
    #[arg(long, value_name = "FILE")]
    pub kl_base: Option<PathBuf>,
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
