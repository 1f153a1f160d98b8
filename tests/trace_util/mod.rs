//! What the tests of `siskin trace` share: its output as JSON, and beside it the logits that tokens were chosen from.
#![allow(dead_code)] // each test file uses a part

pub mod browser;

use crate::util::{self, Run, Siskin};
use serde_json::Value;

/// A run of a command with the model of the repository.
pub fn run(siskin: &Siskin, command: &str, flags: &[&str]) -> Run {
    let model = util::model_name();
    siskin.run([&[command, "-m", &model], flags].concat())
}

/// The objects that a run prints.
pub fn lines(flags: &[&str]) -> Vec<Value> {
    let out = run(&Siskin::new(), "trace", &[&["--jsonl"], flags].concat()).ok();
    let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    out.lines().map(line).collect()
}

pub fn of_type<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == name).collect()
}

pub fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

pub fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("no list: {value}"))
}

/// The logits after each token of a run.
pub fn logits(flags: &[&str]) -> Vec<Vec<f32>> {
    let siskin = Siskin::new();
    run(&siskin, "generate", &[&["--logits", "l.npy"], flags].concat()).ok();
    util::npy(&siskin.dir.path().join("l.npy"))
}

/// The steps of a run, with half of the vocabulary one by one, and for each the logits that its token was chosen from.
pub fn steps(flags: &[&str]) -> Vec<(Value, Vec<f32>)> {
    let (lines, logits) = (lines(&[&["--top", "1000"], flags].concat()), logits(flags));
    let of = |step: &Value| logits[step["position"].as_u64().expect("a position") as usize - 1].clone();
    of_type(&lines, "step").into_iter().map(|step| (step.clone(), of(step))).collect()
}
