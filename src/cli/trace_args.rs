//! The flags of `trace`: those of `generate`, and what is shown. Definitions only.

use super::ask_args::AskArgs;
use clap::{Args, value_parser};
use std::path::PathBuf;

/// `siskin trace`.
#[derive(Debug, Args)]
pub struct Trace {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
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
    /// Write a page for the browser that shows it all, in one file (- for stdout), and print just the text
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
