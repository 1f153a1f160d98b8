//! Models split over several files, named `NAME-00001-of-00003.gguf` and so on.
//!
//! The first part holds the metadata of the model; every part says in `split.no` (from 0), `split.count` and
//! `split.tensors.count` (of the whole model) where it belongs. llama.cpp's `gguf-split` writes such files.

use std::path::{Path, PathBuf};

use super::Gguf;
use super::error::{Error, ErrorKind};
use super::reader::Part;

const NO: &str = "split.no";
const COUNT: &str = "split.count";
const TENSORS: &str = "split.tensors.count";

/// A name of the form `PREFIX-00002-of-00003.gguf`.
struct PartName {
    folder: PathBuf,
    prefix: String,
    no: u32,
    count: u32,
}

impl PartName {
    /// `None` for any other name; such a file must be a whole model.
    fn parse(path: &Path) -> Option<PartName> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (rest, count) = stem.rsplit_once("-of-")?;
        let (prefix, no) = rest.rsplit_once('-')?;
        let (no, count) = (number(no)?, number(count)?);
        let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
        (1 <= no && no <= count).then(|| PartName { folder, prefix: prefix.into(), no, count })
    }

    /// The path of part `no`, from 1.
    fn path(&self, no: u32) -> PathBuf {
        self.folder.join(format!("{}-{no:05}-of-{:05}.gguf", self.prefix, self.count))
    }
}

/// Five digits.
fn number(digits: &str) -> Option<u32> {
    let five = digits.len() == 5 && digits.bytes().all(|b| b.is_ascii_digit());
    five.then(|| digits.parse().ok()).flatten()
}

/// A model that has no neighbours to look for.
pub(super) fn single(part: Part) -> Result<Gguf, Error> {
    refuse_lone_part(&part)?;
    Gguf::join(part, Vec::new())
}

/// Opens the file, and its other parts if its name says that it is one part of several.
pub(super) fn open(path: &Path, load: fn(&Path) -> Result<Part, Error>) -> Result<Gguf, Error> {
    match PartName::parse(path).filter(|name| name.count > 1) {
        None => single(load(path)?),
        // the part that was asked for first: if even that one is missing, the path is simply wrong
        Some(name) => {
            let asked = load(path)?;
            open_parts(&name, asked, load)
        }
    }
}

fn open_parts(name: &PartName, asked: Part, load: fn(&Path) -> Result<Part, Error>) -> Result<Gguf, Error> {
    let mut asked = Some(asked);
    let mut part = |no: u32| -> Result<Part, Error> {
        let part = match asked.take_if(|_| no == name.no) {
            Some(part) => part,
            None => load(&name.path(no)).map_err(|error| missing(error, name, no))?,
        };
        expect(&part, NO, u64::from(no) - 1)?;
        expect(&part, COUNT, name.count.into())?;
        Ok(part)
    };
    let first = part(1)?;
    let mut rest = Vec::new();
    for no in 2..=name.count {
        let part = part(no)?;
        same_byte_order(&first, &part)?;
        rest.push(part);
    }
    let tensors = first.tensors.len() + rest.iter().map(|part| part.tensors.len()).sum::<usize>();
    expect(&first, TENSORS, tensors as u64)?;
    Gguf::join(first, rest)
}

/// A neighbour that is not there is named as such; other failures to open it stay what they are.
fn missing(error: Error, name: &PartName, no: u32) -> Error {
    match error.kind() {
        ErrorKind::Io { source } if source.kind() == std::io::ErrorKind::NotFound => {
            Error::new(&name.path(no), ErrorKind::SplitPartMissing { no, count: name.count })
        }
        _ => error,
    }
}

fn expect(part: &Part, key: &'static str, expected: u64) -> Result<(), Error> {
    let kind = match part.metadata.u64(key)? {
        None => ErrorKind::SplitKeyMissing { key },
        Some(found) if found == expected => return Ok(()),
        Some(found) if key == TENSORS => ErrorKind::SplitTensors { found: expected, expected: found },
        Some(found) => ErrorKind::SplitMismatch { key, found, expected },
    };
    Err(Error::new(part.source.path(), kind))
}

fn same_byte_order(first: &Part, part: &Part) -> Result<(), Error> {
    let (found, expected) = (part.metadata.byte_order(), first.metadata.byte_order());
    if found == expected {
        return Ok(());
    }
    Err(Error::new(part.source.path(), ErrorKind::SplitByteOrder { found, expected }))
}

/// A renamed part: its name does not tell where the others are.
fn refuse_lone_part(part: &Part) -> Result<(), Error> {
    let count = part.metadata.u64(COUNT)?.unwrap_or(1);
    if count <= 1 {
        return Ok(());
    }
    let no = part.metadata.u64(NO)?.unwrap_or(0).saturating_add(1);
    Err(Error::new(part.source.path(), ErrorKind::SplitName { no, count }))
}
