//! Machines that lack something.

use super::{after, emulated, in_namespace, large, run};
use crate::util::group::Group;
use crate::util::{self, Siskin};
use std::ffi::OsStr;
use std::path::Path;

/// A short run, the same on every machine.
fn speak(model: &Path, tokens: &str) -> Vec<String> {
    let model = model.to_str().expect("a UTF-8 path");
    let words = ["generate", "-m", model, "-n", tokens, "--temp", "0", "--stats", "Once upon a time"];
    words.map(str::to_owned).into()
}

/// What it says.
const TEXT: &str = ", there was a clever little\n";

#[test]
fn no_proc_and_no_sys() {
    let siskin = Siskin::new();
    for without in ["/proc", "/sys"] {
        let hide = format!("mount -t tmpfs none {without}");
        for args in [speak(&util::model(), "6"), vec!["doctor".into()]] {
            let Some(command) = in_namespace(&siskin, &hide, &args) else { return };
            let text = run(command).ok();
            assert!(text == TEXT || text.contains("all kernel sets work"), "{without}: {text}");
        }
    }
}

#[test]
fn a_read_only_home() {
    let siskin = Siskin::new();
    std::fs::create_dir(siskin.dir.path().join("home")).expect("a folder");
    let read_only =
        "export HOME=$PWD/home; unset XDG_STATE_HOME XDG_CACHE_HOME; mount -t tmpfs -o ro none home";
    let Some(command) = in_namespace(&siskin, read_only, speak(&util::model(), "6")) else { return };
    assert_eq!(run(command).ok(), TEXT);
}

#[test]
fn no_home_at_all() {
    let siskin = Siskin::new();
    let mut command = siskin.command(speak(&util::model(), "6"));
    for name in ["HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "TMPDIR", "TERM", "LANG"] {
        command.env_remove(name);
    }
    assert_eq!(run(command).ok(), TEXT);
}

#[test]
fn half_a_gigabyte_of_address_space() {
    if emulated("the limit") {
        return;
    }
    let siskin = Siskin::new();
    assert_eq!(run(after(&siskin, "ulimit -v 524288", speak(&util::model(), "6"))).ok(), TEXT);
}

/// A model that is larger than the machine's memory is read from disk over and over, and says the same.
#[test]
fn a_machine_of_512_mb() {
    const MEMORY: u64 = 512 << 20;
    let Some(group) = Group::new("machine", MEMORY) else { return };
    let siskin = Siskin::new();
    // beside what was built, because `/tmp` may be memory, too
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let path = folder.path().join("large.gguf");
    assert!(large::write(&path, 240) > MEMORY + (16 << 20));
    let run = run(after(&siskin, &group.join(), speak(&path, "3")));
    assert!(run.stderr.contains("read from disk again for every token"), "{}", run.stderr);
    assert_eq!(run.ok(), ", there was\n");
}

#[test]
fn a_model_with_layers_of_zeros_says_what_it_said() {
    let siskin = Siskin::new();
    let path = siskin.dir.path().join("longer.gguf");
    large::write(&path, 2);
    let inspected = siskin.run([OsStr::new("inspect"), path.as_os_str()]).ok();
    assert!(inspected.contains("parameters           4066560"), "{inspected}");
    assert_eq!(siskin.run(speak(&path, "6")).ok(), TEXT);
}
