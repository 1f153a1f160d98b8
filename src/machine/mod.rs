//! What memory this machine, its control groups and its limits leave to this process. For `memory`, which compares it with a plan, and for
//! `topology`. Read from the files of Linux; elsewhere nothing is known, and nothing is then compared.
//!
//! Cached file pages count as available everywhere: the system drops them when somebody needs the memory. That is why the use of a control
//! group is counted without its file cache, at every level of the hierarchy.

mod cgroup;
mod size;

pub use cgroup::Group;
pub use size::Size;

use std::fs;
use std::hint::black_box;
use std::path::Path;

/// Bytes that allocators may need beside what is asked of them.
const SLACK: usize = 256 << 10;

/// Something of which a process may have so much, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The most.
    pub most: u64,
    /// What the process has already.
    pub used: u64,
}

impl Limit {
    /// What is left.
    pub fn left(&self) -> u64 {
        self.most.saturating_sub(self.used)
    }
}

/// Memory, in bytes; `None` where the system does not tell, or there is no limit.
///
/// ```
/// use siskin::machine::Machine;
///
/// match Machine::this().available_memory() {
///     Some(bytes) => println!("{bytes} bytes can be had"),
///     None => println!("this system does not tell"),
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// All memory (`MemTotal`).
    pub total: Option<u64>,
    /// What can be had without driving out what is in use (`MemAvailable`).
    pub available: Option<u64>,
    /// Free space of swap.
    pub swap_free: Option<u64>,
    /// The control groups with a limit that the process is in, the innermost first.
    pub groups: Vec<Group>,
    /// Address space (`RLIMIT_AS`, `ulimit -v`): mapped files count too.
    pub address_space: Option<Limit>,
    /// Address space that a 32-bit program has at all, whatever its limits; `None` for others.
    pub addresses: Option<Limit>,
    /// Private writable memory (`RLIMIT_DATA`, `ulimit -d`).
    pub data: Option<Limit>,
    /// Memory that may be locked (`RLIMIT_MEMLOCK`, `ulimit -l`); none for who may lock anything (`CAP_IPC_LOCK`).
    pub locked: Option<Limit>,
}

impl Machine {
    /// This machine, as it is now.
    pub fn this() -> Machine {
        Machine::read(Path::new("/"))
    }

    /// The machine that the files under `root` describe: `proc/meminfo`, `proc/self/*`, and the control groups where `proc/self/mountinfo` says
    /// that they are mounted, below `root` as well.
    pub fn read(root: &Path) -> Machine {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let (meminfo, status, limits) =
            (text("proc/meminfo"), text("proc/self/status"), text("proc/self/limits"));
        let rlimit = |name, used| {
            Some(Limit { most: soft_limit(&limits, name)?, used: kib(&status, used).unwrap_or(0) })
        };
        let swap_free = kib(&meminfo, "SwapFree:");
        Machine {
            total: kib(&meminfo, "MemTotal:"),
            available: kib(&meminfo, "MemAvailable:").or_else(|| kib(&meminfo, "MemFree:")),
            swap_free,
            groups: cgroup::groups(root, swap_free.unwrap_or(0)),
            address_space: rlimit("Max address space", "VmSize:"),
            addresses: if usize::BITS < 64 { addresses(&text("proc/self/maps")) } else { None },
            data: rlimit("Max data size", "VmData:"),
            locked: if may_lock(&status) { None } else { rlimit("Max locked memory", "VmLck:") },
        }
    }

    /// Memory that can be had without driving out what is in use, within the limits of the control groups; no swap.
    pub fn available_memory(&self) -> Option<u64> {
        self.groups.iter().map(Group::left).chain(self.available).min()
    }

    /// All memory, within the limits of the control groups.
    pub fn total_memory(&self) -> Option<u64> {
        self.groups.iter().map(|group| group.limit).chain(self.total).min()
    }
}

/// Asks the system for so many bytes in one piece and gives them back, so that a refusal is an error and no abort: what is allocated right after
/// this, in smaller pieces, fits, unless another thread takes it. It takes no memory, because nothing is touched.
///
/// # Errors
///
/// The number of bytes, if they cannot be had.
pub fn require(bytes: usize) -> Result<(), usize> {
    let mut all: Vec<u8> = Vec::new();
    all.try_reserve_exact(bytes.saturating_add(SLACK)).map_err(|_| bytes)?;
    // so that nobody takes this for useless
    black_box(&mut all);
    Ok(())
}

