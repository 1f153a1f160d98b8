//! `siskin plan`: what memory a run would take, from the header of a model alone, and whether it fits. `source` finds the header, `table` and
//! `object` show the plan.

mod object;
mod source;
mod table;

use super::args::Plan as Args;
use super::output::Answer;
use super::setup::Threads;
use super::{CliError, Outcome, guard, setup};
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::kv::shape::BranchShape;
use siskin::machine::Machine;
use siskin::memory::{self, Budget, Footprint, Size};
use siskin::model::Model;
use siskin::sample;
use siskin::session::{Extent, Options, Window};
use siskin::threads::Team;
use siskin::tokenizer;
use siskin::topology::Topology;
use siskin_simd::Format;
use std::time::{Duration, Instant};

/// Tokens of a prompt of which nothing is said.
const PROMPT: usize = 256;
/// How long memory is read to see how fast it is.
const PROBE: Duration = Duration::from_millis(4);
/// Part of the bandwidth that decoding uses, about.
const USED: f64 = 0.85;
/// Formats that a model could be had in, the largest first.
const FORMATS: [Format; 6] =
    [Format::Q8_0, Format::Q6_K, Format::Q5_K, Format::Q4_K, Format::Q3_K, Format::Q2_K];

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome, CliError> {
    let start = Instant::now();
    let (machine, source) = (Machine::this(), source::open(args)?);
    let opened = start.elapsed();
    let model = setup::model(&source.file)?;
    let mut report = Report::new(args, &machine, &source, &model)?;
    report.planned = if source.is_remote { start.elapsed() - opened } else { start.elapsed() };
    if !args.no_probe {
        report.probe(&machine);
    }
    let mut answer = Answer::new();
    if args.json {
        answer.line(&object::json(&report).to_string())?;
    } else {
        answer.print(&table::text(&report))?;
    }
    report.verdict()
}

/// Everything that is shown.
struct Report<'a> {
    name: String,
    file: &'a Gguf,
    model: &'a Model,
    machine: &'a Machine,
    budget: Budget,
    job: Job,
    footprint: Footprint,
    /// The longest context that fits, of [`Job::context`].
    largest: Option<usize>,
    /// How keys and values could be stored, and what that would take.
    kv_types: Vec<(KvType, u64)>,
    /// Smaller formats, and what the weights would take in them.
    formats: Vec<(Format, u64)>,
    /// Bytes of memory read in a second.
    bandwidth: Option<f64>,
    /// How long it took to read the header and to plan.
    planned: Duration,
    /// What of the weights could be locked in memory, if that is asked for.
    lockable: Option<Lockable>,
}

/// Weights that could be locked in memory.
struct Lockable {
    weights: u64,
    /// The most that the limit and the memory permit.
    most: u64,
    /// Whether it is the limit that permits less.
    is_limited: bool,
}

impl Lockable {
    fn new(model: &Model, machine: &Machine, budget: &Budget, footprint: &Footprint) -> Lockable {
        let weights = model.weights().in_order_of_use().iter().map(|bytes| bytes.len() as u64).sum();
        let limit = machine.locked.map_or(u64::MAX, |limit| limit.left());
        let memory = budget.lockable(footprint);
        Lockable { weights, most: weights.min(limit).min(memory), is_limited: limit < memory }
    }
}

/// What is to be run.
struct Job {
    extent: Extent,
    prompt: usize,
    threads: usize,
    options: Options,
    /// The model's, in tokens.
    context: usize,
}

