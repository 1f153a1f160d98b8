//! Files that change while they are used, and things that are no files.

use super::{Endless, emulated, long_model};
use crate::util::{self, Siskin};
use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

#[test]
fn a_model_truncated_while_it_runs() {
    let siskin = Siskin::new();
    let path = long_model(&siskin);
    let endless = Endless::start(&siskin, &[]);
    OpenOptions::new().write(true).open(path).expect("the file").set_len(4096).expect("it shrinks");
    let run = endless.end();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.starts_with("siskin: error: long.gguf: a part of the file is lost"), "{}", run.stderr);
    assert!(run.stdout.starts_with(','), "what was said before stays: {}", run.stdout);
}

/// A prompt cache is read where it lies, as long as the command runs.
#[test]
fn a_prompt_cache_truncated_while_it_runs() {
    let siskin = Siskin::new();
    long_model(&siskin);
    let cached = ["generate", "-m", "long.gguf", "--cache", "p.cache", "-n", "1", "-t", "1"];
    siskin.run([&cached[..], &["Once upon a time"]].concat()).ok();
    let endless = Endless::start(&siskin, &["--cache", "p.cache"]);
    let path = siskin.dir.path().join("p.cache");
    OpenOptions::new().write(true).open(path).expect("the file").set_len(0).expect("it shrinks");
    let run = endless.end();
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    assert!(run.stderr.starts_with("siskin: error: p.cache: a part of the file is lost"), "{}", run.stderr);
    assert!(run.stdout.starts_with(','), "what was said before stays: {}", run.stdout);
}

/// Another cache takes its name while it is in use: the mapping keeps the old one.
#[test]
fn a_prompt_cache_replaced_while_it_runs_goes_on() {
    let siskin = Siskin::new();
    long_model(&siskin);
    let cached = ["generate", "-m", "long.gguf", "--cache", "p.cache", "-n", "1", "-t", "1"];
    siskin.run([&cached[..], &["Once upon a time"]].concat()).ok();
    let endless = Endless::start(&siskin, &["--cache", "p.cache"]);
    siskin.run([&cached[..], &["Another prompt, which is kept under the same name"]].concat()).ok();
    endless.signal("-INT");
    let run = endless.end();
    assert_eq!((run.code, run.stderr.as_str()), (Some(130), ""));
}

/// Renaming another file over it is how files should be replaced: the mapping keeps the old one.
#[test]
fn a_model_replaced_while_it_runs_goes_on() {
    let siskin = Siskin::new();
    let path = long_model(&siskin);
    let endless = Endless::start(&siskin, &[]);
    let other = siskin.file("other", b"no model");
    std::fs::rename(other, path).expect("a rename");
    endless.signal("-INT");
    let run = endless.end();
    assert_eq!((run.code, run.stderr.as_str()), (Some(130), ""));
}

/// Only faults in mapped files are ours: another SIGBUS does what it always did.
#[test]
fn a_sigbus_that_somebody_sends_keeps_its_meaning() {
    if emulated("the signal") {
        return;
    }
    let siskin = Siskin::new();
    long_model(&siskin);
    let mut endless = Endless::start(&siskin, &[]);
    // Rust's own handler takes the first for a fault that will come again
    while endless.child.try_wait().expect("a child").is_none() {
        endless.signal("-BUS");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let output = endless.child.wait_with_output().expect("siskin ends");
    assert_eq!((output.status.signal(), output.stderr.as_slice()), (Some(7), &b""[..]));
}

#[test]
fn models_that_are_no_files() {
    let siskin = Siskin::new();
    std::fs::create_dir(siskin.dir.path().join("folder.gguf")).expect("a folder");
    let fifo = Command::new("mkfifo").arg(siskin.dir.path().join("fifo.gguf")).status();
    assert!(fifo.expect("mkfifo runs").success());
    for path in ["folder.gguf", "fifo.gguf", "/dev/zero", "/dev/null"] {
        siskin.run(["generate", "-m", path, "x"]).fails(1, &[path, "Try the path of a .gguf file"]);
        siskin.run(["inspect", path]).fails(1, &[path]);
    }
    siskin.run(["generate", "-m", "missing.gguf", "x"]).fails(1, &["missing.gguf"]);
}

#[test]
fn models_that_are_empty_or_begin_well() {
    let siskin = Siskin::new();
    siskin.file("empty.gguf", b"");
    siskin.run(["generate", "-m", "empty.gguf", "x"]).fails(3, &["empty.gguf", "an empty file"]);
    let model = std::fs::read(util::model()).expect("the model");
    for len in [1, 4, 8, 24, 1000, 60_000, model.len() - 1] {
        siskin.file("cut.gguf", &model[..len]);
        siskin.run(["generate", "-m", "cut.gguf", "x"]).fails(3, &["cut.gguf"]);
    }
    siskin.file("zeros.gguf", &[0; 100_000]);
    siskin.run(["generate", "-m", "zeros.gguf", "x"]).fails(3, &["zeros.gguf"]);
}

#[test]
fn names_that_are_not_utf8() {
    let siskin = Siskin::new();
    let name = OsStr::from_bytes(b"m\xff\xfe.gguf");
    std::fs::copy(util::model(), siskin.dir.path().join(name)).expect("a copy");
    let args = |name: &OsStr| -> Vec<OsString> {
        let rest = ["-n", "3", "--temp", "0", "Once upon a time"].map(OsString::from);
        ["generate", "-m"].map(OsString::from).into_iter().chain([name.into()]).chain(rest).collect()
    };
    assert_eq!(siskin.run(args(name)).ok(), ", there was\n");
    siskin.run(args(OsStr::from_bytes(b"none\xff.gguf"))).fails(1, &["none"]);
}

#[test]
fn prompts_that_are_not_utf8() {
    let siskin = Siskin::new();
    let model = util::model();
    let latin = OsStr::from_bytes(b"caf\xe9");
    let args = [OsStr::new("generate"), OsStr::new("-m"), model.as_os_str(), latin];
    siskin.run(args).fails(2, &["UTF-8"]);
    siskin.file("latin.txt", b"caf\xe9");
    let args =
        [OsStr::new("generate"), OsStr::new("-m"), model.as_os_str(), "-f".as_ref(), "latin.txt".as_ref()];
    siskin.run(args).fails(1, &["latin.txt", "offset 3"]);
}

#[test]
fn prompts_that_never_end_or_are_no_files() {
    let siskin = Siskin::new();
    siskin.run(["generate", "-f", "/dev/zero"]).fails(1, &["/dev/zero", "more than 256 MiB"]);
    siskin.run(["generate", "-f", "."]).fails(1, &["directory"]);
    let mut command = super::after(&siskin, "exec < /dev/zero", ["chat"]);
    let chat = util::Run::from(command.output().expect("it starts"));
    chat.fails(1, &["longer than 64 MiB"]);
}