/// A line such as `MemTotal:  1234 kB`, in bytes.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The address space of a 32-bit process by the list of its mappings: its end is not far above the stack, where the kernel begins, at 2, 3 or
/// nearly 4 GiB. Emulators that put the stack elsewhere have more.
fn addresses(maps: &str) -> Option<Limit> {
    const STEP: u64 = 256 << 20;
    let range = |line: &str| {
        let (start, end) = line.split_once(' ')?.0.split_once('-')?;
        Some((u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?))
    };
    let (_, top) = range(maps.lines().find(|line| line.ends_with("[stack]"))?)?;
    let used = maps.lines().filter_map(range).map(|(start, end)| end.saturating_sub(start)).sum();
    Some(Limit { most: top.checked_next_multiple_of(STEP)?, used })
}

/// Whether a process has the capability to lock memory beyond its limit.
fn may_lock(status: &str) -> bool {
    const IPC_LOCK: u64 = 1 << 14;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|set| u64::from_str_radix(set.trim(), 16).ok());
    effective.is_some_and(|set| set & IPC_LOCK != 0)
}

/// The soft limit of a line of `proc/self/limits`; `None` if it is unlimited.
fn soft_limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn what_the_files_say() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        assert_eq!(Machine::read(root), Machine::default());
        write(
            root,
            "proc/meminfo",
            "MemTotal:  100 kB\nMemFree: 7 kB\nMemAvailable:   50 kB\nSwapFree: 9 kB\n",
        );
        write(root, "proc/self/status", "Name:\tx\nVmSize:\t  12 kB\nVmData:\t 3 kB\n");
        write(
            root,
            "proc/self/limits",
            "Limit                     Soft Limit           Hard Limit           Units     \n\
             Max data size             unlimited            unlimited            bytes     \n\
             Max locked memory         8192                 8192                 bytes     \n\
             Max address space         1048576              unlimited            bytes     \n",
        );
        let machine = Machine::read(root);
        assert_eq!((machine.total, machine.available), (Some(100 << 10), Some(50 << 10)));
        assert_eq!(machine.swap_free, Some(9 << 10));
        assert_eq!(machine.data, None);
        assert_eq!(machine.address_space, Some(Limit { most: 1 << 20, used: 12 << 10 }));
        assert_eq!(machine.address_space.unwrap().left(), (1 << 20) - (12 << 10));
        assert_eq!(machine.available_memory(), Some(50 << 10));
        assert_eq!(machine.locked, Some(Limit { most: 8192, used: 0 }));
        write(root, "proc/self/status", "CapEff:\t0000000000004000\nVmLck:\t 4 kB\n");
        assert_eq!(Machine::read(root).locked, None);
        write(root, "proc/self/status", "CapEff:\t00000000ffffbfff\nVmLck:\t 4 kB\n");
        assert_eq!(Machine::read(root).locked, Some(Limit { most: 8192, used: 4096 }));
        // kernels before 3.14 have no MemAvailable
        write(root, "proc/meminfo", "MemTotal:  100 kB\nMemFree: 7 kB\n");
        assert_eq!(Machine::read(root).available, Some(7 << 10));
    }

    #[test]
    fn addresses_end_above_the_stack() {
        let maps = |stack: &str| {
            format!(
                "00010000-00410000 r-xp 00000000 b3:02 1 /usr/bin/siskin\n\
                 a0000000-b0000000 r--s 00000000 b3:02 2 /models/a b.gguf\n\
                 {stack} rw-p 00000000 00:00 0 [stack]\n\
                 ffff0000-ffff1000 r-xp 00000000 00:00 0 [vectors]\n"
            )
        };
        let used = (4 << 20) + (256 << 20) + (132 << 10) + (4 << 10);
        for (stack, most) in
            [("bef1e000-bef3f000", 3 << 30), ("7e8df000-7e900000", 2 << 30), ("ff8a5000-ff8c6000", 4 << 30)]
        {
            assert_eq!(addresses(&maps(stack)), Some(Limit { most, used }), "{stack}");
        }
        assert_eq!(addresses(""), None);
        assert_eq!(addresses("nonsense [stack]\n"), None);
        let known = Machine::this().addresses;
        assert!(known.is_none_or(|limit| usize::BITS == 32 && limit.left() > 0), "{known:?}");
    }

    #[test]
    fn what_no_machine_has_is_refused() {
        assert_eq!(require(1 << 20), Ok(()));
        assert_eq!(require(usize::MAX / 2), Err(usize::MAX / 2));
        assert_eq!(require(usize::MAX), Err(usize::MAX));
    }

    #[test]
    fn groups_narrow_it() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "proc/meminfo", "MemTotal:  100 kB\nMemAvailable:   50 kB\n");
        write(dir.path(), "proc/self/cgroup", "0::/a\n");
        write(dir.path(), "sys/fs/cgroup/a/memory.max", "20480\n");
        write(dir.path(), "sys/fs/cgroup/a/memory.current", "4096\n");
        let machine = Machine::read(dir.path());
        assert_eq!(machine.available_memory(), Some(16 << 10));
        assert_eq!(machine.total_memory(), Some(20 << 10));
    }
}
