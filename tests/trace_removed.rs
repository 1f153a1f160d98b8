//! `removed_by` of `siskin trace`: each step of the chain, computed here in the obvious way from the logits of `siskin generate`.

mod trace_util;
mod util;

use serde_json::Value;
use trace_util::{array, lines, number, of_type, steps};

/// No filter but what a test asks for.
const OPEN: [&str; 6] = ["--top-k", "0", "--top-p", "1", "--min-p", "0"];
/// A text that may go on in many ways.
const STORY: [&str; 5] = ["--seed", "5", "-n", "6", "Once upon a time, there was a"];

/// What a step of the chain says of a recorded token.
struct Candidate<'a> {
    token: u64,
    removed_by: Option<&'a str>,
    drawn_with: Option<f64>,
}

fn candidates(step: &Value) -> Vec<Candidate<'_>> {
    array(&step["distribution"]["top"]).iter().map(candidate).collect()
}

fn candidate(value: &Value) -> Candidate<'_> {
    let token = value["token"].as_u64().expect("an id");
    Candidate { token, removed_by: value["removed_by"].as_str(), drawn_with: value["drawn_with"].as_f64() }
}

/// The softmax of logits at a temperature.
fn softmax(logits: &[f32], temperature: f64) -> Vec<f64> {
    let peak = f64::from(logits.iter().fold(f32::MIN, |a, &b| a.max(b)));
    let weights: Vec<f64> = logits.iter().map(|&x| ((f64::from(x) - peak) / temperature).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// The tokens in order of rank.
fn ranked(logits: &[f32]) -> Vec<usize> {
    let mut all: Vec<usize> = (0..logits.len()).collect();
    all.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]).then(a.cmp(&b)));
    all
}

/// What the three places say that tell of a removed token is the same: the token's, the step's list, and the probabilities.
fn holds_together(step: &Value) {
    let (all, filters) = (candidates(step), array(&step["filters"]));
    for filter in filters {
        let listed = |token: u64| array(&filter["removed"]).contains(&token.into());
        assert!(all.iter().all(|c| listed(c.token) == (c.removed_by == filter["name"].as_str())), "{filter}");
    }
    assert!(filters.iter().map(|filter| filter["left"].as_u64()).rev().is_sorted(), "{filters:?}");
    assert!(all.iter().all(|c| c.removed_by.is_some() == c.drawn_with.is_none()), "{step}");
    let sum: f64 = all.iter().filter_map(|c| c.drawn_with).sum();
    assert!(sum < 1.0 + 1e-5, "{sum}");
}

/// Runs a story with a step on, and compares what it removed with `margin(step, logits)`: above 0 for the tokens that it must remove. Numbers as
/// near to 0 as rounding may be are not looked at.
fn removes(name: &str, flags: &[&str], mut margins: impl FnMut(&Value, &[f32]) -> Vec<f64>) {
    let (mut removed, mut kept) = (0, 0);
    for (step, logits) in steps(&[&OPEN, flags, &STORY].concat()) {
        holds_together(&step);
        let margins = margins(&step, &logits);
        for candidate in candidates(&step) {
            let margin = margins[candidate.token as usize];
            let is_removed = candidate.removed_by == Some(name);
            assert!(margin.abs() < 1e-5 || is_removed == (margin > 0.0), "{name} {margin} {step}");
            *if is_removed { &mut removed } else { &mut kept } += 1;
        }
    }
    assert!(removed > 0 && kept > 0, "{name}: {removed} {kept}");
}

/// 1 for the tokens of which `is_removed` holds, else -1.
fn margins(tokens: usize, is_removed: impl Fn(usize) -> bool) -> Vec<f64> {
    (0..tokens).map(|token| if is_removed(token) { 1.0 } else { -1.0 }).collect()
}

#[test]
fn top_n_sigma_removes_what_is_far_below_the_largest() {
    removes("top_n_sigma", &["--top-n-sigma", "1.5"], |_, logits| {
        let finite: Vec<f64> = logits.iter().map(|&x| f64::from(x)).filter(|x| x.is_finite()).collect();
        let mean = finite.iter().sum::<f64>() / finite.len() as f64;
        let variance = finite.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / finite.len() as f64;
        let largest = finite.iter().fold(f64::MIN, |a, &b| a.max(b));
        logits.iter().map(|&x| largest - 1.5 * variance.sqrt() - f64::from(x)).collect()
    });
}

#[test]
fn typical_removes_what_is_far_from_the_entropy() {
    removes("typical", &["--typical", "0.4"], |_, logits| {
        let p = softmax(logits, 1.0);
        let entropy: f64 = p.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum();
        let mut all = ranked(logits);
        all.sort_by(|&a, &b| {
            let off = |token: usize| (-p[token].ln() - entropy).abs();
            off(a).total_cmp(&off(b))
        });
        let sums = all.iter().scan(0.0, |sum, &token| Some(std::mem::replace(sum, *sum + p[token])));
        let kept = sums.take_while(|before| *before < 0.4).count();
        margins(logits.len(), |token| !all[..kept].contains(&token))
    });
}

#[test]
fn xtc_removes_top_choices_but_the_last() {
    let flags = ["--xtc-probability", "1", "--xtc-threshold", "0.05"];
    removes("xtc", &flags, |_, logits| {
        let p = softmax(logits, 1.0);
        let top: Vec<usize> = ranked(logits).into_iter().filter(|&token| p[token] >= 0.05).collect();
        let excluded = &top[..top.len().saturating_sub(1)];
        margins(logits.len(), |token| excluded.contains(&token))
    });
}

