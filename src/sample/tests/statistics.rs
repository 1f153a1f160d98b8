//! Draws from fixed distributions, counted.
//!
//! Pearson's statistic for 100 000 draws of eight tokens, 4 000 on an emulated core. A right sampler exceeds the bound of its degrees of freedom with probability 1e-4;
//! seeds are fixed, so each test either always passes or never does.

use super::*;
use siskin_tools::emulated;

const LOGITS: [f32; 8] = [0.1, -0.5, 1.2, 0.8, -1.0, 0.0, 0.8, -2.0];
/// The value that chi-square of 0 to 7 degrees of freedom exceeds with probability 1e-4.
const BOUNDS: [f64; 8] = [1e-9, 15.14, 18.42, 21.11, 23.51, 25.74, 27.86, 29.88];

fn draws() -> u64 {
    if emulated() { 4_000 } else { 100_000 }
}

/// Draws, and compares with the plain chain's distribution: that with XTC at work, that without, or a mixture.
fn check(options: &Options, context: &Context<'_>, exact: usize) {
    let (draws, mut expected) = (draws(), [0.0f64; 8]);
    let chance = f64::from(options.xtc.probability);
    for (share, u) in [(chance, 0.0), (1.0 - chance, 1.0)] {
        let mu = 2.0 * f64::from(options.mirostat.map_or(0.0, |mirostat| mirostat.tau));
        let (plain, _) = Plain::run(&LOGITS, options, context, u, mu);
        plain.probabilities().iter().for_each(|(token, p)| expected[*token as usize] += share * p);
    }
    let mut sampler = sampler(options, LOGITS.len());
    let mut seen = [0.0f64; 8];
    for position in 0..draws {
        sampler.reset();
        let context = Context { position, ..*context };
        seen[sampler.sample(&LOGITS, &context).unwrap().token as usize] += 1.0;
    }
    let cells: Vec<usize> = (0..8).filter(|cell| expected[*cell] > 0.0).collect();
    assert_eq!(cells.len(), exact, "tokens that can be drawn: {options:?}");
    assert_eq!(cells.iter().map(|cell| seen[*cell]).sum::<f64>(), draws as f64, "{options:?}");
    let off = |cell: &usize| {
        (seen[*cell] - expected[*cell] * draws as f64).powi(2) / (expected[*cell] * draws as f64)
    };
    let statistic: f64 = cells.iter().map(off).sum();
    assert!(statistic < BOUNDS[cells.len() - 1], "{statistic}: {options:?}");
}

fn warm() -> Options {
    Options { temperature: 0.7, seed: 2024, ..Options::default() }
}

#[test]
fn draws_follow_the_distribution() {
    check(&warm(), &at(0), 8);
    check(&Options { temperature: 1.0, ..warm() }, &at(0), 8);
    check(&Options { dynamic: Dynamic { range: 0.5, exponent: 1.0 }, ..warm() }, &at(0), 8);
}

#[test]
fn draws_follow_what_filters_leave() {
    check(&Options { top_k: 5, ..warm() }, &at(0), 5);
    check(&Options { top_p: 0.8, ..warm() }, &at(0), 4);
    check(&Options { min_p: 0.3, ..warm() }, &at(0), 5);
    check(&Options { typical: 0.5, ..warm() }, &at(0), 3);
    check(&Options { top_n_sigma: 1.0, ..warm() }, &at(0), 3);
}

#[test]
fn xtc_excludes_as_often_as_it_should() {
    check(&Options { xtc: Xtc { probability: 0.3, threshold: 0.15 }, ..warm() }, &at(0), 8);
    check(&Options { xtc: Xtc { probability: 1.0, threshold: 0.15 }, ..warm() }, &at(0), 6);
}

#[test]
fn draws_follow_changed_logits() {
    let context = Context { history: &[2, 3, 3, 1, 2, 3, 3], allowed: Some(&[0b0111_1111]), position: 0 };
    let penalties = Penalties { last_n: 64, repeat: 1.3, presence: 0.2, frequency: 0.1 };
    check(&Options { penalties, ..warm() }, &context, 7);
    let dry = Dry { multiplier: 0.8, base: 1.75, allowed_length: 2, last_n: 64, breakers: Vec::new() };
    check(&Options { dry, ..warm() }, &context, 7);
    check(&Options { logit_bias: vec![(5, 1.5), (0, f32::NEG_INFINITY)], ..warm() }, &at(0), 7);
}

#[test]
fn draws_follow_mirostat() {
    for (version, tau, kept) in [(MirostatVersion::V1, 1.4, 3), (MirostatVersion::V2, 1.9, 4)] {
        let mirostat = Some(Mirostat { version, tau, eta: 0.1 });
        check(&Options { mirostat, ..warm() }, &at(0), kept);
    }
}
