//! A step allocates nothing: decoding, sampling, stop conditions and text decoding included, on every thread.
//!
//! A program of its own, without the test harness, whose main thread would allocate meanwhile.

mod util;

use siskin::batch::{Batch, Job, Room};
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
        ("searches_allocate_nothing_on_the_way", searches_allocate_nothing_on_the_way),
        ("batches_allocate_for_jobs_and_not_for_tokens", batches_allocate_for_jobs_and_not_for_tokens),
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
    let file = Gguf::open(util::model()).expect("the model opens");
    let model = Model::load(&file).expect("it is a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    let sampling = sample::Options { temperature: 1.0, ..sample::Options::default() };
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

/// Twice as many steps of a search ask for memory no more often, with conditions or without.
fn searches_allocate_nothing_on_the_way() {
    let file = Gguf::open(util::model()).expect("the model opens");
    let model = Model::load(&file).expect("it is a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    let mut with_conditions = Options { branches: 4, beams: true, ignore_eos: true, ..Options::default() };
    let plain = with_conditions.clone();
    with_conditions.stop_texts = vec!["never in a story".into()];
    set_conditions(&mut with_conditions.stop);
    for (options, beams) in [(&plain, true), (&with_conditions, true), (&with_conditions, false)] {
        let allocations = |max_tokens: usize| {
            let mut options = Options { max_tokens, beams, ..options.clone() };
            options.sampling.temperature = if beams { 0.0 } else { 1.0 };
            let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("two threads") };
            let mut session = Session::new(&model, &tokenizer, cpu, &prompt, &options).expect("a session");
            session.prefill(&prompt, |_| {}, None).expect("prefill");
            let search = || match beams {
                true => search::beams(&mut session, &Beams::new(options.branches), |_| {}),
                false => search::samples(&mut session, options.branches, |_| {}),
            };
            let (found, memory) = meter::measure(search);
            let found = found.expect("continuations").continuations;
            assert_eq!((found.len(), found[0].tokens.len()), (options.branches, max_tokens));
            memory.allocations
        };
        assert_eq!(allocations(step_count() / 2), allocations(step_count()));
    }
}

/// Twice as many tokens of each job ask for memory no more often.
fn batches_allocate_for_jobs_and_not_for_tokens() {
    let file = Gguf::open(util::model()).expect("the model opens");
    let model = Model::load(&file).expect("it is a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("it has a tokenizer");
    let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
    let mut options = Options { ignore_eos: true, ..Options::default() };
    set_conditions(&mut options.stop);
    let allocations = |max_tokens: usize| {
        let options = Options { max_tokens, ..options.clone() };
        let jobs = [(); 3].map(|()| Job { prompt: prompt.clone(), options: options.clone() });
        let mut room = Room::new(2);
        jobs.iter().for_each(|job| room.extend(&model, job));
        let cpu = Cpu { kernels: Kernels::best(), team: Team::new(2).expect("two threads") };
        let mut batch = Batch::new(&model, &tokenizer, cpu, &room).expect("a batch");
        let (lengths, memory) = meter::measure(|| {
            batch.run(jobs).map(|done| done.result.expect("a text").tokens.len()).collect::<Vec<_>>()
        });
        assert_eq!(lengths, [max_tokens; 3]);
        memory.allocations
    };
    assert_eq!(allocations(step_count() / 2), allocations(step_count()));
}
