//! A tiny model of each family against llama.cpp, recorded by `tools/goldens/families.py`. The models are made here, by the same code and seed.
//!
//! What is recorded is computed from the weights written out as floats. What is asserted for every instruction set of this machine, over all
//! rows (the logits after the prompt, and after each of the ids that llama.cpp goes on with):
//!
//! - With weights in F16 logits differ by at most [`NEAR`] of their standard deviation.
//! - With quantized ones, where activations are rounded, distributions diverge by at most [`DIVERGENCE`], and by no more than those of llama.cpp
//!   running the same file do, apart from [`slack`].
//! - The likeliest id is the recorded one wherever its lead is larger than the row's largest difference; there are such rows.
//!
//! `cargo test --test families -- --nocapture` prints the comparison.

mod branches;
mod golden;
#[path = "../goldens/measure.rs"]
mod measure;
mod window;

use golden::{Distance, Divergence, Golden};
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::{Decoder, Error, Job, Model, Plan, arch};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::{Isa, Kernels};
use siskin_tools::synth::{self, DeltaNet, Key, Kinds, Mix, Parts, Shape};
use siskin_tools::{emulated, instruction_sets};
use std::collections::HashSet;

/// Largest difference of logits, of their standard deviation, with weights in F16.
const NEAR: f64 = 0.02;
/// Mean KL divergence with quantized weights, in nats.
const DIVERGENCE: f64 = 1e-3;

/// How far the mean divergence may exceed llama.cpp's, which rounds activations by 256 values for K-quants and by 32, as is done here, for others.
fn slack(format: &str) -> f64 {
    if format == "Q4_K_M" { 1.0 } else { 1.2 }
}

/// Compares a model with what was recorded, on one instruction set.
fn check(golden: &Golden, isa: Isa, rows: &[Vec<f32>]) {
    let distances = golden.distances(rows);
    let largest = distances.iter().fold(0.0f64, |max, row| max.max(row.largest));
    let of_deviation = largest / golden.deviation;
    let ours = summary(&distances);
    print_line(golden, isa, of_deviation, ours, certain(&distances).count());
    let at = format!("{} on {isa}", golden.name);
    match golden.llama_cpp {
        None => assert!(of_deviation <= NEAR, "{at}: {of_deviation} of the logits' deviation"),
        Some(theirs) => check_divergence(&at, ours.mean, slack(&golden.model.format) * theirs.mean),
    }
    check_likeliest(&at, &distances);
}

fn summary(distances: &[Distance]) -> Divergence {
    let each = || distances.iter().map(|row| row.divergence);
    Divergence { mean: each().sum::<f64>() / distances.len() as f64, worst: each().fold(0.0, f64::max) }
}

fn check_divergence(at: &str, mean: f64, theirs: f64) {
    assert!(mean <= DIVERGENCE, "{at}: divergence {mean}");
    assert!(mean <= theirs, "{at}: divergence {mean}, at most {theirs}, llama.cpp's");
}

/// The rows whose likeliest id leads by more than they differ, by number.
fn certain(distances: &[Distance]) -> impl Iterator<Item = (usize, &Distance)> {
    distances.iter().enumerate().filter(|(_, row)| row.lead > row.largest)
}

fn check_likeliest(at: &str, distances: &[Distance]) {
    assert!(certain(distances).count() > 0, "{at}: no id is certain");
    for (row, distance) in certain(distances) {
        assert!(distance.same_top, "{at}: row {row}");
    }
}

fn print_head() {
    println!("{:43}max|d|/std  certain    KL: mean   worst   llama.cpp's mean, worst", "");
}

fn print_line(golden: &Golden, isa: Isa, of_deviation: f64, ours: Divergence, certain: usize) {
    let show = |of: Divergence| format!("{:8.1e} {:8.1e}", of.mean, of.worst);
    let (name, rows) = (&golden.name, golden.rows.len());
    let theirs = golden.llama_cpp.map_or(String::new(), show);
    println!(
        "{name:29} {:12} {of_deviation:8.1e}   {certain:3}/{rows}   {}   {theirs}",
        isa.name(),
        show(ours)
    );
}

