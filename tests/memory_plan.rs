//! The plan is the truth: what decoder, session, model and tokenizer allocate is what was planned, to the byte.
//!
//! A program of its own, without the test harness, whose threads would allocate meanwhile.

mod util;

use siskin::batch::{Batch, Done, Job as Prompt, Room};
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::kv::shape::BranchShape;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::sample;
use siskin::search::{self, Beams, Continuation, Found};
use siskin::session::{Error, Extent, Options, Session, Window};
use siskin::stop::{Before, Condition, Hit, Reason, Token, when};
use siskin::tokenizer::{Size, Tokenizer};
use siskin_tools::synth::{self, Mix, Shape};
use siskin_tools::{emulated, meter, some};
use std::path::Path;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

fn main() {
    meter::main(&[
        ("models_and_tokenizers", models_and_tokenizers),
        ("families", families),
        ("sessions", sessions),
        ("searches", searches),
        ("conditions_of_the_callers", conditions_of_the_callers),
        ("batches", batches),
    ]);
}

/// What a function made, and the bytes that are held because of it.
fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let (made, memory) = meter::measure(make);
    (made, memory.kept)
}

fn models_and_tokenizers() {
    let file = Gguf::open(util::model()).expect("a model");
    let (model, bytes) = held(|| Model::load(&file).expect("a model"));
    let plan = Plan::new(&model, Job { positions: 1, threads: 1, ..Job::default() }).expect("a plan");
    assert_eq!(bytes, plan.tables);
    let (tokenizer, bytes) = held(|| Tokenizer::from_metadata(file.metadata()).expect("a tokenizer"));
    assert_eq!(bytes, tokenizer.size().owned);
    let Some(vocabularies) = util::shared("SISKIN_VOCAB", "vocab") else { return };
    for entry in std::fs::read_dir(vocabularies).expect("a folder") {
        let path = entry.expect("a file").path();
        if path.extension().is_some_and(|extension| extension == "gguf") {
            tokenizer_of(&path);
        }
    }
}

/// Counted to the byte, and estimated within a twentieth (tries within a half).
fn tokenizer_of(path: &Path) {
    let file = Gguf::open(path).expect("a vocabulary");
    let Ok(estimate) = Size::estimate(file.metadata()) else { return };
    // what the standard library keeps for a thread is allocated once, with the first of them
    drop(Tokenizer::from_metadata(file.metadata()));
    // the message of a warning is made before the tokenizer is
    let (tokenizer, bytes) = held(|| Tokenizer::from_metadata(file.metadata()));
    let Ok(tokenizer) = tokenizer else { return };
    let size = tokenizer.size();
    assert_eq!(bytes, size.owned, "{}", path.display());
    let tolerance = if ["BPE", "SPM"].contains(&tokenizer.kind().name()) { 20 } else { 2 };
    let difference = size.owned.abs_diff(estimate.owned);
    assert!(difference < size.owned / tolerance + (64 << 10), "{}: {estimate:?} {size:?}", path.display());
    assert_eq!(size.longest, estimate.longest, "{}", path.display());
}

/// Every family that there are goldens of, as [`synth`] makes it.
fn families() {
    let folder = tempfile::tempdir().expect("a folder");
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    let mut sources: Vec<(String, String)> = std::fs::read_dir(goldens)
        .expect("goldens")
        .map(|entry| {
            let text = std::fs::read_to_string(entry.expect("a golden").path()).expect("a golden");
            let golden: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let word = |name: &str| golden["model"][name].as_str().expect("a word").to_owned();
            (word("shape"), word("format"))
        })
        .collect();
    sources.sort();
    assert!(sources.len() > 10, "{sources:?}");
    for (shape, format) in some(sources, 5) {
        let path = folder.path().join(format!("{shape}-{format}.gguf"));
        let (shape, mix) = (Shape::named(&shape).expect("a shape"), Mix::named(&format).expect("a format"));
        synth::Model::new(shape, mix, 1).save(&path).expect("room for a small file");
        decoders(&path);
    }
}

/// How the keys and values of a model can be stored: in blocks only if they fill the heads.
fn types_of(model: &Model) -> impl Iterator<Item = KvType> {
    KvType::ALL.into_iter().filter(|&kv_type| model.config().check_kv(kv_type).is_ok())
}

