//! A tiny model of each family against llama.cpp, recorded by `tools/goldens/families.py`. The models are made here, by the same code and seed.
//!
//! With weights in F16 the logits may differ by [`NEAR`] of their standard deviation. With quantized ones siskin rounds activations and what was
//! recorded does not; distributions may diverge by [`DIVERGENCE`]. The likeliest id is the same wherever its lead is larger than the difference.
//!
//! `cargo test --test families -- --nocapture` prints the comparison.

mod branches;
#[path = "../goldens/measure.rs"]
mod measure;
mod window;

use serde::Deserialize;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::{Decoder, Error, Job, Model, Plan, arch};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::{Isa, Kernels};
use siskin_tools::emulated;
use siskin_tools::synth::{self, DeltaNet, Key, Mix, Parts, Shape};
use std::collections::HashSet;
use std::path::Path;

/// Largest difference of logits, of their standard deviation, with weights in F16.
const NEAR: f64 = 0.02;
/// Mean KL divergence with quantized weights, in nats.
const DIVERGENCE: f64 = 1e-3;

/// The likeliest id must agree where its lead exceeds this many times the largest difference of the rows that are known whole: in
/// others a token may have gone to another expert.
const CERTAIN: f64 = 4.0;

/// What llama.cpp computes with a model.
#[derive(Deserialize)]
struct Golden {
    model: Source,
    fnv1a: String,
    prompt: Vec<u32>,
    ids: Vec<u32>,
    argmax: Vec<u32>,
    margin: Vec<f64>,
    deviation: f64,
    rows: Vec<usize>,
    logits: Vec<Vec<f32>>,
}

/// How `synth` makes the model.
#[derive(Deserialize)]
struct Source {
    shape: String,
    format: String,
    seed: u64,
}

impl Golden {
    fn all() -> Vec<Golden> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
        let files = std::fs::read_dir(folder).expect("the folder of goldens");
        let paths = files.map(|file| file.expect("a golden").path());
        let mut paths: Vec<_> = paths.collect();
        paths.sort();
        let read = |path: &std::path::PathBuf| {
            let text = std::fs::read_to_string(path).expect("a golden");
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        };
        paths.iter().map(read).collect()
    }

    fn name(&self) -> String {
        format!("{} {}", self.model.shape, self.model.format)
    }

    /// Makes the model, and checks that it is the one that was recorded.
    fn load(&self, folder: &Path) -> Model {
        let Source { shape, format, seed } = &self.model;
        let path = folder.join(self.name());
        let (shape, mix) = (Shape::named(shape).expect("a shape"), Mix::named(format).expect("a format"));
        synth::Model::new(shape, mix, *seed).save(&path).expect("room for a small file");
        let hash = synth::fnv1a(&std::fs::read(&path).expect("the model"));
        assert_eq!(
            format!("{hash:016x}"),
            self.fnv1a,
            "{}: another file. If `synth` changed, record again",
            self.name()
        );
        Model::load(&Gguf::open(&path).expect("the model opens")).expect("it is a model")
    }

    /// Largest difference of the kept rows, and their mean divergence.
    fn distance(&self, rows: &[Vec<f32>]) -> (f64, f64) {
        let pairs = || self.rows.iter().map(|&row| &rows[row]).zip(&self.logits);
        let differences = pairs().flat_map(|(ours, theirs)| measure::differences(ours, theirs));
        let largest = differences.fold(0.0f64, |max, d| max.max(d.abs()));
        let divergence = pairs().map(|(ours, theirs)| measure::divergence(theirs, ours)).sum::<f64>();
        (largest, divergence / self.rows.len() as f64)
    }

    fn check(&self, isa: Isa, rows: &[Vec<f32>]) {
        let (largest, divergence) = self.distance(rows);
        let of_deviation = largest / self.deviation;
        let name = self.name();
        println!("{name:30} {:12} {of_deviation:8.1e} {divergence:8.1e}", isa.name());
        if self.model.format == "F16" {
            assert!(of_deviation <= NEAR, "{name} on {isa}: {of_deviation} of the logits' deviation");
        } else {
            assert!(divergence <= DIVERGENCE, "{name} on {isa}: divergence {divergence}");
        }
        for ((row, &argmax), &margin) in rows.iter().zip(&self.argmax).zip(&self.margin) {
            if margin > CERTAIN * largest {
                assert_eq!(measure::argmax(row), argmax, "{name} on {isa}");
            }
        }
        for (&row, theirs) in self.rows.iter().zip(&self.logits) {
            let largest = measure::differences(&rows[row], theirs).fold(0.0f64, |max, d| max.max(d.abs()));
            if self.margin[row] > 2.0 * largest {
                assert_eq!(measure::argmax(&rows[row]), self.argmax[row], "{name} on {isa}: row {row}");
            }
        }
    }

    /// Rows whose likeliest id leads by more than a difference that is allowed.
    fn leads(&self) -> usize {
        self.margin.iter().filter(|&&margin| margin > CERTAIN * NEAR * self.deviation).count()
    }
}

