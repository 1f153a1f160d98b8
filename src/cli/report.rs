//! What a run used, as the operating system counts it.

use siskin::memory::{Footprint, Size};
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
    /// Pages that are locked in memory.
    pub locked: Option<u64>,
    /// Share of this process in the pages that it has.
    pub pss: Option<u64>,
    /// Pages of this process that are swapped out.
    pub swap: Option<u64>,
    /// Bytes read from disk so far, mapped files included.
    pub disk_read: Option<u64>,
    /// Page faults that needed no reading, and those that did.
    pub faults: Option<(u64, u64)>,
}

impl Usage {
    /// The largest resident size without the pages of files that are resident now.
    pub fn peak_outside_file(&self) -> Option<u64> {
        Some(self.peak_rss?.saturating_sub(self.file?))
    }
}

/// Reads `status`, `stat`, `smaps_rollup` and `io` of `/proc/self`.
pub fn usage() -> Usage {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let io = fs::read_to_string("/proc/self/io").unwrap_or_default();
    let disk_read = io.lines().find_map(|line| line.strip_prefix("read_bytes:"));
    Usage {
        peak_rss: field(&status, "VmHWM:"),
        anon: field(&status, "RssAnon:"),
        file: field(&status, "RssFile:"),
        locked: field(&status, "VmLck:"),
        pss: field(&rollup, "Pss:"),
        swap: field(&rollup, "Swap:"),
        disk_read: disk_read.and_then(|bytes| bytes.trim().parse().ok()),
        faults: faults(&stat),
    }
}

/// Bytes of this process that belong to no file, resident or swapped out: the cheapest of these numbers; `None` where the system does not tell.
#[cfg(feature = "chat")]
pub fn anonymous() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    Some(field(&status, "RssAnon:")? + field(&status, "VmSwap:").unwrap_or(0))
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
pub fn memory(footprint: &Footprint) -> String {
    let usage = usage();
    let size = |n: Option<u64>| n.map_or("unknown".to_owned(), bytes);
    let plan = &footprint.plan;
    let search =
        if plan.search > 0 { format!(", search {}", bytes(plan.search as u64)) } else { String::new() };
    format!(
        "memory: mapped {}, owned {} (weights {}, kv {}, scratch {}{search}, tables {}, tokenizer {}), planned {}; peak resident {}, without the file {}, \
         anonymous {}, locked {}",
        bytes(footprint.mapped),
        bytes(footprint.owned()),
        bytes(footprint.weights),
        bytes(plan.kv as u64),
        bytes(plan.scratch as u64),
        bytes(plan.tables as u64),
        bytes(footprint.tokenizer.owned as u64),
        bytes(footprint.needed()),
        size(usage.peak_rss),
        size(usage.peak_outside_file()),
        size(usage.anon),
        size(usage.locked),
    )
}

/// What the system had to do for it, for people.
pub fn paging(footprint: &Footprint, tokens: usize) -> String {
    let usage = usage();
    let count = |n: Option<u64>| n.map_or("unknown".to_owned(), |n| n.to_string());
    let (minor, major) = usage.faults.map_or((None, None), |(minor, major)| (Some(minor), Some(major)));
    let read = usage.disk_read.map_or("unknown".to_owned(), bytes);
    let per_token = usage.disk_read.map_or("unknown".to_owned(), |read| bytes(read / tokens.max(1) as u64));
    format!(
        "paging: {} faults, {} of them from disk, {read} read from disk ({per_token} a token); a token reads {} of memory",
        count(minor.zip(major).map(|(minor, major)| minor + major)),
        count(major),
        bytes(footprint.bytes_per_token()),
    )
}

/// Tokens a second.
pub fn rate(tokens: usize, time: Duration) -> f64 {
    tokens as f64 / time.as_secs_f64().max(1e-9)
}

/// Bytes for people: three digits and a unit.
pub fn bytes(n: u64) -> String {
    Size(n).to_string()
}

/// A number of things, for people.
pub fn many(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
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
}
