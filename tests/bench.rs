//! `siskin bench`: that the report is complete and makes sense. How fast anything is, is not tested.

mod util;

use serde_json::Value;
use util::Siskin;

fn bench(rest: &[&str]) -> Vec<String> {
    let model = util::model_name();
    let words = ["bench", "-m", &model, "-p", "12", "-t", "2"];
    let length: &[&str] = if rest.contains(&"-n") { &[] } else { &["-n", "3"] };
    words.iter().chain(length).chain(rest).map(|word| (*word).to_owned()).collect()
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap_or_else(|| panic!("{name} in {report}"))
}

#[test]
fn the_object_is_complete_and_consistent() {
    let siskin = Siskin::new();
    let report: Value = serde_json::from_str(&siskin.run(bench(&["-r", "4", "--json"])).ok()).expect("JSON");
    for name in ["prefill", "decode"] {
        let (median, range) = (number(&report, &format!("{name}_tps")), &report[format!("{name}_range")]);
        let [min, max] = [0, 1].map(|i| range[i].as_f64().expect("a number"));
        assert!(0.0 < min && min <= median && median <= max, "{report}");
    }
    assert!(number(&report, "load_ms") > 0.0);
    assert!(number(&report, "first_token_ms") > number(&report, "load_ms"));
    assert!(number(&report, "read_gbps") > 0.0 && number(&report, "share_of_read") > 0.0);
    if cfg!(target_os = "linux") {
        assert!(number(&report, "anon") <= number(&report, "peak_rss"));
        assert!(number(&report, "minor_faults") >= number(&report, "major_faults"));
    }
    assert_eq!(report["repetitions"].as_array().map(Vec::len), Some(4));
    assert_eq!((number(&report, "threads"), number(&report, "prefill_threads")), (2.0, 2.0));
    let formats = report["formats"].as_object().expect("formats");
    let tensors: f64 = formats.values().filter_map(Value::as_f64).sum();
    let (kv, positions) = (number(&report["memory"], "kv"), 12.0 + 3.0);
    // all tensors but some vectors, and the keys and values of 13 positions
    let per_token = number(&report, "bytes_per_token") - kv / positions * 13.0;
    assert!(per_token > 0.9 * tensors && per_token < tensors, "{per_token} of {tensors}");
}

#[test]
fn csv_has_a_line_for_each_repetition() {
    let out = Siskin::new().run(bench(&["-r", "3", "--csv"])).ok();
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "repetition,prefill_tps,decode_tps,read_gbps");
    assert_eq!(lines.len(), 4);
    for (i, line) in lines[1..].iter().enumerate() {
        let fields: Vec<f64> = line.split(',').map(|field| field.parse().expect("a number")).collect();
        assert!(
            fields.len() == 4 && fields[0] == (i + 1) as f64 && fields.iter().all(|&x| x > 0.0),
            "{line}"
        );
    }
}

#[test]
fn the_table_names_what_was_measured() {
    let out = Siskin::new().run(bench(&["-r", "1", "--depth", "20"])).ok();
    for name in ["prefill 12 after 20", "decode 3", "read a token", "first token", "memory", "kernels"] {
        assert!(out.lines().any(|line| line.starts_with(name)), "{name} in {out}");
    }
}

#[test]
fn generating_nothing_is_allowed_and_nonsense_is_not() {
    let siskin = Siskin::new();
    let report: Value =
        serde_json::from_str(&siskin.run(bench(&["-r", "1", "-n", "0", "--json"])).ok()).expect("JSON");
    assert!(report["decode_tps"].is_null() && report["share_of_read"].is_null());
    for bad in
        [&["-p", "0"][..], &["-r", "0"], &["-t", "0"], &["-d", "9999999"], &["--json", "--csv"], &["-n", "x"]]
    {
        let run = siskin.run([&["bench"], bad].concat());
        assert_eq!(run.code, Some(2), "{bad:?}: {}", run.stderr);
        assert!(run.stdout.is_empty());
    }
}
