//! The flags for several continuations of one prompt: definitions only.

use super::sample_args::SAMPLE_FLAGS;
use clap::{Args, ValueEnum, value_parser};

/// Several continuations of which the best are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Several continuations")]
pub struct SearchArgs {
    /// Beam search: follow the N likeliest continuations side by side, instead of choosing token by token
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024))]
    #[arg(conflicts_with_all = SAMPLE_FLAGS.into_iter().chain(["best_of", "window"]))]
    pub beams: Option<u32>,
    /// Divide the log-probability of a continuation by its length to the power of A: 0 favours short ones, above 1 long ones
    #[arg(long, value_name = "A", default_value_t = 1.0, requires = "beams")]
    pub length_penalty: f32,
    /// When a beam search ends
    #[arg(long, value_name = "WHEN", value_enum, requires = "beams")]
    #[arg(default_value_t = EarlyStopArg::Likely, num_args = 0..=1, require_equals = true, default_missing_value = "full")]
    pub early_stop: EarlyStopArg,
    /// Sample N continuations side by side and keep the one with the best mean log-probability
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with = "window")]
    pub best_of: Option<u32>,
    /// Keep the best K instead of one, with a line --- between them
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1024))]
    pub num_return: u32,
}

/// `--early-stop`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EarlyStopArg {
    /// As soon as N continuations have ended
    Full,
    /// When the likeliest that goes on, were it to end now, would not be among the best
    Likely,
    /// When nothing better can come any more
    Never,
}
