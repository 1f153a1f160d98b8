//! Logits against other programs: a plain double-precision forward pass (the oracle) and llama.cpp, recorded by
//! `tools/goldens/record.py`. Synthetic models are made here, by the same code and seed; trained ones are looked for.
//!
//! What is asserted for every instruction set of this machine:
//!
//! - The distance from the oracle is no larger than llama.cpp's, both with keys and values in f16. Quantized activations make both distances
//!   noise of one size, so a single model may exceed llama.cpp's by [`SLACK`], but the mean over all models may not exceed it at all.
//! - The likeliest id is the oracle's wherever its lead is larger than that noise.
//! - Models of f32 weights agree with an oracle that rounds keys and values to f16 as the cache does, to [`RELATIVE`].
//!
//! `cargo test --test goldens -- --nocapture` prints the comparison.

mod golden;
mod measure;
#[path = "../util/mod.rs"]
mod util;

use golden::Golden;
use measure::{Distance, relative};
use siskin::gguf::Gguf;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::{Isa, Kernels};
use std::path::Path;

/// How far one model's root-mean-square error may exceed llama.cpp's: its own differs by as much between keys in f16 and in f32.
const SLACK: f64 = 1.2;
/// The same for the largest error and the divergence, which are measured on four rows only and are noisier.
const ROUGH: f64 = 2.5;
/// Errors of logits below this are rounding of f32 arithmetic and of the six recorded digits.
const FLOOR: f64 = 2e-5;
/// Largest error of f32 models, of the row's largest logit.
const RELATIVE: f64 = 1e-4;
/// The same against a reference whose keys and values are not rounded to f16.
const REFERENCE: f64 = 1e-3;
/// The likeliest id must agree where its lead exceeds this many times the root-mean-square error.
const CERTAIN: f64 = 8.0;

/// The logits after the prompt, run as one batch, and after each of `ids`, run alone.
fn forced(model: &Model, isa: Isa, prompt: &[u32], ids: &[u32]) -> Vec<Vec<f32>> {
    let cpu = Cpu { kernels: Kernels::new(isa).expect("available"), team: Team::new(2).expect("threads") };
    let job = Job { positions: prompt.len() + ids.len(), threads: cpu.team.threads() };
    let mut decoder = Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu);
    decoder.forward(prompt);
    let mut rows = vec![decoder.logits(prompt.len() - 1).to_vec()];
    for &id in ids {
        decoder.forward(&[id]);
        rows.push(decoder.logits(0).to_vec());
    }
    rows
}

fn load(path: &Path) -> Model {
    Model::load(&Gguf::open(path).expect("the model opens")).expect("it is a model")
}

/// Compares one model on every instruction set and prints a line for each; the quotients of our error and llama.cpp's.
fn compare(golden: &Golden, path: &Path) -> Vec<f64> {
    golden.check_hash(path);
    let model = load(path);
    Isa::available().map(|isa| compare_on(golden, &model, isa)).collect()
}

fn compare_on(golden: &Golden, model: &Model, isa: Isa) -> f64 {
    let rows = forced(model, isa, &golden.prompt, &golden.ids);
    let (ours, theirs) = (golden.distance(&rows), golden.llama_cpp.kv_f16);
    let certain = check_argmax(golden, isa, &rows, CERTAIN * ours.rms.max(theirs.rms));
    println!(
        "{:24} {:12} {ours} {theirs} {} {:5.2} {certain:3}/{}",
        golden.name,
        isa.name(),
        golden.llama_cpp.kv_f32,
        ours.rms / theirs.rms,
        rows.len(),
    );
    check_distance(golden, isa, ours, theirs);
    if let Some(stored) = &golden.logits_kv_f16 {
        for (&row, stored) in golden.rows.iter().zip(stored) {
            let error = relative(&rows[row], stored);
            assert!(error < RELATIVE, "{} on {isa}: row {row} differs by {error:e} of its largest logit", golden.name);
        }
    }
    ours.rms / theirs.rms
}

fn check_distance(golden: &Golden, isa: Isa, ours: Distance, theirs: Distance) {
    let check = |what, ours: f64, limit: f64| {
        assert!(ours <= limit, "{} on {isa}: {what} {ours:e}, at most {limit:e}", golden.name);
    };
    check("root-mean-square error", ours.rms, SLACK * theirs.rms + FLOOR);
    check("largest error", ours.max_abs, ROUGH * theirs.max_abs + FLOOR);
    check("KL divergence", ours.kl, ROUGH * theirs.kl + FLOOR * FLOOR);
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
    println!(
        "{:24} {:12} {} {} {} ratio certain",
        "error: rms, max, KL",
        "",
        column("siskin, KV f16"),
        column("llama.cpp, KV f16"),
        column("llama.cpp, KV f32"),
    );
}

/// The geometric mean of quotients is at most one.
fn check_mean(ratios: &[f64]) {
    let mean = (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / ratios.len() as f64).exp();
    println!("mean ratio of the errors: {mean:.3}");
    assert!(mean <= 1.0, "errors are {mean:.3} times llama.cpp's on average");
}

#[test]
fn synthetic_models_are_as_exact_as_in_llama_cpp() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    print_head();
    let mut ratios = Vec::new();
    for golden in Golden::all() {
        if let Some(model) = golden.synthetic() {
            let path = folder.path().join(&golden.name);
            model.save(&path).expect("room for a small file");
            ratios.extend(compare(&golden, &path));
        }
    }
    assert!(ratios.len() >= 16, "{} comparisons", ratios.len());
    check_mean(&ratios);
}

#[test]
fn trained_models_are_as_exact_as_in_llama_cpp() {
    let Some(folder) = util::models() else { return };
    print_head();
    let mut ratios = Vec::new();
    for golden in Golden::all() {
        if let Some(file) = golden.file() {
            ratios.extend(compare(&golden, &folder.join(file)));
        }
    }
    assert!(ratios.len() >= 6, "{} comparisons", ratios.len());
    check_mean(&ratios);
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
        for isa in Isa::available() {
            let rows = forced(&model, isa, &[1, 403, 407, 261, 378], &ids);
            let ours: Vec<u32> = rows.iter().take(ids.len()).map(|row| measure::argmax(row)).collect();
            assert_eq!((ours.len(), ours), (64, ids.clone()), "{name} on {isa}");
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
    for isa in Isa::available() {
        for (row, theirs) in reference.prompt_logits.iter().enumerate() {
            let ours = forced(&model, isa, &reference.prompt_ids[..=row], &[]);
            let error = relative(&ours[0], theirs);
            println!("{:12} after {} tokens: {error:.1e} of the largest logit", isa.name(), row + 1);
            assert!(error < REFERENCE, "{isa}: {error:e} after {} tokens", row + 1);
        }
    }
}
