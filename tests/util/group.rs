//! Control groups with little memory, to run the command in: of version 1 or 2, which their files tell apart.

use super::skip;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A control group with so much memory and no swap; removed at the end.
pub struct Group(PathBuf);

impl Group {
    /// A group in the folder that `SISKIN_CGROUP` names, else where groups that limit memory usually are. `None`, with a word about it, where none
    /// can be made; a failure when `SISKIN_REQUIRE` has `cgroup`.
    pub fn new(name: &str, bytes: u64) -> Option<Group> {
        if siskin_tools::emulated() {
            eprintln!("skipped: what a control group has would be the emulator's");
            return None;
        }
        let usual = || ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].map(PathBuf::from).to_vec();
        let parents = std::env::var_os("SISKIN_CGROUP").map_or_else(usual, |parent| vec![parent.into()]);
        let mut reasons = String::new();
        for parent in parents {
            match Group::make(&parent, name, bytes) {
                Ok(group) => return Some(group),
                Err(error) => reasons += &format!(", {}: {error}", parent.display()),
            }
        }
        skip("cgroup", &format!("no control group can be made{reasons}"));
        None
    }

    fn make(parent: &Path, name: &str, bytes: u64) -> io::Result<Group> {
        // of version 2: its groups may limit memory if it says so, which it may have done already
        let control = parent.join("cgroup.subtree_control");
        if control.exists() {
            let _ = std::fs::write(control, "+memory");
        }
        let path = parent.join(format!("siskin-{name}-{}", std::process::id()));
        std::fs::create_dir(&path)?;
        let group = Group(path);
        group.limit(bytes)?;
        let joined = Command::new("sh").args(["-c", &group.join()]).output()?;
        if !joined.status.success() {
            return Err(io::Error::other("no process may be moved into its groups"));
        }
        Ok(group)
    }

    /// Sets the limits: of memory, and where swap is counted, of version 1 that of both together.
    fn limit(&self, bytes: u64) -> io::Result<()> {
        let limits = [
            [("memory.max", bytes), ("memory.swap.max", 0)],
            [("memory.limit_in_bytes", bytes), ("memory.memsw.limit_in_bytes", bytes)],
        ];
        let has = |file: &str| self.0.join(file).exists();
        let version = limits.into_iter().find(|[(file, _), _]| has(file));
        let version = version.ok_or_else(|| io::Error::other("its groups do not limit memory"))?;
        let present = version.into_iter().filter(|(file, _)| has(file));
        present.into_iter().try_for_each(|(file, bytes)| std::fs::write(self.0.join(file), bytes.to_string()))
    }

    /// What a shell says to move itself into the group.
    pub fn join(&self) -> String {
        format!("echo $$ > '{}/cgroup.procs'", self.0.display())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let removed = std::fs::remove_dir(&self.0);
        assert!(removed.is_ok() || std::thread::panicking(), "{}: {removed:?}", self.0.display());
    }
}
