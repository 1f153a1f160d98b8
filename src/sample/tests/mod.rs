//! The sampler against a plain reference, against statistics, and against bad input.

mod plain;

use super::{candidates::Candidates, softmax::Weights, *};
use plain::Plain;
use proptest::prelude::*;

/// Boundaries nearer than this (as a share of the mass) are left out: there, rounding may decide.
const MARGIN: f64 = 1e-9;

/// Logits as models make them, and as they should not: many ties, both zeros, excluded tokens, far outliers.
fn any_logits() -> impl Strategy<Value = Vec<f32>> {
    let smooth = prop::collection::vec(-20.0f32..20.0, 1..400);
    let tied = prop::collection::vec((-6i8..6).prop_map(|x| f32::from(x) * 0.5), 1..400);
    let odd = prop_oneof![
        4 => -3.0f32..3.0,
        2 => Just(f32::NEG_INFINITY),
        1 => Just(-0.0f32),
        1 => Just(0.0f32),
        1 => -1e30f32..1e30,
    ];
    let odd = prop::collection::vec(odd, 1..100);
    prop_oneof![smooth, tied, odd]
        .prop_filter("at least one finite", |logits| logits.iter().any(|l| l.is_finite()))
}

fn any_options() -> impl Strategy<Value = Options> {
    let top_k = prop_oneof![Just(0u32), 1u32..10, 1u32..500];
    let top_p = prop_oneof![Just(1.0f32), 0.01f32..1.0, Just(f32::MIN_POSITIVE), Just(1.0f32.next_down())];
    let min_p = prop_oneof![Just(0.0f32), 0.001f32..0.999, Just(f32::MIN_POSITIVE), Just(1.0f32.next_down())];
    let temperature = prop_oneof![Just(1.0f32), 0.1f32..4.0, Just(0.0f32), Just(1e-20f32), Just(1e20f32)];
    (temperature, top_k, top_p, min_p, any::<u64>()).prop_map(|(temperature, top_k, top_p, min_p, seed)| {
        Options { temperature, top_k, top_p, min_p, seed }
    })
}

/// What a sampler has collected and weighed before any filter.
fn collected(logits: &[f32], floor: f32) -> Candidates {
    let weights = Weights::new(plain::largest(logits), 1.0);
    let mut candidates = Candidates::with_capacity(logits.len());
    candidates.collect_above(logits, floor, weights, weights.sum(logits));
    candidates
}

fn tokens(candidates: &Candidates) -> Vec<u32> {
    let mut list = candidates.list.clone();
    list.sort_by_key(candidates::rank);
    list.iter().map(|candidate| candidate.token).collect()
}

proptest! {
    #[test]
    fn top_k_equals_a_full_sort(logits in any_logits(), k in 1usize..500) {
        let weights = Weights::new(plain::largest(&logits), 1.0);
        let mut candidates = Candidates::with_capacity(0);
        candidates.collect_best(&logits, k, weights);
        prop_assert_eq!(tokens(&candidates), Plain::new(&logits).top_k(k).tokens());
    }

    #[test]
    fn top_p_equals_a_full_softmax(logits in any_logits(), p in 0.001f64..1.0) {
        let expected = Plain::new(&logits).top_p(p);
        prop_assume!(expected.margin > MARGIN);
        let mut all = collected(&logits, f32::NEG_INFINITY);
        let floor = all.weights.floor(p, logits.len(), all.total);
        let mut few = collected(&logits, floor);
        filters::top_p(&mut all, p);
        filters::top_p(&mut few, p);
        prop_assert_eq!(tokens(&all), expected.tokens());
        prop_assert_eq!(tokens(&few), expected.tokens());
    }

    #[test]
    fn min_p_equals_a_full_softmax(logits in any_logits(), p in 0.001f64..1.0) {
        let expected = Plain::new(&logits).min_p(p);
        prop_assume!(expected.margin > MARGIN);
        let mut candidates = collected(&logits, f32::NEG_INFINITY);
        filters::min_p(&mut candidates, p.ln());
        prop_assert_eq!(tokens(&candidates), expected.tokens());
    }

    #[test]
    fn temperature_equals_a_full_softmax(logits in any_logits(), temperature in 0.05f32..5.0) {
        let mut candidates = collected(&logits, f32::NEG_INFINITY);
        filters::temperature(&mut candidates, temperature);
        let expected = Plain::new(&logits).temperature(temperature).probabilities();
        for (token, p) in expected {
            let logit = logits[token as usize];
            prop_assert!((candidates.weights.of(logit) / candidates.total - p).abs() < 1e-12);
        }
    }

    #[test]
    fn the_whole_chain_equals_the_plain_one(logits in any_logits(), options in any_options(), position: u64) {
        let u = rng::uniform(options.seed, position);
        let (token, margin) = Plain::choose(&logits, &options, u);
        prop_assume!(margin > MARGIN);
        let choice = Sampler::new(options, logits.len()).unwrap().sample(&logits, position).unwrap();
        prop_assert_eq!(choice.token, token);
        let logprob = Plain::new(&logits).log_probability(token);
        prop_assert!(f64::from(choice.logprob) <= 0.0);
        prop_assert!((f64::from(choice.logprob) - logprob).abs() <= 1e-6 * (1.0 + logprob.abs()));
    }

    #[test]
    fn memory_is_what_was_announced(logits in any_logits(), options in any_options()) {
        let mut sampler = Sampler::new(options, logits.len()).unwrap();
        let before = (sampler.candidates.list.as_ptr(), sampler.candidates.list.capacity());
        prop_assert_eq!(before.1 * size_of::<Candidate>(), options.scratch_bytes(logits.len()));
        for position in 0..4 {
            sampler.sample(&logits, position).unwrap();
        }
        prop_assert_eq!((sampler.candidates.list.as_ptr(), sampler.candidates.list.capacity()), before);
    }
}

