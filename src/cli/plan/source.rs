//! The header of the model that is to be planned: of a file, also one that is cut off; of a pulled model; or of one on the network.

use super::super::args::Plan as Args;
use super::super::{CliError, setup};
use siskin::gguf::Gguf;
use std::path::Path;

/// A header.
pub struct Source {
    pub name: String,
    pub file: Gguf,
    pub is_remote: bool,
}

/// The model that the flags name.
pub fn open(args: &Args) -> Result<Source, CliError> {
    let Some(path) = args.file.as_ref().or(args.model.model.as_ref()) else {
        let file = setup::open(&args.model)?;
        return Ok(Source { name: file.path().display().to_string(), file, is_remote: false });
    };
    if path.exists() {
        return of_file(path);
    }
    elsewhere(path)
}

fn of_file(path: &Path) -> Result<Source, CliError> {
    let file = Gguf::open_header(path)?;
    Ok(Source { name: path.display().to_string(), file, is_remote: false })
}

/// A model of the cache, or else of the network.
#[cfg(feature = "download")]
fn elsewhere(path: &Path) -> Result<Source, CliError> {
    use siskin::download::{self, Cache, Options, Reference};
    let reference = path.to_str().filter(|text| !text.ends_with(".gguf") || text.contains(':'));
    let Some(Ok(reference)) = reference.map(Reference::parse) else { return of_file(path) };
    let cached = Cache::from_env().ok().and_then(|cache| cache.find(&reference).ok().flatten());
    if let Some(path) = cached {
        return of_file(&path);
    }
    let looked = download::look(&reference, &Options::from_env()?, &mut |_| {})?;
    Ok(Source { name: looked.name, file: looked.gguf, is_remote: true })
}

#[cfg(not(feature = "download"))]
fn elsewhere(path: &Path) -> Result<Source, CliError> {
    of_file(path)
}