/// The logits after the prompt, run as one batch, and after each of `ids`, run alone.
fn forced(model: &Model, isa: Isa, prompt: &[u32], ids: &[u32]) -> Vec<Vec<f32>> {
    let cpu = Cpu { kernels: Kernels::new(isa).expect("available"), team: Team::new(2).expect("threads") };
    let (positions, threads) = (prompt.len() + ids.len(), cpu.team.threads());
    let job = Job { positions, kv_type: KvType::F32, threads, ..Job::default() };
    let mut decoder = Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu);
    decoder.forward(prompt);
    let mut rows = vec![decoder.logits(prompt.len() - 1).to_vec()];
    for &id in ids {
        decoder.forward(&[id]);
        rows.push(decoder.logits(0).to_vec());
    }
    rows
}

/// All that this machine has; of an emulated one, the best.
fn instruction_sets() -> impl Iterator<Item = Isa> {
    let emulated = emulated();
    Isa::available().filter(move |&isa| !emulated || isa == Isa::best())
}

#[test]
fn every_family_computes_what_llama_cpp_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    println!("{:43} max|d|/std  KL", "");
    let mut families = HashSet::new();
    for golden in Golden::all() {
        let model = golden.load(folder.path());
        families.insert(model.config().family);
        assert!(golden.leads() > 0, "{}: no id is certain", golden.name());
        for isa in instruction_sets() {
            golden.check(isa, &forced(&model, isa, &golden.prompt, &golden.ids));
        }
    }
    for family in arch::FAMILIES {
        assert!(families.contains(family.name), "no golden of {}", family.name);
    }
}

/// A prompt that goes through layers with windows piece by piece, or comes back to an earlier position, gives the logits of one that does not.
#[test]
fn windows_remember_enough_for_any_batch() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let golden =
        Golden::all().into_iter().find(|golden| golden.name() == "tiny-gemma3 F16").expect("a golden");
    let model = golden.load(folder.path());
    let prompt = &golden.prompt;
    let decoder = |batch: usize| {
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") };
        let job = Job { positions: prompt.len() + 8, kv_type: KvType::F32, threads: 2, ..Job::default() };
        let plan = Plan::new(&model, job).expect("it fits");
        Decoder::new(&model, &Plan { batch, ..plan }, cpu)
    };
    let last = |decoder: &mut Decoder<'_>, from: usize, step: usize| {
        for tokens in prompt[from..].chunks(step) {
            decoder.forward(tokens);
        }
        decoder.logits((prompt.len() - from - 1) % step).to_vec()
    };
    let whole = last(&mut decoder(prompt.len()), 0, prompt.len());
    let near = |other: Vec<f32>, what: &str| {
        let error = measure::relative(&other, &whole);
        assert!(error < 1e-4, "{what}: {error}");
    };
    for step in [1, 5, 7, 16] {
        near(last(&mut decoder(step), 0, step), "in pieces");
    }
    let mut again = decoder(8);
    last(&mut again, 0, 8);
    assert_eq!(again.truncate(prompt.len() - 3), prompt.len() - 3);
    near(last(&mut again, prompt.len() - 3, 3), "gone back a little");
    assert_eq!(again.truncate(4), 0, "the window has moved on");
    near(last(&mut again, 0, 8), "begun again");
}