/// As large as vocabularies get, with as many candidates as a flat distribution leaves.
#[test]
fn a_large_vocabulary() {
    let spread = |scale: f64| -> Vec<f32> {
        (0..262_144).map(|i| (scale * (rng::uniform(3, i) - 0.5)) as f32).collect()
    };
    for logits in [spread(40.0), spread(0.1), vec![0.0; 262_144]] {
        let mut sampler = None;
        for (top_k, top_p, min_p) in [(0, 1.0, 0.0), (40, 0.9, 0.0), (100_000, 0.51, 0.0), (0, 0.95, 0.05)] {
            let options = Options { temperature: 0.8, top_k, top_p, min_p, seed: 5 };
            let sampler = sampler.insert(Sampler::new(options, logits.len()).unwrap());
            let (token, margin) = Plain::choose(&logits, &options, rng::uniform(5, 11));
            assert!(margin > 1e-12, "the seed makes this case undecidable");
            assert_eq!(sampler.sample(&logits, 11).unwrap().token, token, "{options:?}");
        }
    }
}

#[test]
fn greedy_takes_the_lowest_of_equal_tokens() {
    let choose = |logits: &[f32]| greedy(logits.len()).sample(logits, 0).unwrap();
    assert_eq!(choose(&[1.0, 3.0, 2.0, 3.0]).token, 1);
    assert_eq!(choose(&[f32::NEG_INFINITY, -0.0, 0.0]).token, 1);
    assert_eq!(choose(&[-5.0]), Choice { token: 0, logprob: 0.0 });
    assert_eq!(choose(&[2.0, 2.0]).logprob, 0.5f32.ln());
}

#[test]
fn ties_at_a_border_keep_the_lower_ids() {
    let logits = [1.0, 2.0, 2.0, 2.0, 2.0, 1.0];
    let mut best = collected(&logits, f32::NEG_INFINITY);
    best.collect_best(&logits, 2, best.weights);
    assert_eq!(tokens(&best), [1, 2]);

    let mut half = collected(&[0.0; 10], f32::NEG_INFINITY);
    filters::top_p(&mut half, 0.5);
    assert_eq!(tokens(&half), [0, 1, 2, 3, 4]);
}

#[test]
fn the_largest_p_below_one_still_keeps_the_likeliest() {
    let mut candidates = collected(&[0.0, 50.0, 50.0], f32::NEG_INFINITY);
    filters::min_p(&mut candidates, f64::from(1.0f32.next_down()).ln());
    assert_eq!(tokens(&candidates), [1, 2]);
}

#[test]
fn each_position_has_its_own_number_in_any_order_of_calls() {
    let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin()).collect();
    let options = Options { temperature: 1.0, seed: 99, ..Options::default() };
    let mut sampler = Sampler::new(options, logits.len()).unwrap();
    let forwards: Vec<Choice> = (0..64).map(|p| sampler.sample(&logits, p).unwrap()).collect();
    for position in (0..64).rev() {
        assert_eq!(sampler.sample(&logits, position).unwrap(), forwards[position as usize]);
    }
    let mut other = Sampler::new(Options { seed: 100, ..options }, logits.len()).unwrap();
    let others: Vec<Choice> = (0..64).map(|p| other.sample(&logits, p).unwrap()).collect();
    assert_ne!(forwards, others);
}

