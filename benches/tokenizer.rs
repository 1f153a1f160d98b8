//! Speed of the tokenizers, in megabytes of text a second on one core: every vocabulary of `SISKIN_VOCAB` (or else
//! `../shared/vocab`), and WordPiece and Unigram made from the one of qwen2. Fails where one is slower than 10 MB/s, or where four times as much
//! of one letter takes more than eight times as long.
//!
//! `cargo bench --bench tokenizer [NAME]`. The text is this repository's own; `SISKIN_TEXT` names another file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use siskin::gguf::Gguf;
use siskin::tokenizer::{Encode, Tokenizer};

/// What is asked for, in MB/s.
const REQUIRED: f64 = 10.0;
/// How much slower a byte may be in a text that is four times as long, which then takes eight times as long: caches are smaller than texts, but
/// time must be linear. If it grew with the square, a byte would be four times as slow.
const SLOWER: f64 = 2.0;
const PLAIN: Encode = Encode { add_special: false, parse_special: false };

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-')).unwrap_or_default();
    let text = text();
    let mut slow = Vec::new();
    println!(
        "{:<16}{:>9}{:>8} | 1 and 4 MB of: {:>8}{:>14}{:>14}",
        "vocabulary", "tokens", "text", "a", "blank", "\\n"
    );
    for (name, tokenizer) in tokenizers().into_iter().filter(|entry| entry.0.contains(&only)) {
        let rates = std::iter::once(rate(&tokenizer, &text)).chain(
            ["a", " ", "\n"]
                .iter()
                .flat_map(|unit| [1, 4].map(|mb| rate(&tokenizer, &unit.repeat(mb << 20)))),
        );
        let rates: Vec<f64> = rates.collect();
        let shown: Vec<String> = rates[1..].iter().map(|rate| format!("{rate:>7.1}")).collect();
        println!("{name:<16}{:>9}{:>8.1} | {:>15}{}", tokenizer.len(), rates[0], "", shown.concat());
        let linear = rates[1..].chunks_exact(2).all(|pair| pair[0] < SLOWER * pair[1]);
        slow.extend((rates[0] < REQUIRED || !linear).then_some(name));
    }
    if !slow.is_empty() {
        eprintln!("slower than {REQUIRED} MB/s, or not linear: {}", slow.join(", "));
        std::process::exit(1);
    }
}

/// The best of three runs, in MB/s.
fn rate(tokenizer: &Tokenizer, text: &str) -> f64 {
    let seconds = || {
        let start = Instant::now();
        std::hint::black_box(tokenizer.encode(std::hint::black_box(text), PLAIN));
        start.elapsed().as_secs_f64()
    };
    text.len() as f64 / 1e6 / (0..3).map(|_| seconds()).fold(f64::MAX, f64::min)
}

/// A text of many words: sources and documents of this repository.
fn text() -> String {
    if let Some(path) = std::env::var_os("SISKIN_TEXT") {
        return std::fs::read_to_string(path).expect("SISKIN_TEXT names a text file");
    }
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR"))];
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of the repository") {
            let path = entry.expect("an entry").path();
            let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "md") {
                text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    text
}

fn tokenizers() -> Vec<(String, Tokenizer)> {
    let folder = std::env::var_os("SISKIN_VOCAB").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vocab"));
    let Ok(entries) = std::fs::read_dir(&folder) else {
        println!("no vocabularies at {}", folder.display());
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "gguf"));
    paths.sort();
    let load = |path: &PathBuf| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().replace("ggml-vocab-", "");
        (name, tokenizer(Gguf::open(path).expect("a vocabulary")))
    };
    let mut found: Vec<(String, Tokenizer)> = paths.iter().map(load).collect();
    if let Some((_, model)) = found.iter().find(|entry| entry.0 == "qwen2") {
        let pieces = pieces(model);
        let others = ["bert", "t5"].map(|kind| (kind.to_string(), tokenizer(file(kind, &pieces))));
        found.extend(others);
    }
    found
}

fn tokenizer(file: Gguf) -> Tokenizer {
    Tokenizer::from_metadata(file.metadata()).expect("a tokenizer")
}

/// The texts of a byte-level vocabulary, `▁` for a blank; those that are no text are left out.
fn pieces(model: &Tokenizer) -> Vec<String> {
    let piece = |id| {
        let mut bytes = Vec::new();
        model.piece(id, &mut bytes);
        String::from_utf8(bytes).ok().filter(|text| !text.is_empty()).map(|text| text.replace(' ', "▁"))
    };
    let mut seen = std::collections::HashSet::from(["<unk>".to_string()]);
    (0..model.len() as u32).filter_map(piece).filter(|text| seen.insert(text.clone())).collect()
}

/// A file with these tokens after an unknown one, their scores falling as the logarithm of their place.
fn file(kind: &str, pieces: &[String]) -> Gguf {
    let string = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let head = |code: u32| [&code.to_le_bytes()[..], &(pieces.len() as u64 + 1).to_le_bytes()].concat();
    let texts = std::iter::once("<unk>").chain(pieces.iter().map(String::as_str));
    let scores = (0..=pieces.len()).flat_map(|place| (-(place as f32 + 2.0).ln()).to_le_bytes());
    let tokens = [head(8), texts.flat_map(string).collect()].concat();
    let entries = [
        ("tokenizer.ggml.model", 8u32, string(kind)),
        ("tokenizer.ggml.tokens", 9, tokens),
        ("tokenizer.ggml.scores", 9, [head(6), scores.collect()].concat()),
        ("tokenizer.ggml.unknown_token_id", 4, 0u32.to_le_bytes().to_vec()),
    ];
    let mut bytes = [b"GGUF".as_slice(), &3u32.to_le_bytes(), &0u64.to_le_bytes()].concat();
    bytes.extend((entries.len() as u64).to_le_bytes());
    for (key, code, value) in entries {
        bytes.extend([string(key), code.to_le_bytes().to_vec(), value].concat());
    }
    Gguf::from_vec(bytes).expect("a file")
}
