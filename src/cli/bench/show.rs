//! The report of `bench` as a table, as JSON, and as CSV.

use super::super::args::Bench;
use super::super::{machine, report};
use super::Report;
use serde_json::{Value, json};
use siskin::gguf::Gguf;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The middle, the smallest and the largest of some values.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// None of no values.
    fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len() % 2 == 1 {
            *values.get(middle)?
        } else {
            (values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0
        };
        Some(Spread { median, min: *values.first()?, max: *values.last()? })
    }
}

impl Report {
    fn prefill(&self) -> Option<Spread> {
        Spread::of(self.measured.samples.iter().map(|sample| sample.prefill))
    }

    fn decode(&self) -> Option<Spread> {
        Spread::of(self.measured.samples.iter().filter_map(|sample| sample.decode))
    }

    fn read(&self) -> Option<Spread> {
        Spread::of(self.measured.samples.iter().map(|sample| sample.read))
    }

    fn bytes_per_token(&self) -> usize {
        self.weight_bytes + self.kv_bytes
    }

    /// What decoding reads of what a plain read does: the median of the repetitions, each compared with itself.
    fn share(&self) -> Option<f64> {
        let bytes = self.bytes_per_token() as f64;
        let shares =
            self.measured.samples.iter().filter_map(|sample| Some(sample.decode? * bytes / sample.read));
        Spread::of(shares).map(|share| share.median)
    }
}

/// One object; rates in tokens or bytes a second, sizes in bytes.
pub fn json(args: &Bench, file: &Gguf, report: &Report) -> Value {
    let (prefill, decode, read) = (report.prefill(), report.decode(), report.read());
    let median = |spread: &Option<Spread>| spread.as_ref().map(|spread| round(spread.median));
    let range =
        |spread: &Option<Spread>| spread.as_ref().map(|spread| [round(spread.min), round(spread.max)]);
    let rows = report.measured.samples.iter().map(|sample| {
        json!({"prefill_tps": round(sample.prefill), "decode_tps": sample.decode.map(round), "read_gbps": round(sample.read / 1e9)})
    });
    let faults = report.measured.usage.faults;
    json!({
        "model": file.path().display().to_string(), "formats": report.formats,
        "prompt": args.prompt, "max_tokens": args.max_tokens, "depth": args.depth,
        "prefill_tps": median(&prefill), "prefill_range": range(&prefill),
        "decode_tps": median(&decode), "decode_range": range(&decode),
        "load_ms": round(report.measured.load.as_secs_f64() * 1e3),
        "first_token_ms": round(report.measured.first_token.as_secs_f64() * 1e3),
        "bytes_per_token": report.bytes_per_token(),
        "decode_gbps": decode.as_ref().map(|decode| round(decode.median * report.bytes_per_token() as f64 / 1e9)),
        "read_gbps": read.as_ref().map(|read| round(read.median / 1e9)),
        "share_of_read": report.share().map(round),
        "peak_rss": report.measured.usage.peak_rss, "anon": report.measured.usage.anon, "file": report.measured.usage.file,
        "minor_faults": faults.map(|faults| faults.0), "major_faults": faults.map(|faults| faults.1),
        "memory": report.memory,
        "isa": report.isa, "threads": report.threads.decode, "prefill_threads": report.threads.prefill,
        "cpus": report.measured.cpus, "clock_before": report.measured.clocks[0], "clock_after": report.measured.clocks[1],
        "repetitions": rows.collect::<Value>(), "machine": machine::facts().into_iter().collect::<BTreeMap<_, _>>(),
    })
}

/// A line of names, then a line for each repetition.
pub fn csv(report: &Report) -> String {
    let mut out = String::from("repetition,prefill_tps,decode_tps,read_gbps\n");
    for (i, sample) in report.measured.samples.iter().enumerate() {
        let decode = sample.decode.map_or(String::new(), |decode| format!("{decode:.3}"));
        // Writing to a string cannot fail.
        let _ = writeln!(out, "{},{:.3},{decode},{:.3}", i + 1, sample.prefill, sample.read / 1e9);
    }
    out
}

/// For people.
pub fn table(args: &Bench, file: &Gguf, report: &Report) -> String {
    let rate = |spread: Option<Spread>| match spread {
        Some(Spread { median, min, max }) => format!("{median:.1} tokens/s ({min:.1} to {max:.1})"),
        None => "not asked for".into(),
    };
    let size = |n: Option<u64>| n.map_or("unknown".to_owned(), report::bytes);
    let formats: Vec<_> =
        report.formats.iter().map(|(name, n)| format!("{name} {}", report::bytes(*n))).collect();
    let usage = report.measured.usage;
    let memory = [("peak resident", usage.peak_rss), ("anonymous", usage.anon), ("file pages", usage.file)];
    let memory = memory.map(|(name, n)| format!("{name} {}", size(n))).join(", ");
    let faults =
        usage.faults.map_or("unknown".into(), |(minor, major)| format!("{minor}, and {major} that read"));
    let ms = |time: std::time::Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let depth = if args.depth > 0 { format!(" after {}", args.depth) } else { String::new() };
    let mut lines = vec![
        ("model".to_owned(), file.path().display().to_string()),
        ("formats".into(), formats.join(", ")),
        (format!("prefill {}{depth}", args.prompt), rate(report.prefill())),
        (format!("decode {}", args.max_tokens), rate(report.decode())),
        ("read a token".into(), bandwidth(report)),
        ("load".into(), ms(report.measured.load)),
        ("first token".into(), ms(report.measured.first_token)),
        ("memory".into(), memory),
        ("page faults".into(), faults),
        ("kernels".into(), report.isa.into()),
        (
            "threads".into(),
            format!(
                "{} (prefill {}), on CPUs {:?}",
                report.threads.decode, report.threads.prefill, report.measured.cpus
            ),
        ),
    ];
    for (name, clock) in ["before", "after"].into_iter().zip(&report.measured.clocks) {
        lines.extend(clock.as_ref().map(|clock| (name.to_owned(), clock.clone())));
    }
    lines.iter().map(|(name, text)| format!("{name:<22} {text}\n")).collect()
}

/// What a generated token reads, how fast, and what share of a plain read that is.
fn bandwidth(report: &Report) -> String {
    let bytes = report::bytes(report.bytes_per_token() as u64);
    match (report.decode(), report.read(), report.share()) {
        (Some(decode), Some(read), Some(share)) => format!(
            "{bytes}: {:.1} GB/s, {:.0} % of a plain read ({:.1} GB/s)",
            decode.median * report.bytes_per_token() as f64 / 1e9,
            share * 100.0,
            read.median / 1e9
        ),
        _ => bytes,
    }
}

/// Three decimals.
fn round(x: f64) -> f64 {
    (x * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        let median = |x: &[f64]| Spread::of(x.iter().copied()).map(|s| (s.median, s.min, s.max));
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some((2.0, 1.0, 3.0)));
        assert_eq!(median(&[4.0, 1.0]), Some((2.5, 1.0, 4.0)));
        assert_eq!(median(&[]), None);
    }
}
