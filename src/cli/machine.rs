//! What this machine is, as far as the system tells: for `doctor` and `bench`.

use super::report;
use super::setup::Threads;
use siskin::topology::Topology;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How fast the CPUs run now, and how hot: clock of each CPU if the system tells, temperatures, and what a Raspberry Pi says about throttling.
pub fn clock() -> Option<String> {
    System { root: PathBuf::from("/") }.clock()
}

/// The CPUs that this process's threads ran on last, in order.
pub fn cpus_of_threads() -> Vec<usize> {
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    let mut cpus: Vec<usize> = stats.filter_map(|stat| processor(&stat)).collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// Field 39 of a thread's `stat`. The second field, the name, may hold anything, but ends the last parenthesis.
fn processor(stat: &str) -> Option<usize> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(36)?.parse().ok()
}

/// Facts, a name and a text each, in the order in which they are shown; what the system does not tell is left out.
pub fn facts() -> Vec<(&'static str, String)> {
    let system = System { root: PathBuf::from("/") };
    let target = format!("{} {}", std::env::consts::ARCH, std::env::consts::OS);
    let facts = [
        ("siskin", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("target", Some(target)),
        ("system", system.line("proc/sys/kernel/osrelease")),
        ("board", system.line("proc/device-tree/model")),
        ("cpu", system.cpu()),
        ("cores", system.cores()),
        ("threads", Some(threads(&Topology::this_machine()))),
        ("memory", system.memory()),
        ("page size", system.page_size()),
        ("temperature", system.temperature()),
    ];
    facts.into_iter().filter_map(|(name, text)| Some((name, text?))).collect()
}

/// What a run uses by default, and on which CPUs where that matters.
fn threads(topology: &Topology) -> String {
    let threads = Threads::usual(topology);
    let cpus = topology.placement(threads.decode);
    let bound = cpus.map_or(String::new(), |cpus| format!(", on CPUs {cpus:?}"));
    format!("{}, prefill {}{bound}", threads.decode, threads.prefill)
}

/// The system's files under a root, which tests replace.
struct System {
    root: PathBuf,
}

impl System {
    fn read(&self, path: impl AsRef<Path>) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The only line of a file; device trees end theirs with NUL.
    fn line(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.read(path)?;
        let text = text.trim_matches(|c: char| c == '\0' || c.is_whitespace());
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The model name on x86; on ARM, where there is none, implementer and part numbers.
    fn cpu(&self) -> Option<String> {
        let info = self.read("proc/cpuinfo")?;
        let field = |name: &str| {
            let line =
                info.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let part = || Some(format!("implementer {} part {}", field("CPU implementer")?, field("CPU part")?));
        field("model name").or_else(part)
    }

    /// How many cores, and how many of each speed where they differ.
    fn cores(&self) -> Option<String> {
        let available = std::thread::available_parallelism().ok()?;
        let mut kinds: BTreeMap<u64, usize> = BTreeMap::new();
        for cpu in self.numbered("sys/devices/system/cpu", "cpu") {
            let speed = ["cpu_capacity", "cpufreq/cpuinfo_max_freq"]
                .iter()
                .find_map(|file| self.line(cpu.join(file))?.parse().ok());
            *kinds.entry(speed.unwrap_or(0)).or_default() += 1;
        }
        let kinds: Vec<String> =
            kinds.iter().rev().map(|(speed, count)| format!("{count} of capacity {speed}")).collect();
        let detail = if kinds.len() > 1 { format!(" ({})", kinds.join(", ")) } else { String::new() };
        Some(format!("{available} available{detail}"))
    }

    fn memory(&self) -> Option<String> {
        let info = self.read("proc/meminfo")?;
        let field = |name: &str| {
            let kib = info
                .lines()
                .find_map(|line| line.strip_prefix(name))?
                .trim()
                .strip_suffix(" kB")?
                .trim()
                .parse::<u64>()
                .ok()?;
            Some(report::bytes(kib.checked_mul(1024)?))
        };
        Some(format!("{} in all, {} available", field("MemTotal:")?, field("MemAvailable:")?))
    }

    /// From this process's mappings: the standard library does not tell.
    fn page_size(&self) -> Option<String> {
        let maps = self.read("proc/self/smaps")?;
        let line = maps.lines().find_map(|line| line.strip_prefix("KernelPageSize:"))?;
        Some(report::bytes(line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)?))
    }

    fn clock(&self) -> Option<String> {
        let cpus = self.numbered("sys/devices/system/cpu", "cpu");
        let khz = |cpu: &PathBuf| self.line(cpu.join("cpufreq/scaling_cur_freq"))?.parse::<u64>().ok();
        let mhz: Vec<String> = cpus.iter().filter_map(khz).map(|khz| (khz / 1000).to_string()).collect();
        let mhz = (!mhz.is_empty()).then(|| format!("{} MHz", mhz.join(" ")));
        let throttled = self.line("sys/devices/platform/soc/soc:firmware/get_throttled");
        let parts = [mhz, self.temperature(), throttled.map(|bits| format!("throttled {bits}"))];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// Of each thermal zone.
    fn temperature(&self) -> Option<String> {
        let zones: Vec<String> = self
            .numbered("sys/class/thermal", "thermal_zone")
            .iter()
            .filter_map(|zone| self.zone(zone))
            .collect();
        (!zones.is_empty()).then(|| zones.join(", "))
    }

    fn zone(&self, zone: &Path) -> Option<String> {
        let millidegrees: i64 = self.line(zone.join("temp"))?.parse().ok()?;
        let name = self.line(zone.join("type")).unwrap_or_default();
        Some(format!("{:.1} °C {name}", millidegrees as f64 / 1000.0).trim_end().to_owned())
    }

    /// The folders `prefix0`, `prefix1`, ... in a folder, relative to the root, in order.
    fn numbered(&self, folder: &str, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.root.join(folder)).into_iter().flatten().flatten();
        let number = |name: &str| name.strip_prefix(prefix)?.parse::<u32>().ok();
        let mut numbers: Vec<u32> = entries.filter_map(|entry| number(entry.file_name().to_str()?)).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|n| Path::new(folder).join(format!("{prefix}{n}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A made-up board with two kinds of cores.
    #[test]
    fn a_board_with_big_and_little_cores() {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: String, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        for (cpu, capacity) in [(0, "400"), (1, "400"), (2, "1024"), (10, "1024")] {
            write(format!("sys/devices/system/cpu/cpu{cpu}/cpu_capacity"), capacity);
        }
        write("sys/devices/system/cpu/cpufreq/x".into(), "");
        write("sys/class/thermal/thermal_zone0/temp".into(), "48500\n");
        write("sys/class/thermal/thermal_zone0/type".into(), "cpu-thermal\n");
        write("sys/devices/system/cpu/cpu2/cpufreq/scaling_cur_freq".into(), "1500000\n");
        write("sys/devices/platform/soc/soc:firmware/get_throttled".into(), "50000\n");
        write("proc/device-tree/model".into(), "Board 5\0");
        write("proc/cpuinfo".into(), "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n");
        write("proc/meminfo".into(), "MemTotal:  1024 kB\nMemAvailable: 512 kB\n");
        let system = System { root: dir.path().to_owned() };
        assert!(system.cores().unwrap().ends_with("(2 of capacity 1024, 2 of capacity 400)"));
        assert_eq!(system.temperature().unwrap(), "48.5 °C cpu-thermal");
        assert_eq!(system.clock().unwrap(), "1500 MHz, 48.5 °C cpu-thermal, throttled 50000");
        assert_eq!(system.line("proc/device-tree/model").unwrap(), "Board 5");
        assert_eq!(system.cpu().unwrap(), "implementer 0x41 part 0xd0b");
        assert_eq!(system.memory().unwrap(), "1.00 MiB in all, 512 KiB available");
    }

    #[test]
    fn the_processor_of_a_thread() {
        let fields: Vec<String> = (3..=52).map(|n| n.to_string()).collect();
        assert_eq!(processor(&format!("7 (siskin-1 ) x) {}", fields.join(" "))), Some(39));
        assert_eq!(processor("7 (a) S"), None);
    }

    #[test]
    fn a_system_that_tells_nothing_is_no_failure() {
        let dir = tempfile::tempdir().unwrap();
        let system = System { root: dir.path().to_owned() };
        assert!(system.cpu().is_none() && system.memory().is_none() && system.temperature().is_none());
    }
}
