//! Logits against other programs: a plain double-precision forward pass (the oracle) and llama.cpp, recorded by
//! `tools/goldens/record.py`. Synthetic models are made here, by the same code and seed; trained ones are looked for.
//!
//! What is asserted for every instruction set of this machine:
//!
//! - The distance from the oracle is that of llama.cpp with the same type of keys and values, or less. Where activations are quantized both
//!   are noise of one size, so a model may exceed llama.cpp's by [`SLACK`]; the mean over all models may not, or hardly.
//! - The likeliest id is the oracle's wherever its lead is larger than that noise.
//! - Models of f32 weights agree, to [`RELATIVE`], with an oracle that rounds keys and values as the cache does.
//!
//! `cargo test --test goldens -- --nocapture` prints the comparison.

mod distance;
mod golden;
mod measure;
#[path = "../util/mod.rs"]
mod util;

use distance::Distance;
use golden::Golden;
use measure::relative;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::Model;
use siskin_simd::Isa;
use siskin_tools::{emulated, instruction_sets};
use std::path::Path;

/// How far one model's root-mean-square error may exceed llama.cpp's, which itself differs by up to a tenth between keys in f16 and in f32.
const SLACK: f64 = 1.2;
/// How far the largest error may, which is measured on four rows only.
const ROUGH: f64 = 2.0;
/// Where llama.cpp's error is above this, it is that of quantized activations.
const QUANTIZED: f64 = 0.01;
/// Errors below this, of the largest logit, are rounding of f32 arithmetic and of the six recorded digits.
const FLOOR: f64 = 5e-6;
/// Largest error of f32 models, of the row's largest logit.
const RELATIVE: f64 = 1e-4;
/// The same with keys and values in f16, where one that lies between two f16 numbers may be rounded to the other. Not
/// rounding them at all makes 7e-4 to 12e-4.
const RELATIVE_F16: f64 = 5e-4;
/// The likeliest id must agree where its lead exceeds this many times the root-mean-square error.
const CERTAIN: f64 = 8.0;

/// Types of keys and values to compare a golden with: either, on an emulated core one, in turn.
fn kv_types(golden: usize) -> &'static [KvType] {
    const TYPES: [KvType; 2] = [KvType::F32, KvType::F16];
    if emulated() { &TYPES[golden % 2..][..1] } else { &TYPES }
}

fn load(path: &Path) -> Model {
    Model::load(&Gguf::open(path).expect("the model opens")).expect("it is a model")
}

/// Compares one model on every instruction set with types of keys and values, and prints a line for each. Returns the quotients of
/// our error and llama.cpp's, where that is more than rounding.
fn compare(golden: &Golden, path: &Path, kv_types: &[KvType]) -> Vec<f64> {
    golden.check_hash(path);
    let model = load(path);
    let cases = instruction_sets().flat_map(|isa| kv_types.iter().map(move |&kv_type| (isa, kv_type)));
    cases.filter_map(|(isa, kv_type)| compare_on(golden, &model, isa, kv_type)).collect()
}

fn compare_on(golden: &Golden, model: &Model, isa: Isa, kv_type: KvType) -> Option<f64> {
    let rows = measure::forced(model, isa, kv_type, &golden.prompt, &golden.ids);
    let (ours, theirs) = (golden.distance(&rows), golden.llama_cpp.of(kv_type));
    let ratio = (theirs.rms > QUANTIZED).then(|| ours.rms / theirs.rms);
    let certain = check_argmax(golden, isa, &rows, CERTAIN * ours.rms.max(theirs.rms));
    let shown = ratio.map_or("    -".to_owned(), |ratio| format!("{ratio:5.2}"));
    println!(
        "{:20} {:12} {kv_type:?} {ours} {theirs} {shown} {certain:3}/{}",
        golden.name,
        isa.name(),
        rows.len()
    );
    check_distance(golden, isa, ours, theirs);
    check_f32(golden, isa, kv_type, &rows);
    ratio
}

/// Models of f32 weights are compared row by row.
fn check_f32(golden: &Golden, isa: Isa, kv_type: KvType, rows: &[Vec<f32>]) {
    let limit = if kv_type == KvType::F16 { RELATIVE_F16 } else { RELATIVE };
    for (row, exact) in golden.exact(kv_type) {
        let error = relative(&rows[row], exact);
        assert!(
            error < limit,
            "{} on {isa}: row {row} differs by {error:e} of its largest logit",
            golden.name
        );
    }
}

fn check_distance(golden: &Golden, isa: Isa, ours: Distance, theirs: Distance) {
    let check = |what, ours: f64, limit: f64| {
        assert!(ours <= limit, "{} on {isa}: {what} {ours:e}, at most {limit:e}", golden.name);
    };
    let floor = FLOOR * golden.largest();
    let rms = SLACK * theirs.rms + floor;
    check("root-mean-square error", ours.rms, rms);
    check("largest error", ours.max_abs, ROUGH * theirs.max_abs + floor);
    // For small errors the divergence is half their variance, weighted by probability.
    check("KL divergence", ours.kl, rms * rms);
}

