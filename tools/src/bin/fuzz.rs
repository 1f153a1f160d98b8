//! `fuzz TARGET`: feeds a part of siskin with hostile input, and watches for panics, cases that take too long, and memory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use siskin_tools::fuzz::{self, Cases, Report, TARGETS, Target, Watch};
use siskin_tools::meter;

#[global_allocator]
static ALLOCATOR: meter::Counting = meter::Counting;

/// Feeds parts of siskin with hostile input. The same seed and number is the same case everywhere.
#[derive(Parser)]
struct Args {
    /// gguf, metadata, tokenizer, detokenizer, template, stop, or all
    target: String,
    /// How many cases
    #[arg(long, default_value_t = 100_000)]
    cases: u64,
    /// Number of the first case
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Chooses the damage
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A case may take so many milliseconds; a longer one ends the program
    #[arg(long, default_value_t = 1000)]
    limit: u64,
    /// Write the input of each failed case into this folder
    #[arg(long, value_name = "FOLDER")]
    failures: Option<PathBuf>,
    /// Run nothing, but write the sound inputs into FOLDER/TARGET, as cargo-fuzz wants its corpus
    #[arg(long, value_name = "FOLDER")]
    seeds: Option<PathBuf>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let targets: Vec<Target> =
        TARGETS.into_iter().filter(|target| args.target == "all" || args.target == target.name).collect();
    if targets.is_empty() {
        eprintln!(
            "error: no target is named {}. Try one of: {}",
            args.target,
            TARGETS.map(|t| t.name).join(", ")
        );
        return ExitCode::from(2);
    }
    let outcome = match &args.seeds {
        Some(folder) => targets.iter().try_for_each(|target| write_seeds(target, folder)).map(|()| true),
        None => targets.iter().try_fold(true, |sound, target| Ok(feed(target, &args)? && sound)),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write_seeds(target: &Target, folder: &Path) -> std::io::Result<()> {
    let folder = folder.join(target.name);
    std::fs::create_dir_all(&folder)?;
    for (i, seed) in (target.seeds)().iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{i:02}")), seed)?;
    }
    Ok(())
}

/// Runs the cases of a target; whether all went well.
fn feed(target: &Target, args: &Args) -> std::io::Result<bool> {
    let watch = Watch::default();
    look_after(target.name, watch.clone(), Duration::from_millis(args.limit));
    let start = Instant::now();
    let cases = Cases { seed: args.seed, first: args.first, count: args.cases };
    let report = fuzz::run(target, cases, &watch);
    show(target, &report, start.elapsed());
    if let Some(folder) = &args.failures {
        std::fs::create_dir_all(folder)?;
        for failure in &report.failures {
            std::fs::write(folder.join(format!("{}-{}", target.name, failure.number)), &failure.input)?;
        }
    }
    Ok(report.failures.is_empty())
}

fn show(target: &Target, report: &Report, time: Duration) {
    for failure in &report.failures {
        println!("{}: case {}: {}", target.name, failure.number, failure.reason);
    }
    println!(
        "{}: {} cases in {:.1} s, {} failed; slowest {:.1} ms (case {}), most memory {} bytes (case {})",
        target.name,
        report.cases,
        time.as_secs_f64(),
        report.failures.len(),
        report.slowest.0.as_secs_f64() * 1e3,
        report.slowest.1,
        report.most_memory.0,
        report.most_memory.1,
    );
}

/// Ends the program when a case takes too long: nothing else could end it.
fn look_after(name: &'static str, watch: Watch, limit: Duration) {
    thread::spawn(move || {
        loop {
            thread::sleep(Duration::from_millis(50));
            if let Some(number) = watch.overdue(limit) {
                println!("{name}: case {number} takes longer than {} ms", limit.as_millis());
                std::process::exit(1);
            }
        }
    });
}
