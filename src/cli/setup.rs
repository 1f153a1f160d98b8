//! What every command that runs a model needs: the file, the kernels, the threads.

use super::CliError;
use super::args::ModelArgs;
use super::guard::Guard;
use siskin::gguf::Gguf;
use siskin::kv::KvType;
use siskin::machine;
use siskin::model::{self, Ahead, Model, Plan};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin::topology::{Topology, bind_this_thread};
use siskin_simd::{Isa, Kernels};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Opens the model file that the user named.
pub fn open(args: &ModelArgs) -> Result<Gguf, CliError> {
    match &args.model {
        Some(path) => open_path(path),
        None => builtin(),
    }
}

/// The built-in model, and a line that says so.
#[cfg(feature = "builtin")]
fn builtin() -> Result<Gguf, CliError> {
    super::output::message("no model given, using the built-in one. -m FILE runs another");
    Ok(siskin::builtin::open()?)
}

#[cfg(not(feature = "builtin"))]
fn builtin() -> Result<Gguf, CliError> {
    Err(CliError::Usage("no model given. Try -m FILE, or set SISKIN_MODEL".into()))
}

/// Opens a model file, or a model of the cache by its name.
pub fn open_path(path: &Path) -> Result<Gguf, CliError> {
    Ok(Gguf::open(&locate(path)?)?)
}

/// Reads the model that the user named into memory, once `check` has seen its header.
pub fn read(args: &ModelArgs, check: impl Fn(&Gguf) -> Result<(), CliError>) -> Result<Gguf, CliError> {
    let Some(path) = &args.model else {
        check(&builtin()?)?;
        return copied();
    };
    let path = locate(path)?;
    check(&Gguf::open_header(&path)?)?;
    Ok(Gguf::read(&path)?)
}

/// The built-in model, in memory of its own.
#[cfg(feature = "builtin")]
fn copied() -> Result<Gguf, CliError> {
    Ok(Gguf::from_vec(siskin::builtin::FILE.to_vec())?)
}

#[cfg(not(feature = "builtin"))]
fn copied() -> Result<Gguf, CliError> {
    builtin()
}

/// A path, or where the cache has the model of that name.
#[cfg(feature = "download")]
fn locate(path: &Path) -> Result<PathBuf, CliError> {
    super::pull::locate(path)
}

#[cfg(not(feature = "download"))]
fn locate(path: &Path) -> Result<PathBuf, CliError> {
    Ok(path.to_owned())
}

/// The model in a file.
pub fn model(file: &Gguf) -> Result<Model, CliError> {
    Model::load(file).map_err(|error| match error {
        model::Error::Gguf(error) => error.into(),
        error => CliError::in_file(file.path(), error),
    })
}

/// The tokenizer in a file.
pub fn tokenizer(file: &Gguf) -> Result<Tokenizer, CliError> {
    Tokenizer::from_metadata(file.metadata()).map_err(|error| CliError::in_file(file.path(), error))
}

/// Model and tokenizer of a file that is to be run. While the tokenizer loads, other threads map the weights' pages, which would
/// otherwise be faults of the first token; once it has loaded, only what must be read from disk is waited for.
pub fn load(
    file: &Gguf,
    threads: Threads,
    cancelled: &AtomicBool,
    guard: Option<&Guard>,
) -> Result<(Model, Tokenizer), CliError> {
    let model = model(file)?;
    if let Some(guard) = guard {
        guard.before_loading(file, &model, threads.members())?;
    }
    let (loaded, failed) = (AtomicBool::new(false), AtomicBool::new(false));
    let wanted = || {
        if failed.load(Ordering::Relaxed) || cancelled.load(Ordering::Relaxed) {
            Ahead::Nothing
        } else if loaded.load(Ordering::Relaxed) {
            Ahead::OnDisk
        } else {
            Ahead::All
        }
    };
    let tokenizer = thread::scope(|scope| {
        // a thread that cannot be had is not missed: then the first token pays
        let _ = thread::Builder::new().spawn_scoped(scope, || model.prefault(threads.decode, wanted));
        let tokenizer = tokenizer(file);
        let flag = if tokenizer.is_ok() { &loaded } else { &failed };
        flag.store(true, Ordering::Relaxed);
        tokenizer
    })?;
    Ok((model, tokenizer))
}

/// How the user wants keys and values stored, if the model's heads can be.
pub fn kv_type(model: &Model, wanted: impl Into<KvType>) -> Result<KvType, CliError> {
    let wanted = wanted.into();
    let checked = model.config().check_kv(wanted);
    checked.map(|()| wanted).map_err(|error| CliError::Usage(format!("--kv-type: {error}")))
}

/// Asks the system for what a decoder will allocate, which is an error if it cannot be had.
pub fn require(plan: &Plan) -> Result<(), CliError> {
    let (positions, needed) = (plan.longest(), plan.owned());
    machine::require(needed).map_err(|needed| siskin::session::Error::Memory { positions, needed }.into())
}

/// How many threads a run uses.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// For generated tokens.
    pub decode: usize,
    /// For the prompt.
    pub prefill: usize,
}

impl Threads {
    /// Members of a team that is large enough for both.
    pub fn members(self) -> usize {
        self.decode.max(self.prefill)
    }

    /// A thread for each performance core.
    pub fn usual(topology: &Topology) -> Threads {
        let threads = topology.default_threads();
        Threads { decode: threads, prefill: threads }
    }

    /// What the user asked for, and otherwise the usual number.
    ///
    /// # Errors
    ///
    /// If it is 0, or more than a team may have.
    pub fn new(
        topology: &Topology,
        threads: Option<usize>,
        prefill: Option<usize>,
    ) -> Result<Threads, CliError> {
        for (flag, threads) in [("--threads", threads), ("--prefill-threads", prefill)] {
            let checked = threads.map_or(Ok(()), Team::check);
            checked.map_err(|error| CliError::Usage(format!("{flag}: {error}")))?;
        }
        let decode = threads.unwrap_or(Threads::usual(topology).decode);
        Ok(Threads { decode, prefill: prefill.unwrap_or(decode) })
    }
}

/// The kernels of this CPU, or the lower ones that `SISKIN_ISA` names, and a team of threads; where cores differ in speed, the
/// team and this thread are bound to the fast ones.
pub fn cpu(topology: &Topology, threads: Threads) -> Result<Cpu, CliError> {
    let kernels = match std::env::var("SISKIN_ISA") {
        Ok(name) if !name.is_empty() => forced_kernels(&name)?,
        _ => Kernels::best(),
    };
    let members = threads.members();
    let cpus = topology.placement(members);
    let team = Team::on_cpus(members, cpus.as_deref()).map_err(siskin::Error::Threads)?;
    if let Some(cpus) = cpus
        && let Err(error) = bind_this_thread(&cpus)
    {
        log::warn!("this thread cannot be bound to CPUs {cpus:?}: {error}");
    }
    Ok(Cpu { kernels, team })
}

fn forced_kernels(name: &str) -> Result<Kernels, CliError> {
    name.parse::<Isa>()
        .and_then(Kernels::new)
        .map_err(|error| CliError::Usage(format!("SISKIN_ISA: {error}")))
}
