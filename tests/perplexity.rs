//! `siskin perplexity`, and the library behind it, against llama.cpp's number for the built-in model and an oracle's for two models beside each
//! other (both recorded by `tools/goldens/perplexity.py`).

mod util;

use serde::Deserialize;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::perplexity::{Mean, Predictor, Score, score, windows};
use siskin::sample::Distribution;
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_tools::emulated;
use siskin_tools::synth::{self, Mix, Shape};
use std::ffi::OsStr;
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

/// What storing keys and values in blocks costs, over a part of the text; docs/src/memory.md has it for the whole.
#[test]
fn blocks_of_keys_and_values_cost_little() {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/train/heldout.txt");
    let text = std::fs::read_to_string(text).expect("the text");
    let file = Gguf::open(util::model()).expect("the model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let tokens = tokenizer.encode(&text, Encode::default());
    let (most, context) = if emulated() { (128, 128) } else { (1024, 256) };
    let cut = windows(&tokens[..most], tokenizer.bos(), context, None).expect("windows");
    let loss = |kv_type: KvType| {
        let mut predictor = Predictor::new(&model, util::cpu(2), context, kv_type).expect("it fits");
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
    if emulated() {
        return eprintln!(
            "skipped: thousands of tokens take an emulated core minutes; the goldens compare its logits"
        );
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let golden = std::fs::read_to_string(root.join("tests/data/perplexity.json")).expect("the golden");
    let golden: Golden = serde_json::from_str(&golden).expect("numbers");
    let text = std::fs::read_to_string(root.join(&golden.text)).expect("the text");
    let file = Gguf::open(util::model()).expect("the model");
    let (model, tokenizer) =
        (Model::load(&file).expect("a model"), Tokenizer::from_metadata(file.metadata()));
    let tokenizer = tokenizer.expect("a tokenizer");
    let tokens = tokenizer.encode(&text, Encode::default());
    let cut =
        windows(&tokens[..golden.tokens_of_text], tokenizer.bos(), golden.context, None).expect("windows");

    let predictor = || Predictor::new(&model, util::cpu(2), golden.context, KvType::F16).expect("it fits");
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
    let file = Gguf::open(util::model()).expect("the model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/train/heldout.txt");
    let text = std::fs::read_to_string(path).expect("the text");
    (Model::load(&file).expect("a model"), tokenizer.encode(&text, Encode::default()))
}

fn decoder(model: &Model, positions: usize, sinks: Option<usize>) -> Decoder<'_> {
    let job = Job { positions, sinks, threads: 2, ..Job::default() };
    Decoder::new(model, &Plan::new(model, job).expect("it fits"), util::cpu(2))
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
    let every = if emulated() { 36 } else { 4 };
    let (tokens, every) = if long { (&tokens[..], 3) } else { (&tokens[..320], every) };
    for (positions, sinks) in [(64, 4), (128, 4), (256, 4), (256, 0), (512, 4)] {
        if tokens.len() < 4 * positions {
            continue;
        }
        let (going_on, from_scratch) = wrapped(&model, tokens, (positions, sinks), every);
        let (ours, expected) = (going_on.value().exp(), from_scratch.value().exp());
        let off = ours / expected - 1.0;
        println!("{positions} {sinks} {ours:.3} {expected:.3} {:+.2} % {}", off * 100.0, going_on.count);
        assert!(
            going_on.count > 240 / every && off.abs() < 0.1,
            "window {positions}: {ours}, expected {expected}"
        );
    }
}

#[test]
fn the_command_reports_and_refuses() {
    let siskin = Siskin::new();
    let text = "The cat sat on the mat. ".repeat(if emulated() { 6 } else { 20 });
    let text = siskin.file("text", text.as_bytes());
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

/// What the oracle of `tools/goldens/perplexity.py`, in double precision, finds with the first of two models, beside the second.
#[derive(Deserialize)]
struct Pair {
    shapes: [String; 2],
    seed: u64,
    tokens: Vec<u32>,
    context: usize,
    scored: usize,
    perplexity: f64,
    kl: f64,
    same_top: f64,
}

impl Pair {
    fn read() -> Pair {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/perplexity_pair.json");
        serde_json::from_str(&std::fs::read_to_string(path).expect("the golden")).expect("numbers")
    }

    fn load(&self, shape: &str, folder: &Path) -> Model {
        let (path, mix) = (folder.join(shape), Mix::named("F32").expect("a format"));
        let shape = Shape::named(shape).expect("a shape");
        synth::Model::new(shape, mix, self.seed).save(&path).expect("room for a small file");
        Model::load(&Gguf::open(&path).expect("the model opens")).expect("a model")
    }
}

fn near(ours: f64, expected: f64, what: &str) {
    assert!((ours - expected).abs() <= 1e-4 * expected, "{what}: {ours}, expected {expected}");
}

/// Weights in F32, and keys and values too: what is left is rounding of single precision.
#[test]
fn two_models_are_as_far_apart_as_the_oracle_finds() {
    let (pair, folder) = (Pair::read(), tempfile::tempdir().expect("a temporary directory"));
    let [model, base] = pair.shapes.each_ref().map(|shape| pair.load(shape, folder.path()));
    let predictor = |model| Predictor::new(model, util::cpu(2), pair.context, KvType::F32).expect("it fits");
    let (mut own, mut other, mut found) = (predictor(&model), predictor(&base), Score::default());
    for window in windows(&pair.tokens, None, pair.context, None).expect("windows") {
        score(&mut own, Some(&mut other), &window, &mut found).expect("the same vocabulary");
    }
    assert_eq!((found.loss.count, found.divergence.count), (pair.scored, pair.scored));
    near(found.perplexity().0, pair.perplexity, "perplexity");
    near(found.divergence.value(), pair.kl, "divergence");
    near(found.same_top.value(), pair.same_top, "the same likeliest id");
}

/// The built-in model with its last norm made smaller, which makes its distributions flatter.
fn flatter() -> Vec<u8> {
    let file = Gguf::open(util::model()).expect("the model");
    let norm = file.tensor("output_norm.weight").expect("the last norm");
    let (start, len) = (norm.offset() as usize, norm.bytes() as usize);
    let mut bytes = std::fs::read(util::model()).expect("the model");
    for weight in bytes[start..start + len].chunks_exact_mut(4) {
        let value = f32::from_le_bytes(weight.try_into().expect("four bytes"));
        weight.copy_from_slice(&(0.75 * value).to_le_bytes());
    }
    bytes
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().fold(f64::MIN, |max, &x| max.max(f64::from(x)));
    let sum = logits.iter().map(|&x| (f64::from(x) - max).exp()).sum::<f64>().ln();
    logits.iter().map(|&x| f64::from(x) - max - sum).collect()
}

/// Logarithms of probabilities after each token. They are run as one batch, as the command does: activations of single ones are rounded otherwise.
fn log_probabilities(model: &Model, tokens: &[u32]) -> Vec<Vec<f64>> {
    let mut decoder = decoder(model, tokens.len(), None);
    assert!(decoder.max_batch() >= tokens.len());
    decoder.forward(tokens);
    (0..tokens.len()).map(|row| log_softmax(decoder.logits(row))).collect()
}

/// Perplexity of the first model in the second half of one window, and its divergence from the second, straight from their definitions.
fn by_definition(model: &Model, base: &Model, tokens: &[u32]) -> (f64, f64) {
    let (ours, theirs) = (log_probabilities(model, tokens), log_probabilities(base, tokens));
    let places = tokens.len() / 2 + 1..tokens.len();
    let count = places.len() as f64;
    let loss: f64 = places.clone().map(|at| -ours[at - 1][tokens[at] as usize]).sum();
    let divergence = |(p, q): (&f64, &f64)| p.exp() * (p - q);
    let divergences = places.map(|at| theirs[at - 1].iter().zip(&ours[at - 1]).map(divergence).sum::<f64>());
    ((loss / count).exp(), divergences.sum::<f64>() / count)
}

/// The first tokens of the text, and the text that they are.
fn window_of_text(tokenizer: &Tokenizer, tokens: &[u32]) -> String {
    let text = String::from_utf8(tokenizer.decode(&tokens[1..])).expect("whole characters");
    assert_eq!(tokenizer.encode(&text, Encode::default()), tokens);
    text
}

/// One window of text for two files that differ.
#[test]
fn the_command_compares_two_models() {
    const CONTEXT: usize = 48;
    let siskin = Siskin::new();
    let path = siskin.file("flatter.gguf", &flatter());
    let (builtin, tokens) = held_out();
    let file = Gguf::open(&path).expect("the model opens");
    let (changed, tokenizer) = (Model::load(&file), Tokenizer::from_metadata(file.metadata()));
    let (changed, tokenizer) = (changed.expect("a model"), tokenizer.expect("a tokenizer"));
    let tokens = &tokens[..CONTEXT];
    let text = siskin.file("text", window_of_text(&tokenizer, tokens).as_bytes());
    let (perplexity, kl) = by_definition(&changed, &builtin, tokens);
    assert!(kl > 0.01, "{kl}: models that hardly differ");
    let words = ["perplexity", "--json", "--context", "48", "--kv-type", "f16", "-m"].map(OsStr::new);
    let base = util::model();
    let rest = [path.as_os_str(), "-f".as_ref(), text.as_ref(), "--kl-base".as_ref(), base.as_ref()];
    let report = siskin.run(words.into_iter().chain(rest)).json();
    assert_eq!(report["windows"].as_u64(), Some(1));
    near(report["perplexity"].as_f64().expect("a number"), perplexity, "perplexity");
    near(report["kl"].as_f64().expect("a number"), kl, "divergence");
}
