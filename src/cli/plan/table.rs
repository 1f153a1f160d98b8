//! A plan for people: a table, and a picture of the memory.

use super::super::guard::slowness;
use super::super::report::many;
use super::{Lockable, Report};
use siskin::memory::{self, PROGRAM_BYTES, Size};
use std::fmt::Write;

/// Characters of the picture.
const WIDTH: u64 = 60;

/// The whole plan.
pub fn text(report: &Report<'_>) -> String {
    let mut out = Table(String::new());
    out.line("model", &report.name);
    out.line("job", &job(report));
    weights(report, &mut out);
    owned(report, &mut out);
    picture(report, &mut out);
    machine(report, &mut out);
    choices(report, &mut out);
    let ms = report.planned.as_secs_f64() * 1e3;
    out.line("planned in", &format!("{ms:.1} ms, from the header alone"));
    out.0
}

struct Table(String);

impl Table {
    fn line(&mut self, name: &str, text: &str) {
        // writing to a string does not fail
        let _ = writeln!(self.0, "{name:<12} {text}");
    }

    fn item(&mut self, bytes: u64, text: &str) {
        let _ = writeln!(self.0, "  {:>10}  {text}", Size(bytes).to_string());
    }
}

fn job(report: &Report<'_>) -> String {
    let (job, branches) = (&report.job, report.branches());
    let length = match (branches.count, job.extent.sinks) {
        (0, Some(sinks)) => {
            format!("endless text in a window of {} tokens, the first {sinks} for good", job.extent.positions)
        }
        (0, None) => format!("{} tokens of prompt and answer", job.extent.positions),
        (count, _) => {
            let (prompt, tail) = (job.extent.positions, branches.positions);
            let what = if job.options.beams { "beams" } else { "samples" };
            format!("{prompt} tokens of prompt, {count} {what} of {tail} tokens")
        }
    };
    let (context, kv_type, threads) = (job.context, job.options.kv_type.name(), job.threads);
    format!("{length}, of a context of {context}; keys and values {kv_type}, threads {threads}")
}

fn weights(report: &Report<'_>, out: &mut Table) {
    let footprint = &report.footprint;
    if footprint.weights > 0 {
        out.line("read", &format!("{} into owned memory (--no-mmap)", Size(footprint.weights)));
    } else {
        out.line(
            "mapped",
            &format!("{}, dropped and reread by the system as it likes", Size(footprint.mapped)),
        );
    }
    for group in memory::weight_groups(report.file) {
        out.item(group.bytes, &format!("{:<16} {:<8} {} tensors", group.group, group.ty, group.tensors));
    }
}

fn owned(report: &Report<'_>, out: &mut Table) {
    let (footprint, plan) = (&report.footprint, &report.footprint.plan);
    out.line("owned", &format!("{}, allocated before the first token", Size(footprint.owned())));
    if footprint.weights > 0 {
        out.item(footprint.weights, "weights          the file, read");
    }
    for group in memory::cache_groups(report.model.config(), plan) {
        let layers = many(group.layers, "layer");
        let what = format!("{layers}, {} positions, {}", group.positions, group.kv_type);
        out.item(group.bytes, &format!("kv: {:<12} {what}", group.kind));
    }
    out.item(plan.scratch as u64, &format!("scratch          batches of {} tokens", plan.batch));
    if plan.search > 0 {
        out.item(plan.search as u64, "search           logits and tokens of all continuations");
    }
    out.item(plan.tables as u64, "tables           norms, biases, where everything is");
    let about = if footprint.tokenizer.exact { "" } else { "estimated" };
    out.item(footprint.tokenizer.owned as u64, format!("tokenizer        {about}").trim_end());
    let besides = footprint.stacks + PROGRAM_BYTES;
    let stacks = Size(footprint.stacks);
    out.line(
        "besides",
        &format!("{}: stacks {stacks}, the program about {}", Size(besides), Size(PROGRAM_BYTES)),
    );
}

