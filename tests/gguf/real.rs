//! Real files made by llama.cpp: every one opens, and says what is known about it.

use std::path::{Path, PathBuf};

use siskin::gguf::{GgmlType, Gguf, Value, ValueType};

/// The folder of shared test data, or a printed skip; a failure when the data is required.
pub fn shared(variable: &str, folder: &str) -> Option<PathBuf> {
    let fallback = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared").join(folder);
    let path = std::env::var_os(variable).map_or_else(fallback, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    let required = std::env::var("SISKIN_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|word| word == "shared"), "{} is required and missing", path.display());
    eprintln!("skipped: no {}", path.display());
    None
}

pub fn gguf_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|end| end == "gguf")).collect();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_vocabulary_opens_and_its_tokens_can_be_read() {
    let Some(folder) = shared("SISKIN_VOCAB", "vocab") else { return };
    for path in gguf_files(&folder) {
        let model = Gguf::open(&path).unwrap();
        assert!(model.tensors().is_empty());
        assert_eq!(model.file_bytes(), path.metadata().unwrap().len());
        let tokens = model.metadata().array("tokenizer.ggml.tokens").unwrap().unwrap();
        assert_eq!(tokens.element_type(), ValueType::Str);
        assert_eq!(tokens.strs().unwrap().map(Result::unwrap).count(), tokens.len());
        assert!(model.metadata().iter().all(|(key, _)| model.metadata().get(key).is_some()));
        // the last array ends where the file ends, so every length before was right
        assert!(tokens.iter().all(|token| matches!(token, Ok(Value::Str(_)))), "{}", path.display());
        let types = model.metadata().array("tokenizer.ggml.token_type").unwrap().unwrap().i32s().unwrap();
        assert_eq!(types.len(), tokens.len());
    }
}

#[test]
fn the_vocabularies_have_their_known_sizes() {
    let Some(folder) = shared("SISKIN_VOCAB", "vocab") else { return };
    for (name, tokens) in
        [("llama-bpe", 128_256), ("llama-spm", 32_000), ("gpt-2", 50_257), ("gemma-4", 262_144)]
    {
        let model = Gguf::open(folder.join(format!("ggml-vocab-{name}.gguf"))).unwrap();
        assert_eq!(model.metadata().array("tokenizer.ggml.tokens").unwrap().unwrap().len(), tokens, "{name}");
    }
}

#[test]
fn every_model_opens_mapped_and_read_with_the_same_bytes() {
    let Some(folder) = shared("SISKIN_MODELS", "models") else { return };
    for path in gguf_files(&folder) {
        let (mapped, read) = (Gguf::open(&path).unwrap(), Gguf::read(&path).unwrap());
        mapped.require_native().unwrap();
        assert_eq!(mapped.tensors().len(), 47);
        assert_eq!(mapped.metadata().u32("llama.embedding_length").unwrap(), Some(64));
        let elements: u64 = mapped.tensors().iter().map(|tensor| tensor.elements()).sum();
        assert_eq!(elements, 260_032);
        for tensor in mapped.tensors() {
            let other = read.tensor(tensor.name()).unwrap();
            assert_eq!(*mapped.bytes(tensor), *read.bytes(other));
            assert_eq!(tensor.bytes(), mapped.bytes(tensor).len() as u64);
            assert_eq!(tensor.offset() % 32, 0);
        }
        let last = mapped.tensors().iter().map(|tensor| tensor.offset() + tensor.bytes()).max().unwrap();
        assert!(mapped.file_bytes() - last < 32, "the last tensor ends where the file ends");
    }
}

#[test]
fn the_f32_model_has_plausible_norms() {
    let Some(folder) = shared("SISKIN_MODELS", "models") else { return };
    let model = Gguf::open(folder.join("stories260K-f32.gguf")).unwrap();
    let norm = model.tensor("output_norm.weight").unwrap();
    assert_eq!((norm.ty(), norm.dims(), norm.rows()), (GgmlType::F32, &[64u64][..], 1));
    let bytes = model.bytes(norm);
    let values = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    assert!(values.into_iter().all(|x| x.abs() > 1e-3 && x.abs() < 100.0));
    let embedding = model.tensor("token_embd.weight").unwrap();
    assert_eq!((embedding.dims(), embedding.cols(), embedding.rows()), (&[64u64, 512][..], 64, 512));
}