/// Compares the likeliest id wherever the oracle's lead exceeds `lead`; returns at how many rows that was, at least one.
fn check_argmax(golden: &Golden, isa: Isa, rows: &[Vec<f32>], lead: f64) -> usize {
    let certain: Vec<usize> = (0..rows.len()).filter(|&row| golden.margin[row] > lead).collect();
    for &row in &certain {
        assert_eq!(measure::argmax(&rows[row]), golden.argmax[row], "{} on {isa}: row {row}", golden.name);
    }
    assert!(!certain.is_empty(), "{}: no id is certain", golden.name);
    certain.len()
}

fn print_head() {
    let column = |title: &str| format!("{title:26}");
    println!("{:37} {} {} ratio certain", "error: rms, max, KL", column("siskin"), column("llama.cpp"));
}

/// The geometric mean of quotients is at most `limit`.
fn check_mean(ratios: &[f64], limit: f64) {
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("mean ratio of the errors: {mean:.3}");
    assert!(mean <= limit, "errors are {mean:.3} times llama.cpp's on average, at most {limit}");
}

#[test]
fn synthetic_models_are_as_exact_as_in_llama_cpp() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    print_head();
    let mut ratios = Vec::new();
    for (i, golden) in Golden::all().into_iter().enumerate() {
        if let Some(model) = golden.synthetic() {
            let path = folder.path().join(&golden.name);
            model.save(&path).expect("room for a small file");
            ratios.extend(compare(&golden, &path, kv_types(i)));
        }
    }
    assert!(ratios.len() >= 20, "{} comparisons", ratios.len());
    check_mean(&ratios, 1.0);
}

/// None of these has K-quants, for which llama.cpp quantizes activations by 256: errors are of one size, and the sequence one sample.
#[test]
fn trained_models_are_as_exact_as_in_llama_cpp() {
    let Some(folder) = util::models() else { return };
    print_head();
    let mut ratios = Vec::new();
    for (i, golden) in Golden::all().into_iter().enumerate() {
        if let Some(file) = golden.file() {
            ratios.extend(compare(&golden, &folder.join(file), kv_types(i)));
        }
    }
    assert!(ratios.len() >= 4 * kv_types(0).len(), "{} comparisons", ratios.len());
    check_mean(&ratios, 1.05);
}

/// The ids of `greedy.txt`. Each is fed and must be the likeliest after those before it, which is the same as generating them.
#[test]
fn trained_models_generate_what_llama_cpp_does() {
    let Some(folder) = util::models() else { return };
    let recorded = std::fs::read_to_string(folder.join("greedy.txt")).expect("greedy.txt");
    let mut compared = 0;
    for line in recorded.lines() {
        let (name, ids) = line.split_once(' ').expect("a name and ids");
        if !["f32", "F16", "Q8_0"].contains(&name) {
            continue;
        }
        let ids: Vec<u32> = ids.split_whitespace().map(|id| id.parse().expect("an id")).collect();
        let model = load(&folder.join(format!("stories260K-{name}.gguf")));
        assert_eq!(ids.len(), 64, "{name}");
        let cases = instruction_sets().flat_map(|isa| kv_types(compared).iter().map(move |&t| (isa, t)));
        for (isa, kv_type) in cases {
            let rows = measure::forced(&model, isa, kv_type, &[1, 403, 407, 261, 378], &ids);
            let ours: Vec<u32> = rows[..64].iter().map(|row| measure::argmax(row)).collect();
            assert_eq!(ours, ids, "{name} on {isa}, {kv_type:?}");
        }
        compared += 1;
    }
    assert_eq!(compared, 3, "formats");
}

/// An independent forward pass that came with the model.
#[test]
fn f32_logits_are_those_of_the_models_own_reference() {
    let Some(folder) = util::models() else { return };
    let text = std::fs::read_to_string(folder.join("stories260K-f32.ref.json")).expect("the reference");
    let reference: golden::Reference = serde_json::from_str(&text).expect("ids and logits");
    let model = load(&folder.join("stories260K-f32.gguf"));
    for isa in instruction_sets() {
        for (row, theirs) in reference.prompt_logits.iter().enumerate() {
            let ours = measure::forced(&model, isa, KvType::F32, &reference.prompt_ids[..=row], &[]);
            let error = relative(&ours[0], theirs);
            println!("{:12} after {} tokens: {error:.1e} of the largest logit", isa.name(), row + 1);
            assert!(error < RELATIVE, "{isa}: {error:e} after {} tokens", row + 1);
        }
    }
}
