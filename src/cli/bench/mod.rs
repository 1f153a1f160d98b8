//! `siskin bench`: loads a model, runs it a few times, and reports. `measure` takes the times, `show` prints them.

mod measure;
mod show;

use super::args::Bench;
use super::guard::Guard;
use super::output::Answer;
use super::setup::Threads;
use super::{CliError, Outcome, json, setup};
use measure::Measured;
use siskin::gguf::Gguf;
use siskin::memory::Footprint;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::topology::Topology;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

/// All that is reported.
struct Report {
    measured: Measured,
    /// Bytes of weights that a generated token reads.
    weight_bytes: usize,
    /// Bytes of keys and values that it reads, on average.
    kv_bytes: usize,
    /// Bytes of each format among the matrices.
    formats: BTreeMap<&'static str, u64>,
    isa: &'static str,
    threads: Threads,
    memory: json::Memory,
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
    let measured = Measured::take(args, &model, Decoder::new(&model, &plan, cpu), threads, start);
    let footprint = Footprint::new(&file, &model, plan, tokenizer.size(), members);
    let report = Report {
        weight_bytes: model.weights().bytes_per_token(),
        kv_bytes: kv_bytes(args, &model, &plan),
        formats: formats(&file),
        isa,
        threads,
        memory: json::Memory::new(&footprint, measured.usage),
        measured,
    };
    print(args, &file, &report)?;
    Ok(Outcome::Done)
}

fn print(args: &Bench, file: &Gguf, report: &Report) -> Result<(), CliError> {
    let mut answer = Answer::new();
    match (args.json, args.csv) {
        (true, _) => answer.line(&show::json(args, file, report).to_string()),
        (_, true) => answer.print(&show::csv(report)),
        _ => answer.print(&show::table(args, file, report)),
    }
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
