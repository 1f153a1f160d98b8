//! Continues a prompt: `cargo run --release --example generate -- model.gguf "Once upon a time"`, or without a file with the built-in model.

use siskin::{Model, session::Options};
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let model = match args.next() {
        Some(path) => Model::open(path)?,
        None => Model::builtin()?,
    };
    let prompt = args.next().unwrap_or("Once upon a time".to_owned());

    let mut options = Options { max_tokens: 64, ..Options::default() };
    options.sampling.temperature = 0.8;
    options.sampling.top_k = 40;
    options.sampling.seed = 1;
    let mut session = model.session(&prompt, &options)?;
    print!("{prompt}");
    for token in session.steps() {
        let token = token?;
        print!("{}", token.text);
        io::stdout().flush()?;
        if let Some(reason) = token.stop {
            println!("\n[{reason}; {} bytes of memory]", session.plan().owned());
            break;
        }
    }
    Ok(())
}