/// Pearson's statistic for 200 000 draws from a fixed distribution of eight tokens. A right sampler exceeds the
/// stated bounds with probability 1e-4 (29.88 for 7 degrees of freedom, 23.51 for 4); the seed is fixed, so the
/// test either always passes or never does.
#[test]
fn draws_follow_the_distribution() {
    let warm = Options { temperature: 0.7, seed: 2024, ..Options::default() };
    assert!(chi_square(warm) < 29.88);
    assert!(chi_square(Options { top_k: 5, ..warm }) < 23.51);
    assert!(chi_square(Options { temperature: 1.0, ..warm }) < 29.88);
}

fn chi_square(options: Options) -> f64 {
    const DRAWS: u64 = 200_000;
    let logits = [0.1, -0.5, 1.2, 0.8, -1.0, 0.0, 0.8, -2.0];
    let mut sampler = Sampler::new(options, logits.len()).unwrap();
    let mut seen = [0.0f64; 8];
    for position in 0..DRAWS {
        seen[sampler.sample(&logits, position).unwrap().token as usize] += 1.0;
    }
    let left = match options.top_k {
        0 => Plain::new(&logits),
        k => Plain::new(&logits).top_k(k as usize),
    };
    let cells = left.temperature(options.temperature).probabilities();
    assert_eq!(cells.iter().map(|(token, _)| seen[*token as usize]).sum::<f64>(), DRAWS as f64);
    cells
        .iter()
        .map(|(token, p)| (seen[*token as usize] - p * DRAWS as f64).powi(2) / (p * DRAWS as f64))
        .sum()
}

fn greedy(vocab: usize) -> Sampler {
    Sampler::new(Options::default(), vocab).unwrap()
}

#[test]
fn unusable_logits_are_named_at_any_temperature() {
    for temperature in [0.0, 1.0] {
        let mut sampler = Sampler::new(Options { temperature, ..Options::default() }, 3).unwrap();
        let mut error = |logits: &[f32]| sampler.sample(logits, 7).unwrap_err();
        assert_eq!(error(&[0.0, 1.0, f32::NAN]), Error::NotANumber { position: 7, token: 2 });
        assert_eq!(error(&[0.0, f32::INFINITY, f32::NAN]), Error::Infinite { position: 7, token: 1 });
        assert_eq!(error(&[f32::NEG_INFINITY; 3]), Error::NothingFinite { position: 7, tokens: 3 });
        assert_eq!(error(&[0.0; 2]), Error::LogitCount { position: 7, found: 2, expected: 3 });
        assert_eq!(error(&[]), Error::LogitCount { position: 7, found: 0, expected: 3 });
    }
}

#[test]
fn options_out_of_range_are_named() {
    let with = |options: Options, vocab| Sampler::new(options, vocab).err();
    let base = Options::default();
    for found in [-0.1, f32::INFINITY, f32::NEG_INFINITY] {
        assert_eq!(with(Options { temperature: found, ..base }, 9), Some(Error::Temperature { found }));
    }
    for found in [0.0, -1.0, 1.1, f32::INFINITY] {
        assert_eq!(with(Options { top_p: found, ..base }, 9), Some(Error::TopP { found }));
    }
    for found in [-0.1, 1.0, f32::INFINITY] {
        assert_eq!(with(Options { min_p: found, ..base }, 9), Some(Error::MinP { found }));
    }
    let nan = f32::NAN;
    assert!(matches!(with(Options { temperature: nan, ..base }, 9), Some(Error::Temperature { .. })));
    assert!(matches!(with(Options { top_p: nan, ..base }, 9), Some(Error::TopP { .. })));
    assert!(matches!(with(Options { min_p: nan, ..base }, 9), Some(Error::MinP { .. })));
    assert_eq!(with(base, 0), Some(Error::Vocabulary { found: 0 }));
}

#[test]
fn messages_say_where_what_and_what_to_try() {
    let text = Error::NotANumber { position: 12, token: 345 }.to_string();
    assert!(text.starts_with("position 12: the logit of token 345 is NaN"), "{text}");
    let text = Sampler::new(Options { top_p: 2.0, ..Options::default() }, 9).unwrap_err().to_string();
    assert_eq!(
        text,
        "top-p: found 2, expected a number above 0 and at most 1. Try 0.95, or 1 to turn it off."
    );
}
