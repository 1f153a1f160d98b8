//! The plan is the truth: what decoder, session, model and tokenizer allocate is what was planned, to the byte.
//!
//! A program of its own, without the test harness, whose threads would allocate meanwhile.

mod util;

use siskin::batch::{Batch, Done, Job as Prompt, Room};
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::kv::shape::BranchShape;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::sample;
use siskin::search::{self, Beams, Continuation, Found};
use siskin::session::{Error, Extent, Options, Session, Window};
use siskin::threads::Team;
use siskin::tokenizer::{Size, Tokenizer};
use siskin_simd::Kernels;
use siskin_tools::meter;
use siskin_tools::synth::{self, Mix, Shape};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

fn main() {
    meter::main(&[
        ("models_and_tokenizers", models_and_tokenizers),
        ("families", families),
        ("sessions", sessions),
        ("searches", searches),
        ("batches", batches),
    ]);
}

/// What a function made, and the bytes that are held because of it.
fn held<T>(make: impl FnOnce() -> T) -> (T, usize) {
    let (made, memory) = meter::measure(make);
    (made, memory.kept)
}

fn cpu(threads: usize) -> Cpu {
    Cpu { kernels: Kernels::best(), team: Team::new(threads).expect("threads") }
}

fn models_and_tokenizers() {
    let file = Gguf::open(&util::model()).expect("a model");
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
    for (shape, format) in sources {
        let path = folder.path().join(format!("{shape}-{format}.gguf"));
        let (shape, mix) = (Shape::named(&shape).expect("a shape"), Mix::named(&format).expect("a format"));
        synth::Model::new(shape, mix, 1).save(&path).expect("room for a small file");
        decoders(&path);
    }
}

/// How the keys and values of a model can be stored: in blocks only if they fill the heads.
fn types_of(model: &Model) -> impl Iterator<Item = KvType> {
    let head_dim = model.config().heads.head_dim;
    KvType::ALL.into_iter().filter(move |kv_type| kv_type.check(head_dim).is_ok())
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
                let cpu = cpu(2);
                let (_decoder, decoder) = held(|| Decoder::new(&model, &plan, cpu));
                let what = format!("{}: {job:?}", path.display());
                assert_eq!(decoder, plan.kv + plan.scratch, "{what}");
                assert_eq!(bytes, plan.tables, "{what}");
                assert_eq!(Plan::new(&from_header, job), Some(plan), "{what}");
            }
            let job = Job { positions, prompt, sinks: Some(3), kv_type, threads: 2, ..Job::default() };
            let plan = Plan::new(&model, job).expect("a plan");
            let cpu = cpu(2);
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
    let file = Gguf::open(&util::model()).expect("a model");
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
                let cpu = cpu(2);
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

/// Most bytes that a continuation has beside logits, sampler, tokens and text, whatever the model: its stop conditions, foremost, and the sampler's settings.
const CONTINUATION: usize = 2560;
/// Text that the stop conditions with which a search begins may hold back; those of each continuation make room when they do.
const HELD: usize = 1 << 10;
/// Tokens of the prompt of a search.
const PROMPT: usize = 20;

/// Bytes of texts and tokens that were found. On its way a text is there up to four times: in a list that has just doubled, and as what is returned.
fn found_bytes<'t>(found: impl IntoIterator<Item = (&'t str, &'t [u32])>) -> usize {
    found.into_iter().map(|(text, tokens)| 4 * text.len() + size_of_val(tokens) + 64).sum()
}

fn of(continuation: &Continuation) -> (&str, &[u32]) {
    (&continuation.text, &continuation.tokens)
}

/// Continuations of one model, side by side.
struct Search<'m> {
    model: &'m Model,
    tokenizer: &'m Tokenizer,
    options: Options,
}