/// A line as wide as the memory that there is, or as what is needed if that is more.
fn picture(report: &Report<'_>, out: &mut Table) {
    let footprint = &report.footprint;
    let plan = &footprint.plan;
    let rest = footprint.needed() - plan.kv as u64 - footprint.weights;
    let parts = [(footprint.mapped + footprint.weights, 'w'), (plan.kv as u64, 'k'), (rest, 'o')];
    let all = footprint.address_space();
    let width = report.machine.available_memory().map_or(all, |available| available.max(all)).max(1);
    let mut bar = String::new();
    for (bytes, letter) in parts {
        let cells = (u128::from(bytes) * u128::from(WIDTH)).div_ceil(u128::from(width)) as usize;
        bar.extend(std::iter::repeat_n(letter, cells));
    }
    out.line("picture", &format!("[{bar:.<60}] {}", Size(width)));
    out.line("", "w weights, k keys and values, o other owned memory, . free");
}

fn machine(report: &Report<'_>, out: &mut Table) {
    let machine = report.machine;
    let size = |bytes: Option<u64>| bytes.map_or("unknown".to_owned(), |bytes| Size(bytes).to_string());
    out.line(
        "memory",
        &format!(
            "{} in all, {} available, {} of swap free",
            size(machine.total),
            size(machine.available),
            size(machine.swap_free)
        ),
    );
    for bound in report.budget.bounds() {
        let (needed, verdict) = (
            Size(bound.needed(&report.footprint)),
            if bound.allows(&report.footprint) { "fits" } else { "DOES NOT FIT" },
        );
        out.line("  bound", &format!("{} of {}: {needed} needed, {verdict}", Size(bound.bytes), bound.name));
    }
    if let Some(streamed) = report.budget.streamed(&report.footprint) {
        out.line("slow", &slowness(&streamed));
    }
    if let Some(lockable) = &report.lockable {
        out.line("lock", &lock(lockable));
    }
}

/// What `--lock` would do.
fn lock(&Lockable { weights, most, is_limited }: &Lockable) -> String {
    if most == weights {
        return format!("all {} of weights could be locked in memory", Size(weights));
    }
    let why = if is_limited {
        "that is the limit. Try a higher one (ulimit -l)"
    } else {
        "more would leave no memory for the rest. Try a smaller model or format"
    };
    format!("{} of {} of weights could be locked in memory: {why}", Size(most), Size(weights))
}

/// What fits, how fast it would be, and what else there is to choose.
fn choices(report: &Report<'_>, out: &mut Table) {
    let largest = match (report.largest, report.most_tokens()) {
        (Some(window), None) => format!("--window {window}"),
        (Some(context), Some(tokens)) if context == report.job.context => {
            format!("the whole context of {context} tokens fits: --max-tokens {tokens} after this prompt")
        }
        (Some(context), Some(tokens)) => {
            format!("--context {context}, or --max-tokens {tokens} after this prompt")
        }
        _ => "none".to_owned(),
    };
    out.line("largest", &largest);
    if let (Some(rate), Some(bandwidth)) = (report.tokens_per_second(), report.bandwidth) {
        let read = Size(report.footprint.bytes_per_token());
        let gb = bandwidth / 1e9;
        out.line(
            "speed",
            &format!("about {rate:.1} tokens/s if all stays in memory (estimate: {read} a token, memory read at {gb:.1} GB/s)"),
        );
    }
    let now = report.footprint.plan.kv as u64;
    let kinds =
        report.kv_types.iter().map(|&(kv_type, bytes)| format!("{} {}", kv_type.name(), change(bytes, now)));
    out.line("--kv-type", &kinds.collect::<Vec<_>>().join(", "));
    let weights: u64 = report.file.tensors().iter().map(|tensor| tensor.bytes()).sum();
    let formats =
        report.formats.iter().map(|&(format, bytes)| format!("{} {}", format.name(), change(bytes, weights)));
    let formats = formats.collect::<Vec<_>>().join(", ");
    if !formats.is_empty() {
        out.line("formats", &formats);
    }
}

/// A size, and what it is more or less than now.
fn change(bytes: u64, now: u64) -> String {
    let size = Size(bytes);
    match bytes.cmp(&now) {
        std::cmp::Ordering::Equal => format!("{size} (now)"),
        std::cmp::Ordering::Less => format!("{size} (saves {})", Size(now - bytes)),
        std::cmp::Ordering::Greater => format!("{size} (+ {})", Size(bytes - now)),
    }
}
