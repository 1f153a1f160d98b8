//! What this machine has for a run: CPUs, which of them are fast, and free memory. Read from the files of Linux; elsewhere a
//! machine is a number of equal CPUs.
//!
//! A run waits for its slowest thread, and two threads on one physical core share its arithmetic units and its path to memory. So
//! by default there is a thread for each physical performance core, for prefill and decode alike: efficiency cores and the second
//! hardware threads of a core are left alone.

use crate::machine::Machine;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

/// A CPU, as the system counts them: a hardware thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogicalCpu {
    /// The system's number.
    pub index: usize,
    /// Relative speed: `cpu_capacity`, or else the highest frequency in kHz; 0 where the system does not tell.
    pub capacity: u64,
    /// The first CPU of the same physical core.
    pub core: usize,
}

/// The CPUs that this process may use.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Fastest first, the first of each physical core before all others, then by number.
    cpus: Vec<LogicalCpu>,
    /// Physical cores at the beginning of `cpus` that are fast.
    performance: usize,
    /// Threads that the process may keep busy: its quota.
    quota: usize,
}

impl Topology {
    /// This machine's, inside the affinity mask and the CPU quota (cgroup) of this process.
    pub fn this_machine() -> Topology {
        let quota = thread::available_parallelism().map_or(1, usize::from);
        Topology::read(Path::new("/"), quota)
    }

    /// The topology that the files under `root` describe. At most `quota` threads are used by default; where there are no files,
    /// that many equal CPUs are assumed.
    pub fn read(root: &Path, quota: usize) -> Topology {
        let quota = quota.max(1);
        let mut cpus = System { root: root.to_owned() }.cpus();
        if cpus.is_empty() {
            cpus = (0..quota).map(|index| LogicalCpu { index, capacity: 0, core: index }).collect();
        }
        let mut cores = BTreeSet::new();
        let seconds: BTreeSet<usize> =
            cpus.iter().filter(|cpu| !cores.insert(cpu.core)).map(|cpu| cpu.index).collect();
        let largest = cpus.iter().map(|cpu| cpu.capacity).max().unwrap_or(0);
        let is_fast = |cpu: &LogicalCpu| is_near(cpu.capacity, largest) && !seconds.contains(&cpu.index);
        cpus.sort_by_key(|cpu| {
            (!is_fast(cpu), seconds.contains(&cpu.index), std::cmp::Reverse(cpu.capacity), cpu.index)
        });
        let performance = cpus.iter().filter(|cpu| is_fast(cpu)).count();
        Topology { cpus, performance, quota }
    }

    /// All CPUs, in the order in which threads should use them: performance cores, the other cores, second hardware threads.
    pub fn cpus(&self) -> &[LogicalCpu] {
        &self.cpus
    }

    /// One CPU of each physical core whose capacity is at least three quarters of the largest.
    pub fn performance_cores(&self) -> &[LogicalCpu] {
        &self.cpus[..self.performance]
    }

    /// The number of threads to use unless the user says otherwise: one for each performance core, within the quota.
    pub fn default_threads(&self) -> usize {
        self.performance.clamp(1, self.quota)
    }

    /// The CPUs that `threads` threads should be bound to; `None` where all cores are equally fast, because the system then places
    /// threads better than a program that knows of no other.
    pub fn placement(&self, threads: usize) -> Option<Vec<usize>> {
        let mut cores = self.cpus.iter().filter(|cpu| cpu.core == cpu.index);
        let fast = self.performance_cores().first()?.capacity;
        if cores.all(|cpu| is_near(cpu.capacity, fast)) {
            return None;
        }
        let used = threads.clamp(self.performance, self.cpus.len());
        let chosen: BTreeSet<usize> = self.cpus[..used].iter().map(|cpu| cpu.core).collect();
        // A thread may run on either hardware thread of its core.
        Some(self.cpus.iter().filter(|cpu| chosen.contains(&cpu.core)).map(|cpu| cpu.index).collect())
    }
}

