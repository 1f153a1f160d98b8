//! What a grammar costs with a vocabulary of 152,000 tokens (qwen2 of `SISKIN_VOCAB`, or else `../shared/vocab`): resident memory before and after,
//! and the time of the masks of two JSON texts, of which the second finds what the first has
//! computed. Fails where it takes 40 MB or more.
//!
//! `cargo bench --bench grammar`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use siskin::gguf::Gguf;
use siskin::grammar::{Constraint, Grammar, Vocabulary};
use siskin::tokenizer::{Encode, TokenId, Tokenizer};

/// What it may take, in bytes.
const MOST: u64 = 40_000_000;
const SCHEMA: &str = r#"{"type": "object", "properties": {
    "title": {"type": "string", "maxLength": 60},
    "year": {"type": "integer", "minimum": 1900, "maximum": 2100},
    "rating": {"type": "number"},
    "authors": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "alive": {"type": "boolean"}},
        "required": ["name", "alive"], "additionalProperties": false}, "maxItems": 4},
    "kind": {"enum": ["novel", "poem", "play", "essay"]}},
    "required": ["title", "year", "rating", "authors", "kind"], "additionalProperties": false}"#;

const TEXT: &str = r#"{"title": "The Master and Margarita", "year": 1967, "rating": 4.75, "authors": [{"name": "Mikhail Bulgakov", "alive": false}, {"name": "Ein Freund", "alive": true}], "kind": "novel"}"#;

fn main() {
    let Some(tokenizer) = tokenizer() else {
        println!("skipped: no vocabulary of qwen2");
        return;
    };
    let before = resident();
    let start = Instant::now();
    let vocabulary = Vocabulary::new(&tokenizer).expect("a vocabulary");
    let made = start.elapsed();
    let start = Instant::now();
    let first = Constraint::new(&Grammar::json_schema(SCHEMA), &vocabulary).expect("a schema");
    println!("{} tokens: vocabulary {made:.1?}, schema {:.1?}", tokenizer.len(), start.elapsed());
    println!("planned {:.1} MB", vocabulary.bytes() as f64 / 1e6);
    let text = tokenizer.encode(TEXT, Encode { add_special: false, parse_special: false });
    for (name, constraint) in [("first", first.clone()), ("second", first)] {
        let mut times = Vec::new();
        walk(constraint, &text, &mut times);
        times.sort_by(f64::total_cmp);
        let (count, mean) = (times.len(), times.iter().sum::<f64>() / times.len() as f64);
        let (median, longest) = (times[count / 2], times[count - 1]);
        println!(
            "{name} text, {count} masks: median {median:.0} us, mean {mean:.0} us, longest {longest:.0} us"
        );
    }
    let taken = resident().saturating_sub(before);
    println!(
        "resident {:.1} MB more, at the peak {:.1} MB",
        taken as f64 / 1e6,
        peak().saturating_sub(before) as f64 / 1e6
    );
    assert!(taken < MOST, "{taken} bytes, at most {MOST}");
}

/// Goes through a text. Adds the times of its masks, in microseconds.
fn walk(mut constraint: Constraint, tokens: &[TokenId], times: &mut Vec<f64>) {
    for &token in tokens {
        let start = Instant::now();
        constraint.mask().expect("a mask");
        times.push(start.elapsed().as_secs_f64() * 1e6);
        constraint.accept(token).expect("an allowed token");
    }
    assert!(constraint.is_over());
}

fn tokenizer() -> Option<Tokenizer> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vocab");
    let folder = std::env::var_os("SISKIN_VOCAB").map_or(beside, PathBuf::from);
    let file = Gguf::open(folder.join("ggml-vocab-qwen2.gguf")).ok()?;
    Some(Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"))
}

/// A line of `/proc/self/status`, in bytes; 0 where there is none.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or_default() * 1024
}

fn resident() -> u64 {
    status("RssAnon:")
}

fn peak() -> u64 {
    status("VmHWM:").saturating_sub(status("RssFile:"))
}