/// The original context of tiny-longrope.
const LONG_ROPE_FROM: usize = 32;

#[test]
fn every_family_computes_what_llama_cpp_does() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    print_head();
    let mut families = HashSet::new();
    let is_small = |name: &str| name.starts_with("narrow-") || name == "tiny-llama3-F16";
    let is_slow = |golden: &Golden| emulated() && golden.model.format == "F16" && !is_small(&golden.name);
    for golden in Golden::all().into_iter().filter(|golden| !is_slow(golden)) {
        let model = golden.load(folder.path());
        families.insert(model.config().family);
        assert_eq!(golden.llama_cpp.is_some(), golden.model.format != "F16", "{}", golden.name);
        for isa in instruction_sets() {
            check(&golden, isa, &measure::forced(&model, isa, KvType::F32, &golden.prompt, &golden.ids));
        }
    }
    for family in arch::FAMILIES {
        assert!(families.contains(family.name), "no golden of {}", family.name);
    }
}

/// The prompts of tiny-longrope are on either side of its original context, and the other side's factors give other logits.
#[test]
fn both_branches_of_long_rope_are_recorded() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let (short, long) = (Golden::named("tiny-longrope-short-F16"), Golden::named("tiny-longrope-F16"));
    assert!(short.prompt.len() + short.ids.len() <= LONG_ROPE_FROM && long.prompt.len() > LONG_ROPE_FROM);
    let model = short.load(folder.path());
    let room = LONG_ROPE_FROM + 1 - short.prompt.len();
    let ids: Vec<u32> = short.ids.iter().copied().cycle().take(room).collect();
    let rows = measure::forced(&model, Isa::best(), KvType::F32, &short.prompt, &ids);
    let distances = short.distances(&rows[..short.rows.len()]);
    let largest = distances.iter().fold(0.0f64, |max, row| max.max(row.largest));
    assert!(largest > 5.0 * NEAR * short.deviation, "{largest}");
}

/// A prompt that goes through layers with windows piece by piece, or comes back to an earlier position, gives the logits of one that does not.
#[test]
fn windows_remember_enough_for_any_batch() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    // gemma 2 has fewer layers
    let names: &[&str] =
        if emulated() { &["tiny-gemma2-F16"] } else { &["tiny-gemma3-F16", "tiny-gemma4-e-F16"] };
    for name in names {
        let golden = Golden::named(name);
        remembers_enough(&golden, &golden.load(folder.path()));
    }
}