/// Whether a core is fast enough not to hold up the fastest: three quarters of its capacity or more.
fn is_near(capacity: u64, largest: u64) -> bool {
    capacity >= largest - largest / 4
}

/// Memory in bytes that can be had without driving out what is in use, within the limits of this process's control groups; `None`
/// where the system does not tell. Cached file pages count as available.
pub fn available_memory() -> Option<u64> {
    Machine::this().available_memory()
}

/// All memory of this machine in bytes, within the limits of this process's control groups; `None` where the system does not tell.
pub fn total_memory() -> Option<u64> {
    Machine::this().total_memory()
}

/// Binds the calling thread, and those it starts from now on, to CPUs. Does nothing outside of Linux.
///
/// # Errors
///
/// If none of the CPUs may be used.
pub fn bind_this_thread(cpus: &[usize]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_setaffinity};
        let mut set = CpuSet::new();
        cpus.iter().filter(|&&cpu| cpu < CpuSet::MAX_CPU).for_each(|&cpu| set.set(cpu));
        sched_setaffinity(None, &set)?;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = cpus;
    Ok(())
}

/// The system's files under a root, which tests replace.
struct System {
    root: PathBuf,
}

impl System {
    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        Some(fs::read_to_string(self.root.join(path)).ok()?.trim().to_owned())
    }

    /// The allowed CPUs, by number.
    fn cpus(&self) -> Vec<LogicalCpu> {
        let folder = Path::new("sys/devices/system/cpu");
        let allowed = self.field("proc/self/status", "Cpus_allowed_list:").map(|list| parse_list(&list));
        let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix("cpu")?.parse::<usize>().ok();
        let mut indices: Vec<usize> =
            entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        indices.retain(|index| allowed.as_ref().is_none_or(|allowed| allowed.contains(index)));
        indices.sort_unstable();
        let mut first_of_core = BTreeMap::new();
        let cpu = |index: usize| {
            let cpu = folder.join(format!("cpu{index}"));
            let files = ["cpu_capacity", "cpufreq/cpuinfo_max_freq"];
            let capacity = files.iter().find_map(|file| self.read(cpu.join(file))?.parse().ok()).unwrap_or(0);
            let siblings = self.read(cpu.join("topology/thread_siblings_list"));
            let core = siblings.map_or(index, |list| *first_of_core.entry(list).or_insert(index));
            LogicalCpu { index, capacity, core }
        };
        indices.into_iter().map(cpu).collect()
    }

    /// What follows a name in a file of lines `name value`.
    fn field(&self, path: &str, name: &str) -> Option<String> {
        let text = self.read(path)?;
        Some(text.lines().find_map(|line| line.strip_prefix(name))?.trim().to_owned())
    }
}