/// A prompt that goes through delta nets piece by piece, or after another one was forgotten, gives the logits of one that does not; threads change no bit.
#[test]
fn states_go_on_with_any_batch() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let golden =
        Golden::all().into_iter().find(|golden| golden.name() == "tiny-qwen35 F16").expect("a golden");
    let model = golden.load(folder.path());
    let prompt = &golden.prompt;
    let decoder = |batch: usize, threads: usize| {
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(threads).expect("threads") };
        let job = Job { positions: prompt.len() + 8, kv_type: KvType::F32, threads, ..Job::default() };
        let plan = Plan::new(&model, job).expect("it fits");
        Decoder::new(&model, &Plan { batch, ..plan }, cpu)
    };
    let last = |decoder: &mut Decoder<'_>, step: usize| {
        prompt.chunks(step).for_each(|tokens| decoder.forward(tokens));
        decoder.logits((prompt.len() - 1) % step).to_vec()
    };
    let whole = last(&mut decoder(prompt.len(), 1), prompt.len());
    for threads in [2, 3] {
        assert_eq!(last(&mut decoder(prompt.len(), threads), prompt.len()), whole, "{threads} threads");
    }
    for step in [1, 2, 3, 5, 16] {
        let mut decoder = decoder(step, 2);
        let error = measure::relative(&last(&mut decoder, step), &whole);
        assert!(error < 1e-4, "in pieces of {step}: {error}");
        assert_eq!(decoder.truncate(prompt.len()), prompt.len(), "nothing is forgotten");
        assert_eq!(decoder.truncate(prompt.len() - 1), 0, "no token can be taken out");
        let error = measure::relative(&last(&mut decoder, step), &whole);
        assert!(error < 1e-4, "begun again, in pieces of {step}: {error}");
    }
}

/// What a shape in F16 becomes as a model.
fn made(shape: Shape) -> Result<Model, Error> {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("made.gguf");
    let mix = Mix::named("F16").expect("a format");
    synth::Model::new(shape, mix, 1).save(&path).expect("room for a small file");
    Model::load(&Gguf::open(&path).expect("the model opens"))
}

#[test]
fn draft_blocks_are_left_alone() {
    let shape = Shape::named("tiny-qwen35").expect("a shape");
    let keys = &[("nextn_predict_layers", Key::U32(1))];
    let drafting = Shape { layers: shape.layers + 1, parts: Parts { keys, ..shape.parts }, ..shape };
    let (plain, drafting) = (made(shape).expect("a model"), made(drafting).expect("a model"));
    assert_eq!(drafting.config().layers, plain.config().layers);
    let logits = |model: &Model| forced(model, Isa::best(), &[5, 6, 7], &[8]);
    assert_eq!(logits(&drafting), logits(&plain));
}

#[test]
fn delta_nets_that_do_not_fit_are_refused() {
    let shape = Shape::named("tiny-qwen35").expect("a shape");
    let refused = |keys: &'static [(&'static str, Key)], parts: Parts| {
        made(Shape { parts: Parts { keys, ..parts }, ..shape }).expect_err("a bad file").to_string()
    };
    let cases: [(&'static [(&'static str, Key)], &str); 3] = [
        (
            &[("attention.recurrent_layers", Key::List(&[1, 0, 1]))],
            "is a list of 3, expected one for each of 4 blocks",
        ),
        (&[("attention.recurrent_layers", Key::List(&[1, 1, 1, 0]))], "blk.1.ssm_conv1d.weight"),
        (&[("nextn_predict_layers", Key::U32(4))], "is 4, expected fewer than the 4 blocks"),
    ];
    for (keys, message) in cases {
        let found = refused(keys, shape.parts);
        assert!(found.contains(message), "{found}");
    }
    let net = shape.parts.delta_net.expect("it has delta nets");
    let uneven = Parts { delta_net: Some(DeltaNet { key_heads: 3, ..net }), ..shape.parts };
    let found = refused(&[], uneven);
    assert!(
        found.contains("qwen35.ssm.time_step_rank is 4, expected a multiple of the 3 key heads"),
        "{found}"
    );
}