impl<'m> Search<'m> {
    /// What a search finds and takes, and what was planned for it.
    fn run(&self, search: impl FnOnce(&mut Session<'m>) -> Result<Found, Error>) -> (Found, usize, usize) {
        let prompt: Vec<u32> = (300..300 + PROMPT as u32).collect();
        let session = Session::new(self.model, self.tokenizer, cpu(2), &prompt, &self.options);
        let mut session = session.expect("a session");
        session.prefill(&prompt, |_| {}, None).expect("prefill");
        let (found, memory) = meter::measure(|| search(&mut session));
        (found.expect("continuations"), memory.peak, session.plan().search)
    }

    fn count(&self) -> usize {
        self.options.branches
    }

    /// Bytes of the logits of all continuations.
    fn logits(&self) -> usize {
        self.count() * self.model.weights().vocabulary() * size_of::<f32>()
    }

    /// What lists of continuations take: they grow by doubling.
    fn structures(&self) -> usize {
        CONTINUATION * self.count().next_power_of_two()
    }

    /// The plan has logits, sampler and tokens of each continuation. There are two lists of logits when all samples begin with those of the prompt.
    fn samples(&self) {
        let (found, peak, planned) = self.run(|session| search::samples(session, self.count(), |_| {}));
        let positions = PROMPT + self.options.max_tokens;
        let sampler =
            self.options.sampling.clone().within(positions).scratch_bytes(self.model.weights().vocabulary());
        assert_eq!(planned, self.logits() + self.count() * (sampler + positions * size_of::<u32>()));
        let besides =
            self.structures() + CONTINUATION + HELD + found_bytes(found.continuations.iter().map(of));
        let most = planned + self.logits() + besides;
        assert!((planned..=most).contains(&peak), "{:?}: {peak}, not {planned} to {most}", self.options);
    }

    /// Beams have no samplers, but candidates, and the tokens of all that is followed: reserved at the beginning, however long they become.
    fn beams(&self) {
        let beams = Beams::new(self.count());
        let (found, peak, planned) = self.run(|session| search::beams(session, &beams, |_| {}));
        // tokens with the ones before them; candidates for 15 ends, twice as many as are kept; the sequences of now and the next ones
        let one = self.options.max_tokens * 2 * size_of::<u32>()
            + 2 * 16 * size_of::<(usize, u32, f64, f64)>()
            + 2 * size_of::<(u32, f64)>()
            + size_of::<usize>()
            + size_of::<u32>();
        assert_eq!(planned, self.logits() + self.count() * one);
        // of the continuations there are those of now and the next ones
        let most = planned + 2 * self.structures() + HELD + found_bytes(found.continuations.iter().map(of));
        assert!((planned..=most).contains(&peak), "{:?}: {peak}, not {planned} to {most}", self.options);
    }

    /// What a search takes beside its plan, if it is cancelled after the first step.
    fn besides(&self, max_tokens: usize) -> usize {
        let cancelled = Arc::new(AtomicBool::new(false));
        let options = Options { max_tokens, cancelled: Some(cancelled.clone()), ..self.options.clone() };
        let search = Search { options, ..*self };
        let beams = Beams::new(self.count());
        let cancel = |_| cancelled.store(true, Ordering::Relaxed);
        let (found, peak, planned) = search.run(|session| search::beams(session, &beams, cancel));
        assert!(found.continuations.iter().all(|found| found.tokens.len() == 1) && found.tree.is_empty());
        peak.checked_sub(planned).expect("no less than planned")
    }
}

fn searches() {
    let file = Gguf::open(&util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    for (count, max_tokens) in [(1, 3), (2, 7), (4, 12), (4, 60), (9, 30), (16, 30)] {
        let options = Options { max_tokens, branches: count, beams: true, ..Options::default() };
        let mut search = Search { model: &model, tokenizer: &tokenizer, options };
        search.beams();
        // to the byte: what is not planned does not depend on how long a search may become
        assert_eq!(search.besides(2), search.besides(max_tokens * 6));
        search.options.beams = false;
        for sampling in samplers() {
            search.options.sampling = sampling;
            search.samples();
        }
    }
}

/// A batch takes what its room says, and while it runs what the plan counts for as many jobs as are at work; their texts grow besides.
fn batches() {
    let file = Gguf::open(&util::model()).expect("a model");
    let model = Model::load(&file).expect("a model");
    let tokenizer = Tokenizer::from_metadata(file.metadata()).expect("a tokenizer");
    for sampling in samplers() {
        for (count, max_tokens) in [(1, 3), (3, 9), (9, 2), (3, 60)] {
            let mut options = Options { max_tokens, ignore_eos: true, ..Options::default() };
            options.sampling.clone_from(&sampling);
            let job = |len: u32| Prompt { prompt: (300..300 + len).collect(), options: options.clone() };
            let jobs: Vec<Prompt> = [70, 20, 11, 3].map(job).into();
            let mut room = Room::new(count);
            jobs.iter().for_each(|job| room.extend(&model, job));
            let cpu = cpu(2);
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
