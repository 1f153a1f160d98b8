//! `synth SHAPE FORMAT OUT`: writes a GGUF model of a real or tiny shape with seeded random weights.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use siskin_tools::synth::{Mix, Model, SHAPES, Shape, Vocab};

/// Writes a GGUF model with random weights, for measuring and testing: its text is noise.
///
/// The same shape, format, vocabulary and seed give the same bytes.
#[derive(Parser)]
#[command(after_help = shapes_help())]
struct Args {
    /// Sizes and architecture: a name from the list below
    shape: String,
    /// Format of the matrices (F32 F16 BF16, Q4_0 ... Q8_0, Q2_K ... Q6_K, IQ1_S ... IQ4_XS, TQ1_0 TQ2_0, MXFP4), a mix as llama.cpp makes it (Q4_K_M Q5_K_M),
    /// or a format for all and one for the output (Q4_0+Q6_K)
    format: String,
    /// File to write; it is replaced
    out: PathBuf,
    /// Seed of the weights
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Take the tokenizer from this GGUF file (version 3), and the vocabulary's size with it
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
}

fn shapes_help() -> String {
    let mut help = String::from("Shapes:");
    for s in SHAPES {
        let output = if s.tied { "tied" } else { "own output" };
        let heads = format!("{} heads of {} over {}", s.heads, s.head_dim, s.kv_heads);
        let sizes =
            format!("{} layers, dim {}, ff {}, {heads}, vocabulary {}", s.layers, s.dim, s.ff, s.vocab);
        help.push_str(&format!("\n  {:15} {} {sizes}, {output}", s.name, s.arch));
    }
    help
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let mut model = Model::new(Shape::named(&args.shape)?, Mix::named(&args.format)?, args.seed);
    if let Some(path) = &args.vocab {
        model = model.with_vocab(Vocab::from_file(path)?);
    }
    let bytes = save(&model, &args.out)?;
    eprintln!("{}: {:.1} MB", args.out.display(), bytes as f64 / 1e6);
    Ok(())
}

fn save(model: &Model, path: &Path) -> Result<u64, String> {
    model.save(path).map_err(|error| format!("writing {}: {error}", path.display()))
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
