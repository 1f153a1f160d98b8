//! The test model made as large as one likes: layers whose weights are zeros in single precision stand behind its own. They add nothing to what runs
//! through the model, so it says what it always says; in a sparse file they take no disk.

use crate::util;
use siskin::gguf::{Gguf, TensorInfo};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// What tensors are aligned to, where a file does not say.
const ALIGNMENT: u64 = 32;
/// The number of the format of single precision.
const F32: u32 = 0;

/// A tensor of the file.
struct Entry {
    name: String,
    /// Number of dimensions and dimensions, as they stand behind the name.
    shape: Vec<u8>,
    elements: u64,
    /// The format's number, and where the data begins.
    format: u32,
    offset: u64,
}

impl Entry {
    /// The entry as the header has it.
    fn write(&self, header: &mut Vec<u8>) {
        header.extend_from_slice(&(self.name.len() as u64).to_le_bytes());
        header.extend_from_slice(self.name.as_bytes());
        header.extend_from_slice(&self.shape);
        header.extend_from_slice(&self.format.to_le_bytes());
        header.extend_from_slice(&self.offset.to_le_bytes());
    }
}

/// The first place where the bytes are these.
fn find(bytes: &[u8], these: &[u8]) -> usize {
    bytes.windows(these.len()).position(|window| window == these).expect("a part of the header")
}

/// Where the entry of a tensor begins.
fn entry_at(bytes: &[u8], name: &str) -> usize {
    find(bytes, &[&(name.len() as u64).to_le_bytes()[..], name.as_bytes()].concat())
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The tensors of the model, and where their data begins.
fn entries(bytes: &[u8]) -> (Vec<Entry>, u64) {
    let file = Gguf::from_vec(bytes.to_vec()).expect("the model");
    let start = file.tensors().iter().map(|tensor| tensor.offset()).min().expect("tensors");
    let entry = |tensor: &TensorInfo| {
        let name = tensor.name().to_owned();
        let at = entry_at(bytes, &name) + 8 + name.len();
        let end = at + 4 + 8 * u32_at(bytes, at) as usize;
        Entry {
            name,
            shape: bytes[at..end].to_vec(),
            elements: tensor.elements(),
            format: u32_at(bytes, end),
            offset: tensor.offset() - start,
        }
    };
    (file.tensors().iter().map(entry).collect(), start)
}

/// The tensors of a layer of zeros like the first one. Their data begins at `end`, which moves behind them.
fn zeros(entries: &[Entry], layer: u32, end: &mut u64) -> Vec<Entry> {
    let of_first = entries.iter().filter_map(|entry| Some((entry, entry.name.strip_prefix("blk.0.")?)));
    let zero = |(entry, rest): (&Entry, &str)| {
        let offset = end.next_multiple_of(ALIGNMENT);
        *end = offset + entry.elements * size_of::<f32>() as u64;
        let name = format!("blk.{layer}.{rest}");
        Entry { name, shape: entry.shape.clone(), elements: entry.elements, format: F32, offset }
    };
    of_first.map(zero).collect()
}

/// Writes the model with so many layers more at `path`, and returns the file's length.
pub fn write(path: &Path, layers: u32) -> u64 {
    let bytes = std::fs::read(util::model()).expect("the model");
    let (mut entries, start) = entries(&bytes);
    let first = entries.iter().map(|entry| entry_at(&bytes, &entry.name)).min().expect("tensors");
    let count = find(&bytes, b"llama.block_count") + "llama.block_count".len() + 4;
    let own = u32_at(&bytes, count);
    let mut end = bytes.len() as u64 - start;
    for layer in own..own + layers {
        let more = zeros(&entries, layer, &mut end);
        entries.extend(more);
    }

    let mut header = bytes[..first].to_vec();
    header[8..16].copy_from_slice(&(entries.len() as u64).to_le_bytes());
    header[count..count + 4].copy_from_slice(&(own + layers).to_le_bytes());
    entries.iter().for_each(|entry| entry.write(&mut header));
    header.resize(header.len().next_multiple_of(ALIGNMENT as usize), 0);

    let mut file = File::create(path).expect("a file");
    file.write_all(&header).expect("room for a header");
    file.write_all(&bytes[start as usize..]).expect("room for the model");
    let len = header.len() as u64 + end;
    file.set_len(len).expect("a sparse file");
    len
}
