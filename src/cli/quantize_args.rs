//! The command line of `siskin quantize`: definitions only.

use clap::Args;
use siskin::quantize::{Recipe, names};
use std::path::PathBuf;

/// `siskin quantize`.
#[derive(Debug, Args)]
pub struct Quantize {
    /// Model with F32, F16 or BF16 weights (of a split model, any part)
    pub input: PathBuf,
    /// File to write; one that exists is replaced when the new one is whole
    pub output: PathBuf,
    #[arg(help = format!("Format or mix of formats: {}", names()))]
    #[arg(value_parser = recipe)]
    pub format: Recipe,
    /// Every matrix in the same format, instead of more bits for those that need them
    #[arg(long)]
    pub pure: bool,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

fn recipe(name: &str) -> Result<Recipe, String> {
    let known = Recipe::named(name);
    known.ok_or_else(|| format!("expected one of {}", names()))
}
