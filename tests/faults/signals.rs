//! Signals that ask for an end.

use super::{Endless, long_model};
use crate::util::Siskin;

/// The text so far is there, with its line end, and the exit code is 128 and the signal's number.
fn ends(name: &str, code: i32) {
    let siskin = Siskin::new();
    long_model(&siskin);
    let endless = Endless::start(&siskin, &["--stats"]);
    endless.signal(name);
    let run = endless.end();
    assert_eq!(run.code, Some(code), "{}", run.stderr);
    assert!(run.stderr.contains("stopped: cancelled"), "{}", run.stderr);
    assert!(run.stdout.starts_with(',') && run.stdout.ends_with('\n'), "{:?}", run.stdout);
}

#[test]
fn sigint() {
    ends("-INT", 130);
}

#[test]
fn sigterm() {
    ends("-TERM", 143);
}

#[test]
fn sighup() {
    ends("-HUP", 129);
}

/// Whether a thread of the process waits for signals.
fn listens(process: u32) -> bool {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).expect("the process runs").flatten();
    let name =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(name).any(|name| name.trim() == "signals")
}

#[test]
fn json_is_whole_after_sigterm() {
    let siskin = Siskin::new();
    long_model(&siskin);
    let long = ["generate", "-m", "long.gguf", "-n", "20000", "--ignore-eos", "--json", "-t", "1", "Once"];
    let mut command = siskin.command(long);
    let child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn();
    let endless = Endless { child: child.expect("siskin starts"), first: 0 };
    // nothing is printed before the end; the thread that waits for signals tells that they are waited for
    while !listens(endless.child.id()) {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    endless.signal("-TERM");
    let run = crate::util::Run::from(endless.child.wait_with_output().expect("siskin ends"));
    assert_eq!(run.code, Some(143), "{}", run.stderr);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("an object");
    assert_eq!(json["stop"]["reason"], "cancelled");
}
