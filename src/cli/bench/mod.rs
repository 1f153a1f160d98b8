//! `siskin bench`: loads a model, runs it a few times, and reports. `measure` takes the times, `show` prints them.

mod measure;
mod show;

use super::args::Bench;
use super::guard::Guard;
use super::output::Answer;
use super::report::{self, Usage};
use super::setup::Threads;
use super::{CliError, Outcome, json, machine, setup};
use measure::{Run, Sample};
use siskin::gguf::Gguf;
use siskin::memory::Footprint;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::topology::Topology;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// All that is reported.
struct Report {
    /// From the start of the command until a pass could begin.
    load: Duration,
    /// From the start of the command until the first token after the prompt was known.
    first_token: Duration,
    samples: Vec<Sample>,
    /// Bytes of weights that a generated token reads.
    weight_bytes: usize,
    /// Bytes of keys and values that it reads, on average.
    kv_bytes: usize,
    /// Bytes of each format among the matrices.
    formats: BTreeMap<&'static str, u64>,
    isa: &'static str,
    threads: Threads,
    /// CPUs that the threads were on at the end.
    cpus: Vec<usize>,
    usage: Usage,
    memory: json::Memory,
    /// Clock and temperature, before and after.
    clocks: [Option<String>; 2],
}

/// Runs the command.
pub fn run(args: &Bench) -> Result<Outcome, CliError> {
    let start = Instant::now();
    if args.prompt == 0 || args.repetitions == 0 {
        return Err(CliError::Usage("--prompt and --repetitions must be at least 1".into()));
    }
    let topology = Topology::this_machine();
    let threads = Threads::new(&topology, args.threads, args.prefill_threads)?;
    let cpu = setup::cpu(&topology, threads)?;
    let guard = Guard::of(args.limit);
    let file = setup::open(&args.model)?;
    let (model, tokenizer) = setup::load(&file, threads, &AtomicBool::new(false), Some(&guard))?;
    let plan = plan(args, &model, cpu.team.threads())?;
    let (isa, members) = (cpu.kernels.isa().name(), cpu.team.threads());
    let hint = "Try a smaller --depth, --prompt or --max-tokens, or a smaller model";
    guard.check_plan((&file, &model, tokenizer.size()), members, plan, ("the measure needs", hint))?;
    let decoder = Decoder::new(&model, &plan, cpu);
    let load = start.elapsed();

    let before = machine::clock();
    let mut run = Run::new(args, &model, decoder, threads);
    run.prefill();
    let first_token = start.elapsed();
    run.decode();
    let samples = (0..args.repetitions).map(|_| run.sample()).collect();
    let usage = report::usage();
    let report = Report {
        load,
        first_token,
        samples,
        weight_bytes: model.weights().bytes_per_token(),
        kv_bytes: kv_bytes(args, &model, &plan),
        formats: formats(&file),
        isa,
        threads,
        cpus: machine::cpus_of_threads(),
        usage,
        memory: json::Memory::new(&Footprint::new(&file, &model, plan, tokenizer.size(), members), usage),
        clocks: [before, machine::clock()],
    };
    let mut answer = Answer::new();
    match (args.json, args.csv) {
        (true, _) => answer.line(&show::json(args, &file, &report).to_string())?,
        (_, true) => answer.print(&show::csv(&report))?,
        _ => answer.print(&show::table(args, &file, &report))?,
    }
    Ok(Outcome::Done)
}

/// Memory for the depth, the prompt and what is generated.
fn plan(args: &Bench, model: &Model, threads: usize) -> Result<Plan, CliError> {
    let positions = args.depth.saturating_add(args.prompt).saturating_add(args.max_tokens);
    let context = model.config().context;
    if positions > context {
        return Err(CliError::Usage(format!(
            "--depth, --prompt and --max-tokens are {positions} positions together, more than the model's context of {context}. Try less"
        )));
    }
    let job = Job { positions, kv_type: setup::kv_type(model, args.kv_type)?, threads, ..Job::default() };
    Plan::new(model, job)
        .ok_or_else(|| CliError::Usage(format!("{positions} positions need too much memory")))
}

/// Bytes of keys and values that a generated token reads, halfway through the generation.
fn kv_bytes(args: &Bench, model: &Model, plan: &Plan) -> usize {
    plan.kv_read(model, args.depth + args.prompt + args.max_tokens / 2)
}

/// Bytes of each format among the tensors.
fn formats(file: &Gguf) -> BTreeMap<&'static str, u64> {
    let mut formats = BTreeMap::new();
    for tensor in file.tensors() {
        *formats.entry(tensor.ty().name()).or_default() += tensor.bytes();
    }
    formats
}
