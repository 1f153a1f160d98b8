//! `siskin quantize`: a smaller model file out of one with F32, F16 or BF16 weights.

use super::args::Quantize;
use super::output::{self, Answer, message};
use super::setup::{self, Threads};
use super::signals::Signals;
use super::{CliError, Outcome, progress, report};
use indicatif::ProgressBar;
use serde::Serialize;
use siskin::gguf::Gguf;
use siskin::quantize::{Error, Plan};
use siskin::topology::Topology;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

/// `--json`.
#[derive(Serialize)]
struct Report {
    format: &'static str,
    bytes_before: u64,
    bytes: u64,
    bits_per_weight: f64,
    /// Tensors of each type.
    tensors: BTreeMap<&'static str, usize>,
    /// Tensors that could not have the format that they should have had.
    fallbacks: usize,
}

/// Runs the command.
pub fn run(args: &Quantize) -> Result<Outcome, CliError> {
    let cancelled = Signals::new().cancelled();
    let recipe = if args.pure { args.format.pure() } else { args.format };
    output::file("OUT", &args.output)?;
    let file = setup::open_path(&args.input)?;
    let plan = Plan::new(&file, &recipe)?;
    note_fallbacks(&plan);
    let topology = Topology::this_machine();
    let mut cpu = setup::cpu(&topology, Threads::new(&topology, args.threads, None)?)?;
    let bar = progress::bytes(plan.bytes());
    let outcome = plan.save(&args.output, &mut cpu.team, |bytes| advance(&bar, bytes, &cancelled));
    bar.finish_and_clear();
    match outcome {
        Err(Error::Cancelled) => return Ok(Outcome::Interrupted),
        outcome => outcome?,
    }
    print(&report(&file, &plan, recipe.name), args.json)?;
    Ok(Outcome::Done)
}

fn advance(bar: &ProgressBar, bytes: u64, cancelled: &AtomicBool) -> ControlFlow<()> {
    bar.inc(bytes);
    if cancelled.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// A line for each group of tensors whose rows do not fit the format that they should have had.
fn note_fallbacks(plan: &Plan<'_>) {
    let mut groups: BTreeMap<_, usize> = BTreeMap::new();
    for planned in plan.tensors() {
        if let Some(wanted) = planned.instead_of {
            *groups.entry((planned.tensor.cols(), wanted, planned.ty.name())).or_default() += 1;
        }
    }
    for ((cols, wanted, ty), count) in groups {
        let (name, block) = (wanted.name(), wanted.block_len());
        let tensors = report::many(count, "tensor");
        message(&format!(
            "{tensors} with rows of {cols}, no multiple of the {block} of {name}: {ty} instead"
        ));
    }
}

fn report(file: &Gguf, plan: &Plan<'_>, format: &'static str) -> Report {
    let mut tensors: BTreeMap<_, usize> = BTreeMap::new();
    plan.tensors().iter().for_each(|planned| *tensors.entry(planned.ty.name()).or_default() += 1);
    let weights: u64 = plan.tensors().iter().map(|planned| planned.tensor.elements()).sum();
    let data: u64 = plan.tensors().iter().map(|planned| planned.bytes()).sum();
    Report {
        format,
        bytes_before: file.file_bytes(),
        bytes: plan.bytes(),
        bits_per_weight: data as f64 * 8.0 / weights.max(1) as f64,
        tensors,
        fallbacks: plan.tensors().iter().filter(|planned| planned.instead_of.is_some()).count(),
    }
}

fn print(report: &Report, json: bool) -> Result<(), CliError> {
    let mut answer = Answer::new();
    if json {
        return answer.json(report);
    }
    let (before, after) = (report::bytes(report.bytes_before), report::bytes(report.bytes));
    answer.line(&format!("size     {before} -> {after}, {:.2} bits a weight", report.bits_per_weight))?;
    let tensors: Vec<String> = report.tensors.iter().map(|(name, count)| format!("{count} {name}")).collect();
    answer.line(&format!("tensors  {}", tensors.join(", ")))
}