fn remembers_enough(golden: &Golden, model: &Model) {
    let prompt = &golden.prompt;
    let decoder = |batch: usize| {
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("threads") };
        let job = Job { positions: prompt.len() + 8, kv_type: KvType::F32, threads: 2, ..Job::default() };
        let plan = Plan::new(model, job).expect("it fits");
        Decoder::new(model, &Plan { batch, ..plan }, cpu)
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
        assert!(error < 1e-4, "{}, {what}: {error}", golden.name);
    };
    let steps: &[usize] = if emulated() { &[7] } else { &[1, 5, 7, 16] };
    for &step in steps {
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
    let golden = Golden::named("tiny-qwen35-F16").shortened();
    let model = golden.model(folder.path());
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
    let steps: &[usize] = if emulated() { &[3] } else { &[1, 2, 3, 5, 16] };
    for &step in steps {
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
    let logits = |model: &Model| measure::forced(model, Isa::best(), KvType::F32, &[5, 6, 7], &[8]);
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

/// A table with a row for each token is no matrix that a token reads: one row of it is.
#[test]
fn a_token_reads_a_row_of_what_layers_have_for_themselves() {
    let model = made(Shape::named("tiny-gemma4-e").expect("a shape")).expect("a model");
    let (weights, layers, width) = (model.weights(), 4, 256);
    let table = weights.per_layer.as_ref().expect("it has one").table.view();
    assert_eq!((table.rows(), table.cols()), (weights.vocabulary(), layers * width));
    let used: usize = weights.in_order_of_use().iter().map(|bytes| bytes.len()).sum();
    assert_eq!(weights.bytes_per_token(), used + layers * width * 2);
}

/// Files may have keys and values of layers that look up those of others.
#[test]
fn projections_that_nothing_uses_are_left_alone() {
    let shape = Shape::named("tiny-gemma4-e").expect("a shape");
    let kinds = shape.parts.kinds.map(|kinds| Kinds { spare: false, ..kinds });
    let (full, lean) = (made(shape), made(Shape { parts: Parts { kinds, ..shape.parts }, ..shape }));
    let (full, lean) = (full.expect("a model"), lean.expect("a model"));
    assert_eq!(full.weights().bytes_per_token(), lean.weights().bytes_per_token());
    let logits = |model: &Model| measure::forced(model, Isa::best(), KvType::F32, &[5, 6, 7], &[8]);
    assert_eq!(logits(&full), logits(&lean));
}

#[test]
fn layers_of_two_kinds_that_do_not_fit_are_refused() {
    let shape = Shape::named("tiny-gemma4").expect("a shape");
    let kinds = shape.parts.kinds.expect("two kinds");
    let refused = |kinds: Option<Kinds>| {
        let parts = Parts { kinds, ..shape.parts };
        made(Shape { parts, ..shape }).expect_err("a bad file").to_string()
    };
    let cases = [
        (None, "gemma4.attention.sliding_window_pattern' is missing"),
        (
            Some(Kinds { storing: 1, ..kinds }),
            "shared_kv_layers is 3, expected a layer before these for each kind",
        ),
        (Some(Kinds { kv_heads: 3, ..kinds }), "head_count_kv is 3, expected a divisor of the 4 query heads"),
    ];
    for (kinds, message) in cases {
        let found = refused(kinds);
        assert!(found.contains(message), "{found}");
    }
}
/// What a family's other models have and is not computed is refused, not left out.
#[test]
fn what_is_not_computed_is_refused() {
    type Keys = &'static [(&'static str, Key)];
    let cases: [(&str, Keys, &str); 6] = [
        ("narrow-olmo", &[("attention.clamp_kqv", Key::F32(8.0))], "olmo.attention.clamp_kqv is 8"),
        ("narrow-glm4", &[("rope.dimension_sections", Key::List(&[2, 3, 3, 0]))], "a model of text alone"),
        ("narrow-ernie4_5-moe", &[("interleave_moe_layer_step", Key::U32(2))], "step is 2, expected 1"),
        ("narrow-bailingmoe2", &[("expert_gating_func", Key::U32(4))], "func is 4, expected 1 (softmax)"),
        ("narrow-bailingmoe2", &[("expert_group_count", Key::U32(5))], "a divisor of the 12 experts"),
        (
            "narrow-bailingmoe2",
            &[("expert_group_count", Key::U32(6)), ("expert_group_used_count", Key::U32(1))],
            "at most the 6 groups, with 3 experts or more",
        ),
    ];
    for (name, keys, message) in cases {
        let shape = Shape::named(name).expect("a shape");
        let found = made(Shape { parts: Parts { keys, ..shape.parts }, ..shape }).expect_err("a bad file");
        assert!(found.to_string().contains(message), "{found}");
    }
}

/// The constants of xIELU are there for each layer.
#[test]
fn constants_of_layers_are_needed() {
    const KEYS: [(&str, Key); 2] = [(".xielu.alpha_p", Key::F32(0.5)), (".xielu.alpha_n", Key::F32(0.5))];
    let shape = Shape::named("tiny-apertus").expect("a shape");
    let error = |keys: &'static [(&'static str, Key)]| {
        made(Shape { parts: Parts { keys, ..shape.parts }, ..shape }).expect_err("a bad file")
    };
    const SHORT: [(&str, Key); 3] = [KEYS[0], KEYS[1], (".xielu.beta", Key::Floats(&[0.5]))];
    assert!(error(&KEYS).to_string().contains("xielu.beta"));
    let found = error(&SHORT).to_string();
    assert!(found.contains("expected a finite number for each of 2 layers"), "{found}");
}
