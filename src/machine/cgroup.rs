//! Control groups (cgroup-v2 and cgroup-v1 of the Linux kernel's documentation): the memory limits of every group from the process's own up to
//! the one that is mounted. For [`super::Machine`].

use std::fs;
use std::path::{Path, PathBuf};

/// Larger limits are none: version 1 writes the largest number of pages where there is no limit.
const UNLIMITED: u64 = 1 << 60;

/// A control group with a limit, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Its name: the path below the mounted hierarchy, `/` for the topmost one that can be seen.
    pub name: String,
    /// The most memory that the group may have: the lower of `memory.max` and `memory.high`, beyond which it is slowed down to a
    /// standstill.
    pub limit: u64,
    /// What it has, without cached file pages and what else can be dropped.
    pub used: u64,
    /// Swap that it may still use.
    pub swap_left: u64,
}

impl Group {
    /// Memory that can still be had, without swap.
    pub fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// The groups of this process that have limits, the innermost first; of both versions, if both are there.
pub(super) fn groups(root: &Path, swap_free: u64) -> Vec<Group> {
    let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
    let (own, mounts) = (text("proc/self/cgroup"), text("proc/self/mountinfo"));
    let hierarchies = [Version::Two, Version::One].into_iter().filter_map(|version| {
        let mount = Mount::find(&mounts, version).unwrap_or_else(|| Mount::usual(version));
        Some(Hierarchy { version, path: version.path(&own)?, mount, swap_free })
    });
    hierarchies.flat_map(|hierarchy| hierarchy.groups(root)).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

impl Version {
    /// The process's group: of version 2 the line `0::PATH`, of version 1 that of the controller `memory`.
    fn path(self, own: &str) -> Option<&str> {
        own.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let is_it = match self {
                Version::Two => id == "0" && controllers.is_empty(),
                Version::One => controllers.split(',').any(|name| name == "memory"),
            };
            is_it.then_some(path)
        })
    }
}

/// Where a hierarchy is mounted.
struct Mount {
    /// The group that stands at the mount point: not `/` in many containers.
    top: String,
    /// The mount point.
    at: PathBuf,
}

impl Mount {
    fn usual(version: Version) -> Mount {
        let at = match version {
            Version::Two => "/sys/fs/cgroup",
            Version::One => "/sys/fs/cgroup/memory",
        };
        Mount { top: "/".into(), at: at.into() }
    }

    /// From `proc/self/mountinfo`: `ID PARENT DEVICE ROOT POINT OPTIONS ... - TYPE SOURCE SUPER_OPTIONS`.
    fn find(mounts: &str, version: Version) -> Option<Mount> {
        mounts.lines().find_map(|line| {
            let (place, kind) = line.split_once(" - ")?;
            let mut kind = kind.split(' ');
            let (ty, options) = (kind.next()?, kind.nth(1)?);
            let is_it = match version {
                Version::Two => ty == "cgroup2",
                Version::One => ty == "cgroup" && options.split(',').any(|option| option == "memory"),
            };
            let mut place = place.split(' ').skip(3);
            let (top, at) = (place.next()?, place.next()?);
            is_it.then(|| Mount { top: top.to_owned(), at: at.into() })
        })
    }
}

/// The groups of a process in one hierarchy.
struct Hierarchy<'a> {
    version: Version,
    /// The innermost group.
    path: &'a str,
    mount: Mount,
    swap_free: u64,
}

