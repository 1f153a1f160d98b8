//! What a run used, as the operating system counts it.

use siskin::model::Plan;
use std::fs;
use std::time::Duration;

/// Memory of this process, in bytes; `None` where the system does not tell.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Largest resident size so far, file pages included.
    pub peak_rss: Option<u64>,
    /// Resident pages that belong to no file.
    pub anon: Option<u64>,
    /// Resident pages of files.
    pub file: Option<u64>,
    /// Page faults that needed no reading, and those that did.
    pub faults: Option<(u64, u64)>,
}

/// Reads `/proc/self/status` and `/proc/self/stat`.
pub fn usage() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    Usage {
        peak_rss: field(&status, "VmHWM:"),
        anon: field(&status, "RssAnon:"),
        file: field(&status, "RssFile:"),
        faults: faults(&stat),
    }
}

/// Minor and major page faults: fields 10 and 12 of `stat`. The second field, the name, may hold anything, but ends the last parenthesis.
fn faults(stat: &str) -> Option<(u64, u64)> {
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(7);
    Some((fields.next()?.parse().ok()?, fields.nth(1)?.parse().ok()?))
}

/// A field such as `VmHWM:     1234 kB`, in bytes.
fn field(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Memory by class, planned and measured, for people.
pub fn memory(mapped: u64, plan: &Plan) -> String {
    let usage = usage();
    let size = |n: Option<u64>| n.map_or("unknown".to_owned(), bytes);
    format!(
        "memory: mapped {}, owned {} (kv {}, scratch {}, tables {}), peak resident {}, of it anonymous {}",
        bytes(mapped),
        bytes(plan.owned() as u64),
        bytes(plan.kv as u64),
        bytes(plan.scratch as u64),
        bytes(plan.tables as u64),
        size(usage.peak_rss),
        size(usage.anon),
    )
}

/// Tokens a second.
pub fn rate(tokens: usize, time: Duration) -> f64 {
    tokens as f64 / time.as_secs_f64().max(1e-9)
}

/// Bytes for people: three digits and a unit.
pub fn bytes(n: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut x = n as f64;
    let mut unit = 0;
    while x >= 999.5 && unit + 1 < UNITS.len() {
        x /= 1024.0;
        unit += 1;
    }
    let digits = if unit == 0 || x >= 99.95 {
        0
    } else if x >= 9.995 {
        1
    } else {
        2
    };
    format!("{x:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_status() {
        let status = "VmPeak:\t    9 kB\nVmHWM:\t  1234 kB\nRssAnon:\t 5 kB\n";
        assert_eq!(field(status, "VmHWM:"), Some(1234 * 1024));
        assert_eq!(field(status, "RssFile:"), None);
        assert_eq!(field("VmHWM: many kB", "VmHWM:"), None);
    }

    #[test]
    fn faults_of_stat() {
        assert_eq!(faults("1 (a (b) 9) S 2 3 4 5 -1 6 1234 8 56 10 11"), Some((1234, 56)));
        assert_eq!(faults("1 (a) S 2"), None);
    }

    #[test]
    fn bytes_have_three_digits() {
        let shown: Vec<String> = [0, 999, 1000, 1024 * 1024, 668_788_096, u64::MAX].map(bytes).into();
        assert_eq!(shown, ["0 B", "999 B", "0.98 KiB", "1.00 MiB", "638 MiB", "16777216 TiB"]);
    }
}
