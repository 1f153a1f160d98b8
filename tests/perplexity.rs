//! `siskin perplexity`, and the library behind it, against llama.cpp's number for the built-in model (recorded by
//! `tools/goldens/perplexity.py`).

mod util;

use serde::Deserialize;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::perplexity::{Mean, Predictor, Score, score, windows};
use siskin::sample::Distribution;
use siskin::threads::Team;
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_simd::Kernels;
use std::path::Path;
use util::Siskin;

/// What llama.cpp finds.
#[derive(Deserialize)]
struct Golden {
    text: String,
    tokens_of_text: usize,
    context: usize,
    tokens: usize,
    perplexity: f64,
    error: f64,
}

fn cpu() -> Cpu {
    Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") }
}

/// What storing keys and values in blocks costs, over a part of the text; docs/src/memory.md has it for the whole.
#[test]
fn blocks_of_keys_and_values_cost_little() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/train/heldout.txt");
    let text = std::fs::read_to_string(text).expect("the text");
    let file = Gguf::open(&util::model()).expect("the model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let tokens = tokenizer.encode(&text, Encode::default());
    let cut = windows(&tokens[..1024], tokenizer.bos(), 256, None).expect("windows");
    let loss = |kv_type: KvType| {
        let mut predictor = Predictor::new(&model, cpu(), 256, kv_type).expect("it fits");
        let mut found = Score::default();
        for window in &cut {
            score(&mut predictor, None, window, &mut found).expect("the same vocabulary");
        }
        found.loss.value()
    };
    let [f16, q8_0, q4_0] = [KvType::F16, KvType::Q8_0, KvType::Q4_0].map(loss);
    println!("q8_0 {:+.3} %, q4_0 {:+.3} %", 100.0 * (q8_0 - f16).exp_m1(), 100.0 * (q4_0 - f16).exp_m1());
    assert!((q8_0 - f16).exp() <= 1.002, "{q8_0} nats, and {f16} with f16");
    assert!((q4_0 - f16).exp() <= 1.03, "{q4_0} nats, and {f16} with f16");
    assert!(q8_0 != f16 && q4_0 != f16, "stored as if nothing had been asked for");
}

#[test]
fn perplexity_is_llama_cpps() {
    if siskin_tools::emulated() {
        return eprintln!(
            "skipped: thousands of tokens take an emulated core minutes; the goldens compare its logits"
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(root.join("tests/data/perplexity.json")).expect("the golden");
    let golden: Golden = serde_json::from_str(&golden).expect("numbers");
    let text = std::fs::read_to_string(root.join(&golden.text)).expect("the text");
    let file = Gguf::open(&util::model()).expect("the model");
    let (model, tokenizer) =
        (Model::load(&file).expect("a model"), Tokenizer::from_metadata(file.metadata()));
    let tokenizer = tokenizer.expect("a tokenizer");
    let tokens = tokenizer.encode(&text, Encode::default());
    let cut =
        windows(&tokens[..golden.tokens_of_text], tokenizer.bos(), golden.context, None).expect("windows");

    let predictor = || Predictor::new(&model, cpu(), golden.context, KvType::F16).expect("it fits");
    let (mut own, mut same, mut found) = (predictor(), predictor(), Score::default());
    for window in &cut {
        score(&mut own, Some(&mut same), window, &mut found).expect("the same vocabulary");
    }
    assert_eq!(found.loss.count, golden.tokens);
    let (perplexity, error) = found.perplexity();
    // both round activations, each in its own way
    let near = |ours: f64, theirs: f64, part: f64| (ours / theirs - 1.0).abs() < part;
    assert!(near(perplexity, golden.perplexity, 0.005), "{perplexity}, expected {}", golden.perplexity);
    assert!(near(error, golden.error, 0.02), "{error}, expected {}", golden.error);
    assert_eq!((found.divergence.value(), found.same_top.value()), (0.0, 1.0), "a model beside itself");
}

/// Text that the built-in model was not trained with, and the model.
fn held_out() -> (Model, Vec<u32>) {
    let file = Gguf::open(&util::model()).expect("the model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/train/heldout.txt");
    let text = std::fs::read_to_string(path).expect("the text");
    (Model::load(&file).expect("a model"), tokenizer.encode(&text, Encode::default()))
}

fn decoder(model: &Model, positions: usize, sinks: Option<usize>) -> Decoder<'_> {
    let job = Job { positions, sinks, threads: 2, ..Job::default() };
    Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu())
}

