//! A step allocates nothing: decoding, sampling, stop conditions and text decoding included, on every thread.
//!
//! A program of its own, without the test harness, whose main thread would allocate meanwhile.

mod util;

use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::model::Model;
use siskin::ops::Cpu;
use siskin::sample;
use siskin::search::{self, Beams};
use siskin::session::{Options, Session, Window};
use siskin::threads::Team;
use siskin::tokenizer::{Encode, Tokenizer};
use siskin_simd::Kernels;
use siskin_tools::meter;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

fn main() {
    meter::main(&[
        ("a_step_allocates_nothing", a_step_allocates_nothing),
        ("beams_allocate_for_texts_alone", beams_allocate_for_texts_alone),
    ]);
}

/// Every condition, none of which comes to hold.
fn set_conditions(rules: &mut siskin::stop::Rules) {
    #[cfg(feature = "regex")]
    rules.regexes.extend([r"(?i)\bnever\b .{3,9}".to_string(), "[a-z]{4}[0-9]".to_string()]);
    rules.json = true;
    (rules.sentences, rules.lines, rules.paragraphs, rules.bytes) =
        (Some(1000), Some(1000), Some(1000), Some(100_000));
    (rules.below, rules.below_mean, rules.entropy) = (Some(1e-30), Some((1e-30, 8)), Some(1e3));
    (rules.repeats, rules.time) = (Some(100), Some(std::time::Duration::from_secs(1 << 30)));
    rules.min_tokens = step_count() / 2;
}

/// Steps of a run, which are some more than a window has positions.
fn step_count() -> usize {
    if siskin_tools::emulated() { 30 } else { 100 }
}

fn a_step_allocates_nothing() {
    KvType::ALL.into_iter().for_each(steps_with);
}

fn steps_with(kv_type: KvType) {
    let file = Gguf::open(&util::model()).expect("the model opens");
    let model = Model::load(&file).expect("it is a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    let mut sampling = sample::Options::default();
    sampling.temperature = 1.0;
    let mut options = Options {
        max_tokens: step_count(),
        stop_texts: vec!["never in a story".into(), "\u{1F40D}".into()],
        ignore_eos: true,
        kv_type,
        sampling,
        ..Options::default()
    };
    set_conditions(&mut options.stop);
    steps(&model, &tokenizer, &prompt, &options);
    options.window = Some(Window { positions: 16, sinks: 2 });
    steps(&model, &tokenizer, &prompt, &options);
}

fn steps(model: &Model, tokenizer: &Tokenizer, prompt: &[u32], options: &Options) {
    let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("two threads") };
    let mut session = Session::new(model, tokenizer, cpu, prompt, options).expect("a session");
    session.prefill(prompt, |_| {}, None).expect("prefill");

    let count = step_count();
    let mut text = String::with_capacity(4096);
    let (_, memory) = meter::measure(|| {
        for _ in 0..count {
            text.push_str(session.step(None).expect("a step").text);
        }
    });
    assert!(session.ended().is_some() && text.len() > count, "{text}");
    assert_eq!(memory.allocations, 0, "in {count} steps with keys and values as {}", options.kv_type.name());
}

/// Twice as many steps of a beam search ask for memory no more often, but where a text outgrows what it has.
fn beams_allocate_for_texts_alone() {
    let file = Gguf::open(&util::model()).expect("the model opens");
    let model = Model::load(&file).expect("it is a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    const BEAMS: usize = 4;
    let allocations = |max_tokens: usize| {
        let options =
            Options { max_tokens, branches: BEAMS, beams: true, ignore_eos: true, ..Options::default() };
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("two threads") };
        let mut session = Session::new(&model, &tokenizer, cpu, &prompt, &options).expect("a session");
        session.prefill(&prompt, |_| {}, None).expect("prefill");
        let search = || search::beams(&mut session, &Beams::new(BEAMS), |_| {});
        let (found, memory) = meter::measure(search);
        assert_eq!(found.expect("continuations").continuations[0].tokens.len(), max_tokens);
        memory.allocations
    };
    let (short, long) = (allocations(step_count() / 2), allocations(step_count()));
    // the texts of now and of the next step, twice as long
    assert!(long <= short + 2 * 2 * BEAMS, "{short} and {long} allocations");
}