/// Both follow their limit over the run.
#[test]
fn mirostat_removes_what_surprises_too_much() {
    let flags = ["--mirostat", "2", "--mirostat-tau", "2", "--mirostat-eta", "0.3"];
    let mut limit = 4.0;
    removes("mirostat", &flags, |step, logits| {
        let p = softmax(logits, 0.8);
        let likeliest = ranked(logits)[0];
        let margin = |token: usize| if token == likeliest { -1.0 } else { -p[token].log2() - limit };
        let margins = (0..logits.len()).map(margin).collect();
        let surprise = -number(&step["chosen"]["drawn_with"]).log2();
        limit -= 0.3 * (surprise - 2.0);
        margins
    });
}

#[test]
fn mirostat_by_zipf_removes_all_but_some_of_the_likeliest() {
    let flags = ["--mirostat", "1", "--mirostat-tau", "2", "--mirostat-eta", "0.3"];
    let mut limit = 4.0;
    removes("mirostat", &flags, |step, logits| {
        let all = ranked(logits);
        let kept = zipf(&all, logits, 0.8, limit);
        assert_eq!(array(&step["filters"]).last().map(|filter| &filter["left"]), Some(&kept.into()));
        limit -= 0.3 * (-number(&step["chosen"]["drawn_with"]).log2() - 2.0);
        margins(logits.len(), |token| !all[..kept].contains(&token))
    });
}

/// How many of the likeliest tokens have this mean surprise, by the law of Zipf (arXiv:2007.14966, equations 30 and 38).
fn zipf(ranked: &[usize], logits: &[f32], temperature: f64, limit: f64) -> usize {
    let x: Vec<f64> = ranked[..100].iter().map(|&token| f64::from(logits[token]) / temperature).collect();
    let pairs = (1..100).map(|i| ((i as f64 + 1.0).ln() - (i as f64).ln(), x[i - 1] - x[i]));
    let (tb, tt) = pairs.fold((0.0, 0.0), |(tb, tt), (t, b)| (tb + t * b, tt + t * t));
    let (s, n) = (tb / tt, logits.len() as f64);
    let k = ((s - 1.0) / (1.0 - n.powf(1.0 - s)) * limit.exp2()).powf(1.0 / s);
    (k.min(n) as usize).max(1)
}

/// The token that would have come first, at each position, and nothing else: what is drawn and what is greedy.
#[test]
fn a_bias_of_minus_infinity_removes_a_token() {
    let first = lines(&STORY);
    let token = &of_type(&first, "step")[0]["distribution"]["top"][0]["token"];
    let bias = format!("{token}-inf");
    for temperature in ["0.8", "0"] {
        let flags = ["--temp", temperature, "--logit-bias", &bias];
        removes("logit_bias", &flags, |step, logits| {
            assert_eq!(step["filters"][0]["left"], logits.len() - 1);
            assert_ne!(step["chosen"]["token"], *token);
            margins(logits.len(), |other| *token == other)
        });
    }
}

#[test]
fn greedy_removes_all_but_one() {
    removes("greedy", &["--temp", "0"], |step, logits| {
        let chosen = ranked(logits)[0];
        assert_eq!(step["chosen"]["token"], chosen);
        margins(logits.len(), |token| token != chosen)
    });
}

/// However large, a penalty leaves a logit finite: what it changed is told, and a later step removes it.
fn removes_nothing(name: &str, flags: &[&str]) {
    let open = ["--top-k", "40", "--top-p", "1", "--min-p", "0", "--seed", "5", "-n", "3"];
    let mut count = 0;
    for (step, logits) in steps(&[&open, flags, &["The cat sat on the cat sat on the"]].concat()) {
        holds_together(&step);
        let (all, filter) = (candidates(&step), &step["filters"][0]);
        assert_eq!((&filter["name"], &filter["left"]), (&name.into(), &logits.len().into()));
        assert!(array(&filter["removed"]).is_empty(), "{filter}");
        for changed in filter["changed"].as_array().into_iter().flatten() {
            let removed_by = all.iter().find(|c| changed["token"] == c.token).and_then(|c| c.removed_by);
            assert!(
                number(&changed["logit"]) < -1e37 && removed_by == Some("top_k"),
                "{changed} {removed_by:?}"
            );
            count += 1;
        }
    }
    assert!(count > 0, "{name}");
}

#[test]
fn penalties_remove_nothing_themselves() {
    removes_nothing("penalties", &["--presence-penalty", "3e38", "--frequency-penalty", "3e38"]);
    removes_nothing("dry", &["--dry-multiplier", "3e38", "--dry-base", "1e30"]);
}

/// One step removes what it can of what the one before it has left.
#[test]
fn the_first_step_that_removes_a_token_is_named() {
    let chain = "typical;top_n_sigma;top_k;top_p;min_p;xtc;temperature";
    let flags =
        ["--samplers", chain, "--typical", "0.9", "--top-n-sigma", "3", "--top-k", "8", "--top-p", "0.9"];
    let xtc = ["--min-p", "0.1", "--xtc-probability", "1", "--xtc-threshold", "0.1"];
    for (step, _) in steps(&[&flags[..], &xtc, &STORY].concat()) {
        holds_together(&step);
        let names: Vec<&str> = array(&step["filters"]).iter().filter_map(|f| f["name"].as_str()).collect();
        assert_eq!(names.join(";"), chain);
        let removed: usize = array(&step["filters"]).iter().map(|f| array(&f["removed"]).len()).sum();
        let named = candidates(&step).iter().filter(|c| c.removed_by.is_some()).count();
        assert_eq!(removed, named);
    }
}
