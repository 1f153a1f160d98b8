//! Rows of logits, and distances between them in double precision.

use siskin::kv::KvType;
use siskin::model::{Decoder, Job, Model, Plan};
use siskin::ops::Cpu;
use siskin::threads::Team;
use siskin_simd::{Isa, Kernels};

/// Element by element.
///
/// # Panics
///
/// If the lengths differ.
pub fn differences(ours: &[f32], theirs: &[f32]) -> impl Iterator<Item = f64> {
    assert_eq!(ours.len(), theirs.len(), "logits");
    ours.iter().zip(theirs).map(|(&ours, &theirs)| f64::from(ours) - f64::from(theirs))
}

/// The largest difference, as a part of the largest of `theirs`.
pub fn relative(ours: &[f32], theirs: &[f32]) -> f64 {
    differences(ours, theirs).fold(0.0f64, |max, d| max.max(d.abs())) / largest(theirs)
}

/// The largest absolute value.
pub fn largest<'a>(values: impl IntoIterator<Item = &'a f32>) -> f64 {
    values.into_iter().fold(0.0, |max, &x| max.max(f64::from(x).abs()))
}

/// The position of the largest; the first of equals.
pub fn argmax(row: &[f32]) -> u32 {
    let best = (0..row.len()).rev().max_by(|&a, &b| row[a].total_cmp(&row[b]));
    best.expect("logits of at least one id") as u32
}

/// Logarithms of the probabilities.
fn log_softmax(row: &[f32]) -> Vec<f64> {
    let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
    let sum: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
    row.iter().map(|&x| f64::from(x) - max - sum.ln()).collect()
}

/// Kullback-Leibler divergence of `q` from `p`, both as logits, in nats.
pub fn divergence(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (log_softmax(p), log_softmax(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

/// The logits after the prompt, run as one batch, and after each of `ids`, run alone.
pub fn forced(model: &Model, isa: Isa, kv_type: KvType, prompt: &[u32], ids: &[u32]) -> Vec<Vec<f32>> {
    let cpu = Cpu { kernels: Kernels::new(isa).expect("available"), team: Team::new(2).expect("threads") };
    let job =
        Job { positions: prompt.len() + ids.len(), kv_type, threads: cpu.team.threads(), ..Job::default() };
    let mut decoder = Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu);
    decoder.forward(prompt);
    let mut rows = vec![decoder.logits(prompt.len() - 1).to_vec()];
    for &id in ids {
        decoder.forward(&[id]);
        rows.push(decoder.logits(0).to_vec());
    }
    rows
}