fn loss(logits: &[f32], token: u32) -> f64 {
    let distribution = Distribution::new(logits, 0).expect("numbers");
    -f64::from(distribution.log_probability(token).expect("a probability"))
}

/// Losses of tokens behind the wrap: of endless text in a window, and of what the window holds run from the start. Of every `every`-th token.
fn wrapped(model: &Model, tokens: &[u32], (positions, sinks): (usize, usize), every: usize) -> (Mean, Mean) {
    let (mut endless, mut anew) = (decoder(model, positions, Some(sinks)), decoder(model, positions, None));
    let (mut going_on, mut from_scratch) = (Mean::default(), Mean::default());
    for (at, pair) in tokens.windows(2).enumerate() {
        endless.forward(&pair[..1]);
        let end = at + 1;
        if end <= positions || end % every > 0 {
            continue;
        }
        going_on.add(loss(endless.logits(0), pair[1]));
        anew.truncate(0);
        let held = [&tokens[..sinks], &tokens[end - (positions - sinks)..end]].concat();
        let mut last = 0;
        for batch in held.chunks(anew.max_batch()) {
            anew.forward(batch);
            last = batch.len() - 1;
        }
        from_scratch.add(loss(anew.logits(last), pair[1]));
    }
    (going_on, from_scratch)
}

/// Perplexity behind the wrap is within a tenth of that of the same window run from the start. With `SISKIN_LONG` set, over the whole text and for
/// more windows, which takes minutes; `--nocapture` prints the numbers that `docs/src/memory.md` has.
#[test]
fn a_window_that_wraps_predicts_as_well_as_one_from_the_start() {
    let (model, tokens) = held_out();
    let long = std::env::var_os("SISKIN_LONG").is_some();
    let (tokens, every) = if long { (&tokens[..], 3) } else { (&tokens[..320], 4) };
    for (positions, sinks) in [(64, 4), (128, 4), (256, 4), (256, 0), (512, 4)] {
        if tokens.len() < 4 * positions {
            continue;
        }
        let (going_on, from_scratch) = wrapped(&model, tokens, (positions, sinks), every);
        let (ours, expected) = (going_on.value().exp(), from_scratch.value().exp());
        let off = ours / expected - 1.0;
        println!("{positions} {sinks} {ours:.3} {expected:.3} {:+.2} % {}", off * 100.0, going_on.count);
        assert!(going_on.count > 60 && off.abs() < 0.1, "window {positions}: {ours}, expected {expected}");
    }
}

#[test]
fn the_command_reports_and_refuses() {
    let siskin = Siskin::new();
    let text = siskin.file("text", "The cat sat on the mat. ".repeat(20).as_bytes());
    let (text, model) = (text.to_str().expect("UTF-8"), util::model());
    let model = model.to_str().expect("UTF-8");
    let base = ["perplexity", "-m", model, "-f", text, "--context", "32"];
    let run = |rest: &[&str]| siskin.run(base.iter().chain(rest));
    let report = run(&["--json", "--kl-base", model, "--stride", "8"]).json();
    assert_eq!((report["context"].as_u64(), report["kl"].as_f64()), (Some(32), Some(0.0)));
    assert_eq!(report["tokens"].as_u64(), report["windows"].as_u64().map(|windows| windows * 8));
    assert!(report["perplexity"].as_f64().expect("a number") > 1.0);
    assert!(run(&[]).ok().starts_with("perplexity "));
    run(&["--stride", "32"]).fails(2, &["stride", "32 tokens", "1 to 31"]);
    siskin.run(["perplexity", "-m", model, "few words"]).fails(2, &["text", "Try a longer"]);
    for (context, found) in
        [("0", "context: 0 tokens"), ("1", "context: 1 tokens"), ("9999999", "model's context")]
    {
        siskin.run(["perplexity", "-m", model, "-f", text, "--context", context]).fails(2, &[found]);
    }
    siskin.run_with_stdin(["perplexity", "-m", model, "-f", "-"], b"").fails(2, &["text is empty"]);
}