impl Hierarchy<'_> {
    fn groups(&self, root: &Path) -> Vec<Group> {
        let at = root.join(self.mount.at.strip_prefix("/").unwrap_or(&self.mount.at));
        // a container may see its own group at the mount point although the path is the host's
        let below = self.path.strip_prefix(self.mount.top.trim_end_matches('/')).unwrap_or("/");
        let below = Path::new(below.trim_start_matches('/'));
        let seen = if at.join(below).is_dir() { below } else { Path::new("") };
        let name = |below: &Path| format!("/{}", below.display());
        seen.ancestors().filter_map(|below| self.group(name(below), &at.join(below))).collect()
    }

    /// The group of a folder, if it has a limit.
    fn group(&self, name: String, folder: &Path) -> Option<Group> {
        let number = |file: &str| {
            let text = fs::read_to_string(folder.join(file)).ok()?;
            text.trim().parse::<u64>().ok().filter(|&n| n < UNLIMITED)
        };
        let (limits, current, prefix) = match self.version {
            Version::Two => (["memory.max", "memory.high"], "memory.current", ""),
            Version::One => {
                (["memory.limit_in_bytes", "memory.limit_in_bytes"], "memory.usage_in_bytes", "total_")
            }
        };
        let limit = limits.into_iter().filter_map(number).min()?;
        let dropped = reclaimable(folder, prefix);
        let used = number(current).unwrap_or(0).saturating_sub(dropped);
        let swap = match self.version {
            Version::Two => left(&number, "memory.swap.max", "memory.swap.current", 0),
            // memory and swap together: what memory cannot be had of them is swap
            Version::One => {
                left(&number, "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", dropped)
                    .map(|both| both.saturating_sub(limit.saturating_sub(used)))
            }
        };
        let swap_left = swap.map_or(self.swap_free, |swap| swap.min(self.swap_free));
        Some(Group { name, limit, used, swap_left })
    }
}

/// What is left of a limit, if there is one: with what can be `dropped` of the use.
fn left(number: &impl Fn(&str) -> Option<u64>, limit: &str, usage: &str, dropped: u64) -> Option<u64> {
    let used = number(usage).unwrap_or(0).saturating_sub(dropped);
    Some(number(limit)?.saturating_sub(used))
}