fn decoders(path: &Path) {
    let file = Gguf::open(path).expect("a model");
    let (model, bytes) = held(|| Model::load(&file).expect("a model"));
    let header = Gguf::open_header(path).expect("a header");
    let from_header = Model::load(&header).expect("a model");
    let branches = [
        BranchShape::default(),
        BranchShape { count: 3, positions: 17, run: 1, shared: 0 },
        BranchShape { count: 3, positions: 150, run: 64, shared: 0 },
        BranchShape { count: 3, positions: 150, run: 64, shared: 210 },
    ];
    for (positions, prompt) in [(1, None), (40, None), (300, None), (600, Some(280))] {
        for kv_type in types_of(&model) {
            for branches in branches {
                let job = Job { positions, prompt, branches, kv_type, threads: 2, ..Job::default() };
                let plan = Plan::new(&model, job).expect("a plan");
                let cpu = util::cpu(2);
                let (_decoder, decoder) = held(|| Decoder::new(&model, &plan, cpu));
                let what = format!("{}: {job:?}", path.display());
                assert_eq!(decoder, plan.kv + plan.scratch, "{what}");
                assert_eq!(bytes, plan.tables, "{what}");
                assert_eq!(Plan::new(&from_header, job), Some(plan), "{what}");
            }
            let job = Job { positions, prompt, sinks: Some(3), kv_type, threads: 2, ..Job::default() };
            let plan = Plan::new(&model, job).expect("a plan");
            let cpu = util::cpu(2);
            let (_decoder, decoder) = held(|| Decoder::new(&model, &plan, cpu));
            assert_eq!(decoder, plan.kv + plan.scratch, "{}: {job:?}", path.display());
        }
    }
}

fn samplers() -> [sample::Options; 4] {
    let greedy = sample::Options::default();
    let (mut best, mut all, mut edits) = (greedy.clone(), greedy.clone(), greedy.clone());
    (best.temperature, best.top_k) = (0.8, 40);
    (all.temperature, all.top_p) = (1.0, 0.9);
    (edits.penalties.presence, edits.dry.multiplier, edits.xtc.probability) = (0.5, 1.0, 0.5);
    edits.temperature = 1.0;
    [greedy, best, all, edits]
}

fn sessions() {
    let file = Gguf::open(util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let prompt: Vec<u32> = (0..20).map(|id| id + 300).collect();
    for sampling in samplers() {
        let window = Some(Window { positions: 100, sinks: 4 });
        let jobs =
            [(0, 5, 0, None), (0, 400, 3, None), (4, 30, 0, None), (0, 5, 0, window), (0, 4000, 0, window)];
        for (branches, max_tokens, min_tokens, window) in jobs {
            for kv_type in types_of(&model) {
                let mut options = Options { max_tokens, branches, window, kv_type, ..Options::default() };
                options.sampling.clone_from(&sampling);
                options.stop.min_tokens = min_tokens;
                let cpu = util::cpu(2);
                let extent = Extent::of_prompt(&model, &options, prompt.len());
                let plan = extent.plan(&model, tokenizer.longest(), 2, &options).expect("a plan");
                let (session, bytes) =
                    held(|| Session::new(&model, &tokenizer, cpu, &prompt, &options).expect("a session"));
                assert_eq!(*session.plan(), plan);
                assert_eq!(bytes, plan.owned() - plan.tables - plan.search, "{options:?}");
            }
        }
    }
}

/// Tokens of the prompt of a search.
const PROMPT: usize = 20;

/// Bytes of what a search returns.
fn returned(found: &Found) -> usize {
    let words = |reason: &Reason| match reason {
        Reason::StopText { text } | Reason::Custom { text } => text.capacity(),
        Reason::Regex { pattern } => pattern.capacity(),
        _ => 0,
    };
    let of = |one: &Continuation| {
        one.text.capacity() + one.tokens.capacity() * size_of::<u32>() + words(&one.reason)
    };
    let lists = found.continuations.capacity() * size_of::<Continuation>()
        + found.tree.capacity() * size_of::<search::Node>();
    lists + found.continuations.iter().map(of).sum::<usize>()
}

/// Continuations of one model, side by side.
struct Search<'m> {
    model: &'m Model,
    tokenizer: &'m Tokenizer,
    options: Options,
}