impl Job {
    fn new(args: &Args, model: &Model) -> Result<Job, CliError> {
        let threads = Threads::new(&Topology::this_machine(), args.threads, None)?.decode;
        let mut sampling = sample::Options::default();
        (sampling.temperature, sampling.top_k) = (0.8, 40);
        let options = Options {
            max_tokens: if args.window.window.is_some() { usize::MAX } else { args.max_tokens },
            branches: args.beams.or(args.best_of).unwrap_or(0) as usize,
            beams: args.beams.is_some(),
            context: args.context,
            window: args.window.window(),
            kv_type: setup::kv_type(model, args.kv_type)?,
            sampling,
            ..Options::default()
        };
        Window::check(&options, model).map_err(siskin::session::Error::from)?;
        let context = model.config().context;
        guard::check_context(args.context, context)?;
        let room = args.context.unwrap_or(context).min(context);
        let prompt = args.prompt.unwrap_or(PROMPT.min(room).max(1));
        Extent::check_prompt(model, &options, prompt)?;
        let extent = Extent::of_prompt(model, &options, prompt);
        let extent = match (args.context, options.branches) {
            (None, _) => extent,
            (Some(length), 0) => Extent::of_conversation(model, &options, length),
            (Some(_), _) => extent.with_length(room),
        };
        Ok(Job { extent, prompt, threads, options, context })
    }
}

impl<'a> Report<'a> {
    fn new(
        args: &Args,
        machine: &'a Machine,
        source: &'a source::Source,
        model: &'a Model,
    ) -> Result<Report<'a>, CliError> {
        let file = &source.file;
        let size = tokenizer::Size::estimate(file.metadata()).map_err(siskin::Error::from)?;
        let job = Job::new(args, model)?;
        let footprint = |extent: Extent, kv_type| {
            let options = Options { kv_type, ..job.options.clone() };
            let plan = extent.plan(model, size.longest, job.threads, &options)?;
            let footprint = Footprint::new(file, model, plan, size, job.threads);
            Some(if args.no_mmap { footprint.in_memory() } else { footprint })
        };
        let (kv_type, positions) = (job.options.kv_type, job.extent.longest());
        let run = footprint(job.extent, kv_type).ok_or(siskin::session::Error::TooLarge { positions })?;
        let budget = Budget::new(machine, args.mem_limit.map(|Size(bytes)| bytes));
        let largest =
            budget.largest(job.context, |length| footprint(job.extent.with_length(length), kv_type));
        let with_type = |&kv_type: &KvType| Some((kv_type, footprint(job.extent, kv_type)?.plan.kv as u64));
        let kv_types = KvType::ALL.iter().filter_map(with_type).collect();
        let lockable = args.lock.then(|| Lockable::new(model, machine, &budget, &run));
        Ok(Report {
            name: source.name.clone(),
            file,
            model,
            machine,
            budget,
            footprint: run,
            largest,
            kv_types,
            formats: smaller_formats(file),
            bandwidth: None,
            planned: Duration::ZERO,
            lockable,
            job,
        })
    }

    /// Reads memory for a moment.
    fn probe(&mut self, machine: &Machine) {
        let room = machine.available_memory().unwrap_or(u64::MAX);
        let team = Team::new(self.job.threads).ok();
        self.bandwidth = team.and_then(|mut team| memory::bandwidth(&mut team, PROBE, room));
    }

    /// Tokens a second at the end of the run, if all stays in memory.
    fn tokens_per_second(&self) -> Option<f64> {
        Some(USED * self.bandwidth? / self.footprint.bytes_per_token().max(1) as f64)
    }

    /// Tokens that can be generated after the prompt, if there is an end of them.
    fn most_tokens(&self) -> Option<usize> {
        let ends = self.job.extent.sinks.is_none();
        self.largest.filter(|_| ends).map(|largest| largest.saturating_sub(self.job.prompt))
    }

    fn branches(&self) -> BranchShape {
        self.job.extent.branches
    }

    /// An error with exit code 4 if it does not fit; the plan has been printed.
    fn verdict(&self) -> Result<Outcome, CliError> {
        let checked = self.budget.check(&self.footprint, || self.largest);
        checked.map(|()| Outcome::Done).map_err(|error| CliError::DoesNotFit(error.to_string()))
    }
}

/// What weights would take in formats that make the model noticeably smaller.
fn smaller_formats(file: &Gguf) -> Vec<(Format, u64)> {
    let weights: u64 = file.tensors().iter().map(|tensor| tensor.bytes()).sum();
    let formats = FORMATS.into_iter().map(|format| (format, memory::as_format(file, format)));
    formats.filter(|&(_, bytes)| bytes < weights - weights / 50).collect()
}
