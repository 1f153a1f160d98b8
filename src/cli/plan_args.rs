//! The command line of `siskin plan`: definitions only.

use super::args::ModelArgs;
use super::run_args::KvTypeArg;
use super::window_args::WindowArgs;
use clap::{Args, value_parser};
use siskin::memory::Size;
use std::path::PathBuf;

/// `siskin plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// GGUF file, also one that is not whole yet; or a model of the cache or the network: OWNER/REPO:QUANT or a URL
    pub file: Option<PathBuf>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt [default: 256, or the context if that is less]
    #[arg(short, long, value_name = "N")]
    pub prompt: Option<usize>,
    /// Tokens to generate
    #[arg(short = 'n', long, visible_alias = "max-length", value_name = "N", default_value_t = 256)]
    #[arg(conflicts_with = "window")]
    pub max_tokens: usize,
    /// Tokens of prompt and answer together, as of a conversation [default: those of --prompt and --max-tokens]
    #[arg(long, value_name = "N", conflicts_with = "max_tokens")]
    pub context: Option<usize>,
    /// Endless text
    #[command(flatten)]
    pub window: WindowArgs,
    /// Continuations that are followed at once
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with = "window")]
    pub beams: Option<u32>,
    /// Continuations that are sampled at once
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with_all = ["window", "beams"])]
    pub best_of: Option<u32>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory that may be allocated, such as 512M or 1.5G; mapped weights do not count
    #[arg(long, value_name = "SIZE")]
    pub mem_limit: Option<Size>,
    /// With the model's file read into memory, instead of mapped
    #[arg(long)]
    pub no_mmap: bool,
    /// Say how much of the weights could be locked in memory
    #[arg(long)]
    pub lock: bool,
    /// Do not read memory for a moment to estimate the speed
    #[arg(long)]
    pub no_probe: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
