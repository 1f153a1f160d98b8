//! Where the commands of the pages are run: a shell that knows `siskin`, files that a reader would have, a hub.

use super::{Step, root, util};
#[cfg(feature = "download")]
use super::{hub, server};
use siskin_tools::synth::{Mix, Model, Shape};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use util::{Run, Siskin};

/// The text that perplexities are of.
const HELD_OUT: &str = "tools/train/heldout.txt";

/// Programs that commands may begin with, behind a pipe too: what a page says is run on the machine of whoever tests, so nothing
/// else is.
const HARMLESS: &[&str] =
    &["siskin", "cat", "cmp", "echo", "export", "for", "do", "done", "grep", "head", "printf", "wc"];

/// The repository that pages pull from.
#[cfg(feature = "download")]
const REPOSITORY: &str = "bartowski/SmolLM2-135M-Instruct-GGUF";

/// Where the commands of pages are run: `siskin` is the binary under test, whatever runs it.
pub struct Shell {
    siskin: Siskin,
    #[cfg(feature = "download")]
    pub hub: server::Server,
}

/// A hub with the repository that pages name, whose model is the built-in one.
#[cfg(feature = "download")]
fn start_hub() -> server::Server {
    let name = format!("{}-Q4_K_M.gguf", REPOSITORY.split(['/']).next_back().expect("a name"));
    let files = [hub::listed(&name.replace("-GGUF", ""), &hub::model_bytes())];
    server::Server::start(move |request| hub::reply_for(REPOSITORY, &files, request))
}

impl Shell {
    pub fn new() -> Shell {
        let siskin = Siskin::new();
        let command = siskin.command(["\"$@\""]);
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let line = words.map(|word| word.to_str().expect("a path in UTF-8")).collect::<Vec<_>>().join(" ");
        let script = siskin.file("siskin", format!("#!/bin/sh\nexec {line}\n").as_bytes());
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("a script");
        Shell {
            siskin,
            #[cfg(feature = "download")]
            hub: start_hub(),
        }
    }

    /// Runs a command, unless it is of programs that may not be run.
    pub fn run(&self, step: &Step, dir: &Path) -> Result<Run, String> {
        if let Some(program) = step.programs().find(|program| !HARMLESS.contains(program)) {
            return Err(format!("{program} may not be run: `<!-- not run: REASON -->`?"));
        }
        let mut bash = self.bash(&step.command, dir);
        bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = bash.spawn().expect("bash starts");
        // a command that does not read has gone when it is written
        let _ = child.stdin.take().expect("stdin is piped").write_all(step.typed.as_bytes());
        Ok(Run::from(child.wait_with_output().expect("bash ends")))
    }

    /// A script that has not been started.
    pub fn bash(&self, script: &str, dir: &Path) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut bash = Command::new("bash");
        bash.args(["-c", script]).current_dir(dir).env("HOME", dir);
        bash.env("PATH", format!("{}:{path}", self.siskin.dir.path().display()));
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| {
            name.to_str().is_some_and(|name| name.starts_with("SISKIN_") || name.starts_with("XDG_"))
        }) {
            bash.env_remove(name);
        }
        #[cfg(feature = "download")]
        bash.env("HF_ENDPOINT", self.hub.url("")).env("NO_PROXY", "127.0.0.1").env_remove("HF_TOKEN");
        bash
    }
}

/// The files that pages name, and do not make themselves, in place of those a reader has: the built-in model for one that
/// runs, a tiny one with float weights, and the header of a large one.
pub fn furnish(dir: &Path, page: &str) {
    fs::create_dir_all(dir.join("tools/train")).expect("a folder");
    fs::copy(root().join(HELD_OUT), dir.join(HELD_OUT)).expect("a text");
    let synth =
        |shape, mix| Model::new(Shape::named(shape).expect("a shape"), Mix::named(mix).expect("a mix"), 1);
    let quantizes = page.contains("siskin quantize builtin-F32.gguf");
    for name in ["model.gguf", "tinyllama-1.1b-Q4_K_M.gguf", "builtin-Q4_K_M.gguf", "builtin-F32.gguf"] {
        if page.contains(name) && !(name == "builtin-F32.gguf" && quantizes) {
            // a copy: a page may write to it
            fs::copy(root().join("models/builtin.gguf"), dir.join(name)).expect("a model");
        }
    }
    if quantizes {
        synth("tiny", "F32").save(&dir.join("builtin-F32.gguf")).expect("a model with float weights");
    }
    if page.contains("llama-3.2-1b-Q4_K_M.gguf") {
        let path = dir.join("llama-3.2-1b-Q4_K_M.gguf");
        fs::write(&path, synth("llama-3.2-1b", "Q4_K_M").header()).expect("a header");
        // a hole where the weights are
        fs::File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 30)).expect("a hole");
    }
}
