//! What can go wrong around the program, done to the real one: files that change or are none, outputs that take no more, signals, machines
//! without `/proc` or memory. Each test is named for its fault; docs/src/exit-codes.md lists them with their exit codes.
#![cfg(all(feature = "cli", target_os = "linux"))]

mod files;
mod large;
mod machine;
mod output;
mod signals;
#[path = "../util/mod.rs"]
mod util;

use std::ffi::OsStr;
use std::io::Read;
use std::process::{Child, Command, Stdio};
use util::{Run, Siskin};

/// The test model, with a context that takes long to fill, as `long.gguf`.
fn long_model(siskin: &Siskin) -> std::path::PathBuf {
    let mut bytes = std::fs::read(util::model()).expect("the model");
    let key = b"llama.context_length";
    let at = bytes.windows(key.len()).position(|window| window == key).expect("the key") + key.len() + 4;
    bytes[at..at + 4].copy_from_slice(&1_000_000u32.to_le_bytes());
    siskin.file("long.gguf", &bytes)
}

/// A run that goes on until something ends it.
struct Endless {
    child: Child,
    /// The beginning of what it printed.
    first: u8,
}

impl Endless {
    /// Starts it, and waits for its first byte.
    fn start(siskin: &Siskin, rest: &[&str]) -> Endless {
        let long = ["generate", "-m", "long.gguf", "--temp", "0", "-n", "20000", "--ignore-eos", "-t", "1"];
        let mut command = siskin.command(long.iter().chain(rest).chain(&["Once upon a time"]));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("siskin starts");
        let mut first = [0];
        child.stdout.as_mut().expect("a pipe").read_exact(&mut first).expect("it begins to speak");
        Endless { child, first: first[0] }
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.expect("kill runs").success());
    }

    fn end(self) -> Run {
        let mut run = Run::from(self.child.wait_with_output().expect("siskin ends"));
        run.stdout.insert(0, char::from(self.first));
        run
    }
}

/// Whether an emulator runs the command: what is done to a process is then done to the emulator.
fn emulated(what: &str) -> bool {
    let emulated = siskin_tools::emulated();
    if emulated {
        eprintln!("skipped: {what} would be the emulator's");
    }
    emulated
}

/// A command run by a shell that first does something to its own process, such as setting a limit.
fn after<S: AsRef<OsStr>>(siskin: &Siskin, preparation: &str, args: impl IntoIterator<Item = S>) -> Command {
    under(siskin, &["sh", "-c", &format!("{preparation} || exit 99; exec \"$@\""), "sh"], args)
}

/// The same in a mount namespace of its own, where anybody may mount; `None`, with a word about it, where the system does not allow
/// that; a failure when `SISKIN_REQUIRE` has `namespaces`.
fn in_namespace<S: AsRef<OsStr>>(
    siskin: &Siskin,
    preparation: &str,
    args: impl IntoIterator<Item = S>,
) -> Option<Command> {
    let unshare = |rest: &[&str]| Command::new("unshare").arg("-rm").args(rest).output();
    if emulated("a mount namespace") {
        return None;
    }
    if !unshare(&["mount", "-t", "tmpfs", "none", "/mnt"]).is_ok_and(|output| output.status.success()) {
        util::skip("namespaces", "this system has no mount namespaces for everybody");
        return None;
    }
    let script = format!("{preparation} || exit 99; exec \"$@\"");
    Some(under(siskin, &["unshare", "-rm", "sh", "-c", &script, "sh"], args))
}

/// The command as the last arguments of another.
fn under<S: AsRef<OsStr>>(siskin: &Siskin, words: &[&str], args: impl IntoIterator<Item = S>) -> Command {
    let inner = siskin.command(args);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).arg(inner.get_program()).args(inner.get_args()).current_dir(siskin.dir.path());
    command.env_remove("SISKIN_MODEL").env_remove("SISKIN_ISA");
    command
}

fn run(mut command: Command) -> Run {
    Run::from(command.stdin(Stdio::null()).output().expect("it starts"))
}
