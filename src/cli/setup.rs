//! What every command that runs a model needs: the file, the kernels, the threads.

use super::CliError;
use super::args::ModelArgs;
use siskin::gguf::Gguf;
use siskin::model::{self, Model};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin_simd::{Isa, Kernels};
use std::path::Path;
use std::thread;

/// Opens the model file that the user named.
pub fn open(args: &ModelArgs) -> Result<Gguf, CliError> {
    match &args.model {
        Some(path) => open_path(path),
        None => builtin(),
    }
}

/// The built-in model, and a line that says so.
#[cfg(feature = "builtin")]
fn builtin() -> Result<Gguf, CliError> {
    super::output::message("no model given, using the built-in one. -m FILE runs another");
    Ok(siskin::builtin::open()?)
}

#[cfg(not(feature = "builtin"))]
fn builtin() -> Result<Gguf, CliError> {
    Err(CliError::Usage("no model given. Try -m FILE, or set SISKIN_MODEL".into()))
}

/// Opens a model file.
pub fn open_path(path: &Path) -> Result<Gguf, CliError> {
    Ok(Gguf::open(path)?)
}

/// The model in a file.
pub fn model(file: &Gguf) -> Result<Model, CliError> {
    Model::load(file).map_err(|error| match error {
        model::Error::Gguf(error) => error.into(),
        error => CliError::InFile { path: file.path().to_owned(), error: error.into() },
    })
}

/// The tokenizer in a file.
pub fn tokenizer(file: &Gguf) -> Result<Tokenizer, CliError> {
    Tokenizer::from_metadata(file.metadata()).map_err(|error| {
        let path = file.path().to_owned();
        CliError::InFile { path, error: error.into() }
    })
}

/// The kernels of this CPU, or the lower ones that `SISKIN_ISA` names, and a team of threads.
pub fn cpu(threads: Option<usize>) -> Result<Cpu, CliError> {
    let kernels = match std::env::var("SISKIN_ISA") {
        Ok(name) if !name.is_empty() => forced_kernels(&name)?,
        _ => Kernels::best(),
    };
    let threads = threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let team = Team::new(threads).map_err(|error| CliError::Usage(format!("--threads: {error}")))?;
    Ok(Cpu { kernels, team })
}

fn forced_kernels(name: &str) -> Result<Kernels, CliError> {
    name.parse::<Isa>()
        .and_then(Kernels::new)
        .map_err(|error| CliError::Usage(format!("SISKIN_ISA: {error}")))
}
