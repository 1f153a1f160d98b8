//! `siskin pull`: downloads a model into the cache, after a look at its header: whether this machine can run it.

use super::args::Pull;
use super::output::{Answer, message};
use super::report;
use super::setup::Threads;
use super::{CliError, Outcome, signals};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use siskin::download::{self, Cache, Error, Event, Header, Options, Pulled, Reference};
use siskin::kv::KvType;
use siskin::model::{Job, Model, Plan, arch};
use siskin::tokenizer::Tokenizer;
use siskin::topology::{self, Topology};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Positions of the run that must fit: a short prompt and `generate`'s default length.
const POSITIONS: usize = 512;

/// Runs the command.
pub fn run(args: &Pull) -> Result<Outcome, CliError> {
    let Some(text) = &args.model else { return list() };
    let reference = Reference::parse(text)?;
    // without the query of a URL, which may be a signature
    let name = reference.to_string();
    let options = Options { retries: args.retries, ..Options::from_env()? };
    end_on_signal();
    let bar = Bar::new();
    let mut refusal = None;
    let mut check = |header: &Header<'_>| match verdict(header, &Machine::this()) {
        Verdict::Fits => true,
        Verdict::Tight(reason) => bar.say(&format!("warning: {name}: {reason}")),
        Verdict::Cannot { reason, .. } if args.force => bar.say(&format!("warning: {name}: {reason}")),
        Verdict::Cannot { code, reason } => {
            let text = format!("{name}: {reason}; --force downloads it all the same");
            refusal = Some(CliError::Refused { code, text });
            false
        }
    };
    let result = download::pull(&reference, &options, &mut |event| bar.show(&event), &mut check);
    bar.bar.finish_and_clear();
    match (result, refusal) {
        (Err(Error::Refused { .. }), Some(refusal)) => Err(refusal),
        (result, _) => done(&result?),
    }
}

/// The path goes to stdout, for scripts; what to do with it to stderr, for people.
fn done(pulled: &Pulled) -> Result<Outcome, CliError> {
    let state = match pulled.fetched {
        0 => "is in the cache already",
        _ => "downloaded",
    };
    let hash = if pulled.verified { "SHA-256 as stated" } else { "its source states no hash" };
    let (name, size) = (&pulled.name, report::bytes(pulled.bytes));
    message(&format!("{name}: {state}, {size}, {hash}. `siskin generate -m {name}` runs it"));
    Answer::new().line(&pulled.path.display().to_string())?;
    Ok(Outcome::Done)
}

/// `--list`.
fn list() -> Result<Outcome, CliError> {
    let cache = Cache::from_env()?;
    let models = cache.models();
    if models.is_empty() {
        message(&format!("no models in {}. `siskin pull OWNER/REPO` downloads one", cache.root().display()));
    }
    let width = models.iter().map(|model| model.name.chars().count()).max().unwrap_or(0);
    let mut answer = Answer::new();
    for model in models {
        let (name, size) = (model.name, report::bytes(model.bytes));
        answer.line(&format!("{name:<width$} {size:>9}  {}", model.path.display()))?;
    }
    Ok(Outcome::Done)
}

/// The file that `-m` means: a path that exists, or else a model in the cache.
pub fn locate(path: &Path) -> Result<PathBuf, CliError> {
    let given = || Ok(path.to_owned());
    let Some(text) = path.to_str().filter(|_| !path.exists()) else { return given() };
    // `folder/file.gguf` reads like OWNER/REPO, but surely is a path
    let is_path = text.ends_with(".gguf") && !text.contains(':');
    let (Ok(reference), Ok(cache), false) = (Reference::parse(text), Cache::from_env(), is_path) else {
        return given();
    };
    let root = cache.root().display();
    cache.find(&reference)?.ok_or_else(|| {
        let hint = format!("Try `siskin pull {text}`, which downloads it");
        CliError::Failed(format!("{text}: no such file, and no such model in {root}. {hint}"))
    })
}

/// What this machine has, in bytes; nothing is compared with what the system does not tell.
struct Machine {
    memory: Option<u64>,
    available: Option<u64>,
    threads: usize,
}

impl Machine {
    fn this() -> Machine {
        let threads = Threads::usual(&Topology::this_machine()).decode;
        Machine { memory: topology::total_memory(), available: topology::available_memory(), threads }
    }
}

/// Whether a machine can run a model.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Fits,
    /// It can, but not now, or slowly.
    Tight(String),
    /// It cannot; with the exit code.
    Cannot {
        code: u8,
        reason: String,
    },
}

