//! Machines that lack something.

use super::{after, emulated, in_namespace, run};
use crate::util::{self, Siskin};
use std::path::{Path, PathBuf};

/// A short run, the same on every machine.
fn speak() -> Vec<String> {
    let model = util::model().to_str().expect("a UTF-8 path").to_owned();
    let words = ["generate", "-m", &model, "-n", "6", "--temp", "0", "--stats", "Once upon a time"];
    words.map(str::to_owned).into()
}

/// What it says.
const TEXT: &str = ", there was a clever little\n";

#[test]
fn no_proc_and_no_sys() {
    let siskin = Siskin::new();
    for without in ["/proc", "/sys"] {
        let hide = format!("mount -t tmpfs none {without}");
        for args in [speak(), vec!["doctor".into()]] {
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
    let Some(command) = in_namespace(&siskin, read_only, speak()) else { return };
    assert_eq!(run(command).ok(), TEXT);
}

#[test]
fn no_home_at_all() {
    let siskin = Siskin::new();
    let mut command = siskin.command(speak());
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
    assert_eq!(run(after(&siskin, "ulimit -v 524288", speak())).ok(), TEXT);
}

/// A control group of 512 MiB, if this process may make one; removed in the end.
struct Group(PathBuf);

impl Group {
    fn new() -> Option<Group> {
        let limits = [("memory", "memory.limit_in_bytes"), ("", "memory.max")];
        let group = limits.into_iter().find_map(|(folder, limit)| {
            let root = Path::new("/sys/fs/cgroup").join(folder);
            let group = Group(root.join(format!("siskin-test-{}", std::process::id())));
            std::fs::create_dir(&group.0).ok()?;
            std::fs::write(group.0.join(limit), "536870912").ok()?;
            Some(group)
        });
        if group.is_none() {
            eprintln!("skipped: no control group can be made here");
        }
        group
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

#[test]
fn a_machine_of_512_mb() {
    let Some(group) = Group::new() else { return };
    let siskin = Siskin::new();
    let join = format!("echo $$ > {}/cgroup.procs", group.0.display());
    assert_eq!(run(after(&siskin, &join, speak())).ok(), TEXT);
}