/// A list such as `0-3,8`, as the system writes it.
fn parse_list(list: &str) -> BTreeSet<usize> {
    let mut out = BTreeSet::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        if let (Ok(first), Ok(last)) = (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            out.extend(first..=last.min(first.saturating_add(1 << 16)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up machine: CPUs with capacity and siblings.
    struct Board(tempfile::TempDir);

    impl Board {
        fn new(cpus: &[(&str, &str)]) -> Board {
            let board = Board(tempfile::tempdir().unwrap());
            for (index, (capacity, siblings)) in cpus.iter().enumerate() {
                let cpu = format!("sys/devices/system/cpu/cpu{index}");
                board.write(&format!("{cpu}/topology/thread_siblings_list"), siblings);
                if !capacity.is_empty() {
                    board.write(&format!("{cpu}/cpu_capacity"), capacity);
                }
            }
            board.write("sys/devices/system/cpu/cpufreq/policy0/x", "");
            board
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }

        fn topology(&self, quota: usize) -> Topology {
            Topology::read(self.0.path(), quota)
        }
    }

    fn indices(cpus: &[LogicalCpu]) -> Vec<usize> {
        cpus.iter().map(|cpu| cpu.index).collect()
    }

    /// Four little cores, two middle ones, two big ones, as on many phone and board chips.
    fn big_little() -> Board {
        let capacity = ["414", "414", "414", "414", "980", "980", "1024", "1024"];
        let siblings = ["0", "1", "2", "3", "4", "5", "6", "7"];
        Board::new(&std::array::from_fn::<_, 8, _>(|i| (capacity[i], siblings[i])))
    }

    #[test]
    fn little_cores_are_left_alone() {
        let topology = big_little().topology(8);
        assert_eq!(indices(topology.performance_cores()), [6, 7, 4, 5]);
        assert_eq!(indices(topology.cpus()), [6, 7, 4, 5, 0, 1, 2, 3]);
        assert_eq!(topology.default_threads(), 4);
        assert_eq!(topology.placement(2), Some(vec![6, 7, 4, 5]));
        assert_eq!(topology.placement(5), Some(vec![6, 7, 4, 5, 0]));
        assert_eq!(topology.placement(100), Some(vec![6, 7, 4, 5, 0, 1, 2, 3]));
    }

    #[test]
    fn affinity_and_quota_are_respected() {
        let board = big_little();
        board.write("proc/self/status", "Name:\tx\nCpus_allowed_list:\t0-2,5");
        let topology = board.topology(8);
        assert_eq!(indices(topology.cpus()), [5, 0, 1, 2]);
        assert_eq!(topology.default_threads(), 1);
        board.write("proc/self/status", "Cpus_allowed_list:\t0-3");
        assert_eq!(board.topology(8).default_threads(), 4);
        assert_eq!(board.topology(8).placement(4), None);
        assert_eq!(board.topology(3).default_threads(), 3);
    }

    #[test]
    fn siblings_count_once() {
        let board = Board::new(&[("", "0,2"), ("", "1,3"), ("", "0,2"), ("", "1,3")]);
        let topology = board.topology(4);
        assert_eq!(topology.default_threads(), 2);
        assert_eq!(indices(topology.cpus()), [0, 1, 2, 3]);
        assert_eq!(topology.placement(4), None);
        // Only the second hardware thread of a core is allowed: it stands for the core.
        board.write("proc/self/status", "Cpus_allowed_list:\t2-3");
        assert_eq!(indices(board.topology(2).performance_cores()), [2, 3]);
    }

    /// Two cores with two hardware threads each, and two efficiency cores, told apart by frequency alone.
    #[test]
    fn a_hybrid_laptop() {
        let board = Board::new(&[("", "0-1"), ("", "0-1"), ("", "2-3"), ("", "2-3"), ("", "4"), ("", "5")]);
        for (cpu, khz) in
            [5_000_000, 5_000_000, 4_900_000, 4_900_000, 3_600_000, 3_600_000].iter().enumerate()
        {
            board.write(
                &format!("sys/devices/system/cpu/cpu{cpu}/cpufreq/cpuinfo_max_freq"),
                &khz.to_string(),
            );
        }
        let topology = board.topology(6);
        assert_eq!(indices(topology.performance_cores()), [0, 2]);
        assert_eq!(indices(topology.cpus()), [0, 2, 4, 5, 1, 3]);
        assert_eq!(topology.placement(2), Some(vec![0, 2, 1, 3]));
        assert_eq!(topology.placement(3), Some(vec![0, 2, 4, 1, 3]));
    }

    #[test]
    fn a_system_without_files_has_equal_cpus() {
        let dir = tempfile::tempdir().unwrap();
        let topology = Topology::read(dir.path(), 3);
        assert_eq!((topology.default_threads(), topology.placement(2)), (3, None));
        assert_eq!(Topology::read(dir.path(), 0).default_threads(), 1);
    }

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_list("0-3,8"), BTreeSet::from([0, 1, 2, 3, 8]));
        assert!(parse_list("").is_empty() && parse_list("x-y").is_empty());
    }

    /// A thread of its own, so that no other test is bound.
    #[test]
    fn a_thread_is_bound() {
        let first = Topology::this_machine().cpus()[0].index;
        thread::spawn(move || bind_this_thread(&[first]).unwrap()).join().unwrap();
    }
}