/// Weights larger than all memory would be read from disk anew for each token, which is no way to run a model: that is refused.
/// Weights larger than what is available now may fit once other programs have ended: that is a warning.
fn verdict(header: &Header<'_>, machine: &Machine) -> Verdict {
    let size = report::bytes;
    let owned = match owned(header, machine.threads) {
        Ok(owned) => owned,
        Err(reason) => return Verdict::Cannot { code: 3, reason },
    };
    match (machine.memory, machine.available) {
        (Some(memory), _) if header.bytes.saturating_add(owned) > memory => Verdict::Cannot {
            code: 4,
            reason: format!(
                "needs {} for weights and {} besides, more than the {} of this machine: every token would be read from disk. Try a smaller model or format",
                size(header.bytes),
                size(owned),
                size(memory)
            ),
        },
        (_, Some(available)) if header.bytes.saturating_add(owned) > available => Verdict::Tight(format!(
            "needs {} for weights and {} besides, but {} are available now: it will be slow unless other programs end",
            size(header.bytes),
            size(owned),
            size(available)
        )),
        _ => Verdict::Fits,
    }
}

/// Bytes that a short run allocates, or why the model cannot be run. The tensors of a split model are in all its parts, so only
/// the family of such a model is looked at.
fn owned(header: &Header<'_>, threads: usize) -> Result<u64, String> {
    let metadata = header.gguf.metadata();
    if header.files > 1 {
        return arch::config(metadata).map(|_| 0).map_err(|error| error.to_string());
    }
    let model = Model::load(header.gguf).map_err(|error| error.to_string())?;
    Tokenizer::from_metadata(metadata).map_err(|error| error.to_string())?;
    let job = Job { positions: POSITIONS, kv_type: KvType::F16, threads, ..Job::default() };
    Ok(Plan::new(&model, job).map_or(u64::MAX, |plan| plan.owned() as u64))
}

/// Ctrl-C ends the program at once: what has been fetched is on disk, and the next run goes on from there.
fn end_on_signal() {
    signals::on_end(|| {
        message("interrupted. What is here is kept: the same command goes on from there");
        std::process::exit(signals::exit_code().into());
    });
}

/// A progress bar on stderr if a person watches, and otherwise a line where something happens.
struct Bar {
    bar: ProgressBar,
}

impl Bar {
    fn new() -> Bar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        let style = "{msg} {bar:30} {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec}, {eta} left";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        Bar { bar }
    }

    /// A line above the bar; true, so that a check goes on.
    fn say(&self, text: &str) -> bool {
        self.bar.suspend(|| message(text));
        true
    }

    fn show(&self, event: &Event<'_>) {
        match event {
            Event::File { present: true, .. } => {}
            Event::File { name, number, count, bytes, .. } => {
                let which = if *count > 1 { format!(" ({number} of {count})") } else { String::new() };
                if self.bar.is_hidden() {
                    message(&format!("{name}{which}: {}", report::bytes(*bytes)));
                }
                self.bar.set_message(format!("{name}{which}"));
                self.bar.set_length(*bytes);
                self.bar.reset();
            }
            Event::Progress { bytes } => self.bar.set_position(*bytes),
            Event::Resumed { bytes } => {
                self.bar.reset_eta();
                if self.bar.is_hidden() {
                    message(&format!("{} are there already", report::bytes(*bytes)));
                }
            }
            Event::Restarted => {
                self.bar.reset();
                self.say("it begins from the start: the server cannot go on in the middle, or what was there was damaged");
            }
            Event::Waiting { error, wait } => {
                self.say(&format!("{error}; trying again in {:.1} s", wait.as_secs_f64()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use siskin::gguf::Gguf;

    const MODEL: &[u8] = include_bytes!("../../models/builtin.gguf");

    fn on(memory: u64, available: u64, bytes: u64, files: usize) -> Verdict {
        let gguf = Gguf::from_static(MODEL).unwrap();
        let machine = Machine { memory: Some(memory), available: Some(available), threads: 2 };
        verdict(&Header { gguf: &gguf, bytes, files }, &machine)
    }

    #[test]
    fn what_fits_and_what_does_not() {
        let (mib, gib) = (1 << 20, 1 << 30);
        assert_eq!(on(gib, gib, 2 * mib, 1), Verdict::Fits);
        assert!(
            matches!(on(gib, 2 * mib, 2 * mib, 1), Verdict::Tight(reason) if reason.contains("available"))
        );
        assert!(matches!(on(gib, gib, 2 * gib, 1), Verdict::Cannot { code: 4, .. }));
        assert!(matches!(on(gib, gib, 2 * gib, 3), Verdict::Cannot { code: 4, .. }));
        let gguf = Gguf::from_static(MODEL).unwrap();
        let unknown = Machine { memory: None, available: None, threads: 2 };
        assert_eq!(verdict(&Header { gguf: &gguf, bytes: u64::MAX, files: 1 }, &unknown), Verdict::Fits);
    }

    #[test]
    fn what_cannot_be_run_is_refused() {
        let empty = Gguf::from_static(b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
        let machine = Machine { memory: Some(1 << 30), available: Some(1 << 30), threads: 2 };
        for files in [1, 2] {
            let verdict = verdict(&Header { gguf: &empty, bytes: 24, files }, &machine);
            assert!(matches!(verdict, Verdict::Cannot { code: 3, .. }), "{verdict:?}");
        }
    }
}
