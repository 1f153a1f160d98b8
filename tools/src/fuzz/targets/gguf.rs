//! The reader of model files. An input is a file.

use super::SOME_MEMORY;
use crate::fuzz::{Target, seeds};
use crate::meter;
use siskin::gguf::{Gguf, Metadata, Value};

/// Files: no panic, memory of at most twice the file, and a file that opened can be read wholly.
pub const GGUF: Target = Target {
    name: "gguf",
    run,
    seeds: seeds::files,
    words: &["GGUF", "general.alignment", "split.count", "split.no", "general.architecture"],
    memory: |_| SOME_MEMORY,
};

/// What opening takes whatever the file: a path, a message, a handle. (Tables of nothing but the smallest possible entries take more than twice
/// their bytes; `tests/gguf/random.rs` has their limit.)
const FIXED: usize = 2048;

fn run(bytes: Vec<u8>) {
    let len = bytes.len();
    let (opened, peak) = meter::peak(|| Gguf::from_vec(bytes));
    assert!(peak <= 2 * len + FIXED, "{peak} bytes taken for a file of {len}");
    match opened {
        Ok(file) => visit(&file),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Reads all that a file offers.
pub fn visit(file: &Gguf) {
    for tensor in file.tensors() {
        assert_eq!(file.bytes(tensor).len() as u64, tensor.bytes());
        assert!(tensor.offset() + tensor.bytes() <= file.file_bytes());
        assert!(file.tensor(tensor.name()).is_some_and(|found| found.offset() == tensor.offset()));
        assert_eq!(tensor.rows() * tensor.cols(), tensor.elements());
    }
    for (key, value) in file.metadata().iter() {
        ask(file.metadata(), key);
        visit_value(value, 0);
    }
}

fn ask(metadata: &Metadata, key: &str) {
    let _ = (metadata.u32(key), metadata.u64(key), metadata.i64(key), metadata.f32(key));
    let _ = (metadata.bool(key), metadata.str(key), metadata.array(key));
}

fn visit_value(value: Value<'_>, depth: u32) {
    let Value::Array(array) = value else { return };
    assert!(depth < 4);
    let _ = (array.f32s(), array.i32s());
    if let Ok(mut texts) = array.strs() {
        assert!(texts.all(|text| text.is_ok()));
    }
    let mut values = 0;
    for value in array.iter() {
        values += 1;
        value.into_iter().for_each(|value| visit_value(value, depth + 1));
    }
    assert_eq!(values, array.len());
}