/// What the system drops first when memory is short: file pages and the kernel's caches.
fn reclaimable(folder: &Path, prefix: &str) -> u64 {
    let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
    let value = |line: &str| -> Option<u64> {
        let (name, value) = line.split_once(' ')?;
        let name = name.strip_prefix(prefix)?;
        ["inactive_file", "active_file", "slab_reclaimable"].contains(&name).then(|| value.parse().ok())?
    };
    stat.lines().filter_map(value).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up system.
    struct Made(tempfile::TempDir);

    impl Made {
        fn new(files: &[(&str, &str)]) -> Made {
            let made = Made(tempfile::tempdir().unwrap());
            for (path, text) in files {
                let path = made.0.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            made
        }

        fn groups(&self) -> Vec<(String, u64, u64)> {
            let groups = groups(self.0.path(), 1000);
            groups.into_iter().map(|group| (group.name, group.limit, group.used)).collect()
        }
    }

    const V2: &str = "35 24 0:30 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";

    #[test]
    fn version_2_nested() {
        let made = Made::new(&[
            ("proc/self/cgroup", "0::/user.slice/app.scope\n"),
            ("proc/self/mountinfo", V2),
            ("sys/fs/cgroup/user.slice/app.scope/memory.max", "max\n"),
            ("sys/fs/cgroup/user.slice/app.scope/memory.high", "5000\n"),
            ("sys/fs/cgroup/user.slice/app.scope/memory.current", "3000\n"),
            (
                "sys/fs/cgroup/user.slice/app.scope/memory.stat",
                "anon 500\nfile 2400\ninactive_file 2000\nactive_file 300\nslab_reclaimable 100\n",
            ),
            ("sys/fs/cgroup/user.slice/memory.max", "4000\n"),
            ("sys/fs/cgroup/user.slice/memory.high", "max\n"),
            ("sys/fs/cgroup/user.slice/memory.swap.max", "300\n"),
            ("sys/fs/cgroup/user.slice/memory.swap.current", "100\n"),
            ("sys/fs/cgroup/user.slice/memory.current", "3500\n"),
        ]);
        let expected = [("/user.slice/app.scope".into(), 5000, 600), ("/user.slice".into(), 4000, 3500)];
        assert_eq!(made.groups(), expected);
        let swap: Vec<u64> = groups(made.0.path(), 1000).iter().map(|group| group.swap_left).collect();
        assert_eq!(swap, [1000, 200]);
    }

    #[test]
    fn version_1_nested() {
        let made = Made::new(&[
            ("proc/self/cgroup", "9:name=systemd:/x\n4:cpu,memory:/a/b\n0::/\n"),
            (
                "proc/self/mountinfo",
                "31 30 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
                 32 30 0:27 / /mnt/memory rw shared:9 - cgroup cgroup rw,memory\n",
            ),
            ("mnt/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n"),
            ("mnt/memory/a/memory.limit_in_bytes", "10000\n"),
            ("mnt/memory/a/memory.usage_in_bytes", "9000\n"),
            (
                "mnt/memory/a/memory.stat",
                "inactive_file 1\ntotal_inactive_file 6000\ntotal_active_file 500\n",
            ),
        ]);
        assert_eq!(made.groups(), [("/a".into(), 10_000, 2500)]);
    }

    /// Memory and swap have one limit together: what is left of it beside the memory is swap.
    #[test]
    fn version_1_swap() {
        let left = |files: &[(&str, &str)]| {
            let memory: [(&str, &str); 4] = [
                ("proc/self/cgroup", "4:memory:/a\n"),
                ("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "10000\n"),
                ("sys/fs/cgroup/memory/a/memory.usage_in_bytes", "9000\n"),
                ("sys/fs/cgroup/memory/a/memory.stat", "total_inactive_file 6500\n"),
            ];
            let made = Made::new(&[&memory[..], files].concat());
            let [group] = &groups(made.0.path(), 1000)[..] else { panic!("one group") };
            assert_eq!((group.limit, group.used), (10_000, 2500));
            group.swap_left
        };
        let limit = |bytes| ("sys/fs/cgroup/memory/a/memory.memsw.limit_in_bytes", bytes);
        let usage = |bytes| ("sys/fs/cgroup/memory/a/memory.memsw.usage_in_bytes", bytes);
        // no accounting of swap, and no limit of it
        assert_eq!(left(&[]), 1000);
        assert_eq!(left(&[limit("9223372036854771712"), usage("9000")]), 1000);
        // no swap beside the memory; 700 of it, of which 300 are taken; more than is free
        assert_eq!(left(&[limit("10000"), usage("9000")]), 0);
        assert_eq!(left(&[limit("10700"), usage("9300")]), 400);
        assert_eq!(left(&[limit("20000"), usage("9000")]), 1000);
        assert_eq!(left(&[limit("10000"), usage("9999")]), 0);
    }

    /// Without a namespace of its own, a container sees its group at the mount point and the host's path in `proc`.
    #[test]
    fn a_container() {
        let own = ("proc/self/cgroup", "0::/docker/4711\n");
        let limit = ("sys/fs/cgroup/memory.max", "7000\n");
        let mounted = V2.replace(" / /sys", " /docker/4711 /sys");
        for mountinfo in [V2, mounted.as_str(), ""] {
            let made = Made::new(&[own, limit, ("proc/self/mountinfo", mountinfo)]);
            assert_eq!(made.groups(), [("/".into(), 7000, 0)], "{mountinfo}");
        }
    }

    #[test]
    fn without_limits_there_are_no_groups() {
        assert_eq!(Made::new(&[]).groups(), []);
        let made = Made::new(&[
            ("proc/self/cgroup", "0::/a\nnonsense\n"),
            ("proc/self/mountinfo", "nonsense - x\n"),
            ("sys/fs/cgroup/a/memory.max", "max\n"),
            ("sys/fs/cgroup/memory.max", "many\n"),
        ]);
        assert_eq!(made.groups(), []);
    }
}
