//! Endless text, for every family. Of one layer, keys and values depend on tokens and positions alone: a window then computes exactly what a run of
//! the same tokens from the start does.

use super::{Golden, emulated, measure};
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::session::{Options, Window, WindowError};
use siskin::threads::Team;
use siskin_simd::Kernels;
use siskin_tools::synth::{self, Kinds, Mix, Parts, Shape};
use std::path::Path;

/// Positions of a window, and how many of the first stay.
const WINDOW: (usize, usize) = (28, 3);
/// Tokens of a pass: few enough to be rounded like single ones.
const PASS: usize = 3;

fn decoder(model: &Model, positions: usize, sinks: Option<usize>) -> Decoder<'_> {
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(1).expect("a thread") };
    let job = Job { positions, sinks, kv_type: KvType::F32, threads: 1, ..Job::default() };
    Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu)
}

fn load(shape: Shape, folder: &Path) -> Model {
    let path = folder.join(shape.name);
    synth::Model::new(shape, Mix::named("F16").expect("a mix"), 1).save(&path).expect("room");
    Model::load(&Gguf::open(&path).expect("it opens")).expect("a model")
}

/// Whether layers keep something of all tokens, which no window takes from them.
fn has_states(shape: &Shape) -> bool {
    shape.parts.convolution.is_some() || shape.parts.delta_net.is_some()
}

/// Why a model has no window: what it sees depends on positions, not only on distances.
fn refusal(model: &Model) -> Option<WindowError> {
    let config = model.config();
    let learnt = config.position_embedding;
    match config.norms.heads_turned {
        true => Some(WindowError::WeighedTurned),
        false => learnt.then_some(WindowError::LearntPositions { context: config.context }),
    }
}

/// The last logits of tokens that are run one by one.
fn from_scratch(model: &Model, tokens: &[u32], positions: usize) -> Vec<f32> {
    let mut decoder = decoder(model, positions, None);
    tokens.iter().for_each(|&token| decoder.forward(&[token]));
    decoder.logits(0).to_vec()
}

#[test]
fn a_window_of_one_layer_is_what_is_held_run_from_the_start() {
    let (folder, (positions, sinks)) = (tempfile::tempdir().expect("a temporary directory"), WINDOW);
    for golden in Golden::of_each_kind().filter(|golden| golden.model.format == "F16") {
        let shape = Shape { layers: 1, ..Shape::named(&golden.model.shape).expect("a shape") };
        if has_states(&shape) {
            continue;
        }
        let model = load(shape, folder.path());
        if let Some(reason) = refusal(&model) {
            let window = Some(Window { positions, sinks });
            let refused = Window::check(&Options { window, ..Options::default() }, &model);
            assert_eq!(refused, Err(reason), "{}", shape.name);
            continue;
        }
        is_what_is_held(&model, &golden.ids, shape.name);
        if let Some(kinds) = shape.parts.kinds {
            // the layer of the other kind
            let kinds = Some(Kinds { interval: 1, ..kinds });
            let parts = Parts { kinds, ..shape.parts };
            let model = load(Shape { name: "other", parts, ..shape }, folder.path());
            assert_eq!(model.config().layers[0].window, None);
            is_what_is_held(&model, &golden.ids, shape.name);
        }
    }
}

/// Runs a text that is longer than a window, beside what is held of it from the start.
fn is_what_is_held(model: &Model, ids: &[u32], name: &str) {
    let (positions, sinks) = WINDOW;
    let every = if emulated() { 9 } else { 4 };
    let mut endless = decoder(model, positions, Some(sinks));
    assert!(endless.max_batch() >= PASS);
    let end = positions * if emulated() { 2 } else { 3 };
    let tokens: Vec<u32> = (0..end).map(|i| ids[i * 5 % ids.len()]).collect();
    for (pass, batch) in tokens.chunks(PASS).enumerate() {
        endless.forward(batch);
        let end = endless.position();
        if end <= positions || pass % every > 0 {
            continue;
        }
        let held = [&tokens[..sinks], &tokens[end - (positions - sinks)..end]].concat();
        let expected = from_scratch(model, &held, positions);
        let error = measure::relative(endless.logits(batch.len() - 1), &expected);
        assert!(error < 1e-4, "{name}: {error} after {end} tokens");
    }
}

/// Far behind the context, too, and from the start again.
#[test]
fn thousands_of_tokens_later_nothing_has_changed() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let model = load(Shape { layers: 1, ..Shape::named("tiny-qwen2").expect("a shape") }, folder.path());
    let mut endless = decoder(&model, 8, Some(2));
    let end = if emulated() { 100 } else { 3_000 };
    let tokens: Vec<u32> = (0..end).map(|i| (i * 7 % 300) as u32).collect();
    tokens.iter().for_each(|&token| endless.forward(&[token]));
    let held = [&tokens[..2], &tokens[tokens.len() - 6..]].concat();
    let error = measure::relative(endless.logits(0), &from_scratch(&model, &held, 8));
    assert!(error < 1e-4, "{error}");
    // text begins anew where it has lost what it goes back to
    assert_eq!((endless.truncate(end), endless.truncate(end - 1)), (end, 0));
    held.iter().for_each(|&token| endless.forward(&[token]));
    let error = measure::relative(endless.logits(0), &from_scratch(&model, &held, 8));
    assert!(error < 1e-6, "{error}");
}

/// As without a window until it is full; and then on.
#[test]
fn states_go_on_in_a_window() {
    let (folder, (positions, sinks)) = (tempfile::tempdir().expect("a temporary directory"), WINDOW);
    for golden in Golden::of_each_kind().filter(|golden| golden.model.format == "F16") {
        let shape = golden.shape();
        if !has_states(&shape) {
            continue;
        }
        let model = load(shape, folder.path());
        let end = if emulated() { positions + 9 } else { positions * 3 };
        let (mut endless, mut plain) = (decoder(&model, positions, Some(sinks)), decoder(&model, end, None));
        let mut errors = Vec::new();
        for i in 0..end {
            let token = [golden.ids[i * 5 % golden.ids.len()]];
            endless.forward(&token);
            plain.forward(&token);
            assert!(endless.logits(0).iter().all(|x| x.is_finite()), "{}: token {i}", shape.name);
            errors.push(measure::relative(endless.logits(0), plain.logits(0)));
        }
        let largest = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
        let (before, after) = (largest(&errors[..positions]), largest(&errors[positions..]));
        assert!(before < 1e-6 && after > before, "{}: {before} {after}", shape.name);
    }
}