impl<'m> Search<'m> {
    /// What a search finds, the most that it takes beside that, and what was planned for it.
    fn run(&self, search: impl FnOnce(&mut Session<'m>) -> Result<Found, Error>) -> (Found, usize, usize) {
        let prompt: Vec<u32> = (300..300 + PROMPT as u32).collect();
        let session = Session::new(self.model, self.tokenizer, util::cpu(2), &prompt, &self.options);
        let mut session = session.expect("a session");
        session.prefill(&prompt, |_| {}, None).expect("prefill");
        let (found, memory) = meter::measure(|| search(&mut session));
        let found = found.expect("continuations");
        assert_eq!(memory.kept, returned(&found), "{:?}", self.options);
        (found, memory.peak - memory.kept, session.plan().search)
    }

    fn beams(&self) -> (Found, usize, usize) {
        let beams = Beams::new(self.options.branches);
        self.run(|session| search::beams(session, &beams, |_| {}))
    }

    fn samples(&self) -> (Found, usize, usize) {
        self.run(|session| search::samples(session, self.options.branches, |_| {}))
    }

    /// Both kinds of search take what was planned, to the byte. How many continuations ended before their limit.
    fn check(&mut self, samplers: &[sample::Options]) -> usize {
        self.options.beams = true;
        let (found, peak, planned) = self.beams();
        let mut ended = self.ended(&found);
        assert_eq!(peak, planned, "{:?}", self.options);
        self.options.beams = false;
        for sampling in samplers {
            self.options.sampling.clone_from(sampling);
            let (found, peak, planned) = self.samples();
            ended += self.ended(&found);
            assert_eq!(peak, planned, "{:?}", self.options);
        }
        ended
    }

    fn ended(&self, found: &Found) -> usize {
        found.continuations.iter().filter(|one| one.tokens.len() < self.options.max_tokens).count()
    }
}

/// No condition, some texts, all conditions, and all of which each has to hold.
fn conditions() -> [Options; 4] {
    let none = Options::default();
    let texts = Options { stop_texts: vec![".".into(), "never in a story".into()], ..Options::default() };
    let mut many = texts.clone();
    #[cfg(feature = "regex")]
    many.stop.regexes.extend([r"(?i)\bnever\b .{3,9}".to_string(), "[a-z]{4},".to_string()]);
    (many.stop.json, many.stop.repeats, many.stop.time) = (true, Some(9), Some(Duration::from_secs(1 << 30)));
    (many.stop.sentences, many.stop.lines, many.stop.paragraphs) = (Some(3), Some(2), Some(2));
    (many.stop.bytes, many.stop.below, many.stop.below_mean) = (Some(90), Some(1e-9), Some((1e-9, 8)));
    (many.stop.entropy, many.stop.min_tokens) = (Some(1e3), 2);
    many.stop.also.push(Box::new(when("token 7", |token, _| token.id == 7)));
    let mut all = many.clone();
    all.stop.all = true;
    [none, texts, many, all]
}

fn searches() {
    let file = Gguf::open(util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    let mut ended = 0;
    // an emulated machine is slow: one with each number of tokens, and each of the conditions
    for (i, count) in some((1..17).enumerate(), 5) {
        let max_tokens = [3, 7, 12, 40][i % 4];
        let conditions = conditions();
        let all = if emulated() { &conditions[i % 4..][..1] } else { &conditions[..] };
        for (j, options) in all.iter().enumerate() {
            let options = Options { max_tokens, branches: count, ..options.clone() };
            let mut search = Search { model: &model, tokenizer: &tokenizer, options };
            ended += search.check(&samplers()[(i + j) % 3..][..2]);
        }
    }
    assert!(ended > if emulated() { 10 } else { 100 }, "{ended}");
}

/// Remembers every token, and may tell how much it has taken.
#[derive(Debug, Clone)]
struct Remembers {
    tokens: Vec<u32>,
    tells: usize,
}

impl Condition for Remembers {
    fn name(&self) -> &'static str {
        "remembers"
    }

    fn see(&mut self, token: &Token<'_>, _: &Before) -> Option<Hit> {
        self.tokens.push(token.id);
        None
    }

    fn owned_bytes(&self) -> usize {
        self.tells
    }

    fn describe(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("waiting")
    }
}

/// What a condition of the caller's owns is planned if it tells; what it takes on the way is the one thing that is not.
fn conditions_of_the_callers() {
    let file = Gguf::open(util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    const COUNT: usize = 3;
    let run = |max_tokens, tells| {
        let mut options = Options { max_tokens, branches: COUNT, beams: true, ..Options::default() };
        options.stop.also.push(Box::new(Remembers { tokens: vec![0; 5], tells }));
        let (_, peak, planned) = Search { model: &model, tokenizer: &tokenizer, options }.beams();
        (peak, planned)
    };
    let told = 5 * size_of::<u32>();
    assert_eq!(run(30, told).1 - run(30, 0).1, 2 * COUNT * told);
    let (peak, planned) = run(30, told);
    // twice as many as they hold, and while one grows it is there twice
    let most = (2 * COUNT + 1) * 2 * 2 * 35 * size_of::<u32>();
    assert!(peak >= planned && peak <= planned + most, "{peak}, not {planned} and up to {most} more");
}

/// Bytes of texts and tokens that were found, with those of the room for a token and of what a list has that grows.
fn found_bytes<'t>(found: impl IntoIterator<Item = (&'t str, &'t [u32])>) -> usize {
    found.into_iter().map(|(text, tokens)| 4 * text.len() + size_of_val(tokens) + 64).sum()
}

/// A batch takes what its room says, and while it runs what the plan counts for as many jobs as are at work; their texts grow besides.
fn batches() {
    let file = Gguf::open(util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    for sampling in some(samplers(), 3) {
        for (count, max_tokens) in [(1, 3), (3, 9), (9, 2), (3, 60)] {
            let mut options = Options { max_tokens, ignore_eos: true, ..Options::default() };
            options.sampling.clone_from(&sampling);
            let job = |len: u32| Prompt { prompt: (300..300 + len).collect(), options: options.clone() };
            let jobs: Vec<Prompt> = [70, 20, 11, 3].map(job).into();
            let mut room = Room::new(count);
            jobs.iter().for_each(|job| room.extend(&model, job));
            let cpu = util::cpu(2);
            let planned = room.plan(&model, 2).expect("a plan");
            let (mut batch, bytes) = held(|| Batch::new(&model, &tokenizer, cpu, &room).expect("a batch"));
            assert_eq!(*batch.plan(), planned);
            assert_eq!(bytes, planned.kv + planned.scratch, "{room:?}");
            let mut done = Vec::with_capacity(jobs.len());
            let ((), memory) = meter::measure(|| run(&mut batch, &jobs, &mut done));
            // the first are the longest, so that all positions are taken at once
            let tokens = room.shared() * size_of::<u32>();
            let at_work = &jobs[..count.min(jobs.len())];
            let scratch = |positions: usize| {
                sampling.clone().within(positions).scratch_bytes(model.weights().vocabulary())
            };
            let shorter = |job: &Prompt| scratch(room.positions()) - scratch(job.prompt.len() + max_tokens);
            let less: usize = at_work.iter().map(shorter).sum();
            let least = (planned.search - tokens) / count * at_work.len() + tokens - less;
            let most = least + found_bytes(done.iter().map(|done| (done.text.as_str(), &done.tokens[..])));
            assert!((least..=most).contains(&memory.peak), "{room:?}: {memory:?}, not {least} to {most}");
        }
    }
}

/// Runs jobs, which stay where they are.
fn run(batch: &mut Batch<'_>, jobs: &[Prompt], done: &mut Vec<Done>) {
    let mut waiting = jobs.iter().enumerate().peekable();
    while done.len() < jobs.len() {
        while waiting.next_if(|(index, job)| batch.start(*index, job)).is_some() {}
        batch.step();
        while let Some(finished) = batch.take() {
            done.push(finished.result.expect("it runs"));
        }
    }
}
