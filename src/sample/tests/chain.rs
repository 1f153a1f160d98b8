//! Whole chains, in any order, against the plain one.

use super::*;
use proptest::prelude::*;
use siskin_tools::emulated;

/// Keeps what it is told.
#[derive(Default)]
struct Record(Vec<(&'static str, Vec<Candidate>)>);

impl Observer for Record {
    fn after(&mut self, step: &'static str, candidates: &[Candidate]) {
        self.0.push((step, candidates.to_vec()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, max_global_rejects: 8192, ..ProptestConfig::default() })]

    #[test]
    fn any_chain_equals_the_plain_one(
        (logits, history, allowed, options) in any::everything(), position: u64,
    ) {
        let context = Context { position, history: &history, allowed: allowed.as_deref() };
        let mut sampler = sampler(&options, logits.len());
        let (u, u_xtc) = (uniform(options.seed, position, Stream::Draw), uniform(options.seed, position, Stream::Xtc));
        if Plain::run_leaves_nothing(&logits, &options, &context) {
            let error = sampler.sample(&logits, &context).unwrap_err();
            prop_assert!(matches!(error, Error::NothingAllowed { .. } | Error::NothingLeft { .. }), "{error}");
            return Ok(());
        }
        let mu = 2.0 * f64::from(options.mirostat.map_or(0.0, |mirostat| mirostat.tau));
        let (mut plain, trace) = Plain::run(&logits, &options, &context, u_xtc, mu);
        let (token, probability) = plain.draw(u, options.temperature == 0.0);
        prop_assume!(plain.margin > MARGIN);

        let mut record = Record::default();
        let choice = sampler.sample_observed(&logits, &context, &mut record).unwrap();
        prop_assert_eq!(choice.token, token);
        let logprob = options.logprobs.then(|| Distribution::new(&logits, 0).unwrap().log_probability(token));
        prop_assert_eq!(choice.logprob, logprob.flatten());
        prop_assert!((f64::from(choice.probability) - probability).abs() < 1e-6, "{:?} {probability}", choice);
        for ((name, left), (expected_name, expected)) in record.0.iter().zip(&trace) {
            prop_assert_eq!(name, expected_name);
            let tokens: Vec<u32> = left.iter().map(|candidate| candidate.token).collect();
            prop_assert_eq!(&tokens, expected, "after {}", name);
            let sum: f64 = left.iter().map(|candidate| f64::from(candidate.probability)).sum();
            prop_assert!((sum - 1.0).abs() < 1e-4, "{sum} after {name}");
        }
        prop_assert_eq!(record.0.len(), trace.len());

        sampler.reset();
        prop_assert_eq!(sampler.sample(&logits, &context).unwrap(), choice, "observed or not");
    }

    #[test]
    fn memory_is_what_was_announced((logits, history, _, options) in any::everything()) {
        let options = options.within(history.len());
        let mut sampler = sampler(&options, logits.len());
        let before = sampler.footprint();
        prop_assert_eq!(before.1, options.scratch_bytes(logits.len()));
        for position in 0..4 {
            // Everything may be banned.
            let _ = sampler.sample(&logits, &Context { position, history: &history, allowed: None });
        }
        prop_assert_eq!(sampler.footprint(), before);
    }

    /// The limit follows the surprise of one choice after another, and begins anew after a reset.
    #[test]
    fn mirostat_follows(logits in any::logits(), mirostat in any::mirostat(), seed: u64) {
        let options = Options { temperature: 0.9, mirostat: Some(mirostat), seed, ..Options::default() };
        let mut sampler = sampler(&options, logits.len());
        let mut mu = 2.0 * f64::from(mirostat.tau);
        let first = sampler.sample(&logits, &at(0)).unwrap();
        sampler.reset();
        for position in 0..10 {
            let (mut plain, _) = Plain::run(&logits, &options, &at(position), 0.0, mu);
            let (token, probability) = plain.draw(uniform(seed, position, Stream::Draw), false);
            prop_assume!(plain.margin > MARGIN);
            prop_assert_eq!(sampler.sample(&logits, &at(position)).unwrap().token, token, "at {}", position);
            mu -= f64::from(mirostat.eta) * (-probability.log2() - f64::from(mirostat.tau));
        }
        sampler.reset();
        prop_assert_eq!(sampler.sample(&logits, &at(0)).unwrap(), first);
    }
}

/// As large as vocabularies get, with as many candidates as a flat distribution leaves.
#[test]
fn a_large_vocabulary() {
    let size: u32 = if emulated() { 32_768 } else { 262_144 };
    let spread = |scale: f64| -> Vec<f32> {
        (0..u64::from(size)).map(|i| (scale * (uniform(3, i, Stream::Draw) - 0.5)) as f32).collect()
    };
    let base = Options { temperature: 0.8, seed: 5, ..Options::default() };
    let settings = [
        base.clone(),
        Options { top_k: 40, top_p: 0.9, ..base.clone() },
        Options { top_k: size * 2 / 5, top_p: 0.51, ..base.clone() },
        Options { top_p: 0.95, min_p: 0.05, ..base.clone() },
        Options { typical: 0.6, ..base.clone() },
        Options { top_p: 0.9, ..base.clone() },
        Options { typical: 0.9, top_p: 0.7, top_k: size / 9, ..base.clone() },
        Options { top_n_sigma: 1.0, ..base.clone() },
        // Removed first, changed later.
        Options {
            chain: "top_p;penalties;temperature".parse().unwrap(),
            top_p: 0.99,
            penalties: Penalties { last_n: 64, repeat: 1.0, presence: 0.5, frequency: 0.0 },
            logit_bias: vec![(7, 0.1), (8, f32::NEG_INFINITY)],
            ..base
        },
    ];
    let history = [7, 9, size - 1];
    let context = Context { history: &history, ..at(11) };
    for logits in [spread(40.0), spread(6.0), spread(0.1), vec![0.0; size as usize]] {
        for options in &settings {
            let (mut plain, _) = Plain::run(&logits, options, &context, 0.0, 0.0);
            let (token, _) = plain.draw(uniform(5, 11, Stream::Draw), false);
            assert!(plain.margin > 1e-12, "the seed makes this case undecidable: {options:?}");
            assert_eq!(
                sampler(options, logits.len()).sample(&logits, &context).unwrap().token,
                token,
                "{options:?}"
            );
        }
    }
}

/// Filters that leave too much for a list: what comes after them sees the new peak and the new total, and the tokens that were changed or forbidden before.
#[test]
fn filters_follow_one_that_leaves_many() {
    let logits: Vec<f32> = (0..40_000).map(|i| (2.0 * (uniform(3, i, Stream::Draw) - 0.5)) as f32).collect();
    let base =
        Options { temperature: 1.5, seed: 5, typical: 0.7, top_p: 0.8, min_p: 0.6, ..Options::default() };
    let bias: Vec<(u32, f32)> = (0..500).map(|i| (79 * i, -1.5)).collect();
    let allowed = [0xFFFF_FF0F; 1250];
    for (chain, logit_bias, allowed) in [
        ("typical;min_p;temperature", Vec::new(), None),
        ("top_p;typical;temperature", Vec::new(), Some(&allowed[..])),
        ("top_p;typical;temperature", bias, None),
    ] {
        let options = Options { chain: chain.parse().unwrap(), logit_bias, ..base.clone() };
        let context = Context { allowed, ..at(11) };
        let (mut plain, trace) = Plain::run(&logits, &options, &context, 0.0, 0.0);
        let (token, _) = plain.draw(uniform(5, 11, Stream::Draw), false);
        assert!(plain.margin > 1e-12, "the seed makes this case undecidable: {chain}");
        let (_, left) = trace.iter().find(|(name, _)| chain.starts_with(name)).unwrap();
        assert!(left.len() > 17_000, "{} are left", left.len());
        let mut record = Record::default();
        let mut sampler = sampler(&options, logits.len());
        let choice = sampler.sample_observed(&logits, &context, &mut record).unwrap();
        assert_eq!((choice.token, sampler.sample(&logits, &context).unwrap()), (token, choice));
        for ((name, left), (_, expected)) in record.0.iter().zip(&trace) {
            assert!(
                left.iter().map(|candidate| candidate.token).eq(expected.iter().copied()),
                "after {name}"
            );
            let sum: f64 = left.iter().map(|candidate| f64::from(candidate.probability)).sum();
            assert!((sum - 1.0).abs() < 1e-4, "{sum} after {name} of {chain}");
        }
    }
}

#[test]
fn greedy_takes_the_lowest_of_equal_tokens() {
    let choose = |logits: &[f32]| sampler(&Options::default(), logits.len()).sample(logits, &at(0)).unwrap();
    assert_eq!(choose(&[1.0, 3.0, 2.0, 3.0]).token, 1);
    assert_eq!(choose(&[f32::NEG_INFINITY, -0.0, 0.0]).token, 1);
    assert_eq!(choose(&[-5.0]), Choice { token: 0, probability: 1.0, logprob: None });
}

#[test]
fn greedy_heeds_bias_penalties_and_grammar() {
    let logits = [1.0, 4.0, 3.0, 2.0];
    let bias = Options { logit_bias: vec![(1, f32::NEG_INFINITY), (3, 0.5), (3, 0.6)], ..Options::default() };
    assert_eq!(sampler(&bias, 4).sample(&logits, &at(0)).unwrap().token, 3);

    let penalties = Penalties { last_n: 2, repeat: 2.0, presence: 0.0, frequency: 0.0 };
    let repeat = Options { penalties, ..Options::default() };
    let mut sampler = sampler(&repeat, 4);
    let after = |history| Context { position: 0, history, allowed: None };
    assert_eq!(sampler.sample(&logits, &after(&[1])).unwrap().token, 2);
    assert_eq!(
        sampler.sample(&logits, &after(&[1, 0, 0])).unwrap().token,
        1,
        "it is two tokens back no more"
    );
    let allowed = Context { allowed: Some(&[0b1001]), ..at(0) };
    assert_eq!(sampler.sample(&logits, &allowed).unwrap().token, 3);
}

/// Logits are shown divided by the temperature, and those that the next step removes, too.
#[test]
fn an_observer_sees_each_step_by_itself() {
    let chain = "temperature;top_p;min_p".parse().unwrap();
    let options = Options { chain, temperature: 2.0, top_p: 0.9, min_p: 0.6, ..Options::default() };
    let mut record = Record::default();
    sampler(&options, 4).sample_observed(&[4.0, 3.0, 2.0, -20.0], &at(0), &mut record).unwrap();
    let logits = record.0.iter().map(|(_, left)| left.iter().map(|candidate| candidate.logit).collect());
    let logits: Vec<Vec<f32>> = logits.collect();
    assert_eq!(logits, [vec![2.0, 1.5, 1.0, -10.0], vec![2.0, 1.5, 1.0], vec![2.0, 1.5]]);
}

/// Alone, and behind a bias that excludes what was far likelier than all others.
#[test]
fn xtc_needs_no_other_step() {
    let options = |logit_bias| Options {
        chain: "xtc".parse().unwrap(),
        temperature: 1.0,
        xtc: Xtc { probability: 1.0, threshold: 0.3 },
        logit_bias,
        ..Options::default()
    };
    let choose = |logits: &[f32; 3], bias| sampler(&options(bias), 3).sample(logits, &at(0)).unwrap().token;
    assert_eq!(choose(&[f32::NEG_INFINITY, 0.0, 0.0], Vec::new()), 2);
    assert_eq!(choose(&[1000.0, 0.0, 0.0], vec![(0, f32::NEG_INFINITY)]), 2);
}

#[test]
fn the_order_of_a_chain_matters() {
    // At temperature 3 the second token has more than half of the likeliest's probability, at 1 less.
    let logits = [2.0, 1.0, -40.0];
    let left = |chain: &str| {
        let chain = chain.parse().unwrap();
        let options = Options { chain, temperature: 3.0, min_p: 0.5, ..Options::default() };
        let mut record = Record::default();
        sampler(&options, 3).sample_observed(&logits, &at(0), &mut record).unwrap();
        record.0.last().unwrap().1.len()
    };
    assert_eq!((left("min_p;temperature"), left("temperature;min_p")), (1, 2));
    assert_eq!(left("temperature"), 3, "what is not named does not run");
}

#[test]
fn each_position_has_its_own_number_in_any_order_of_calls() {
    let logits: Vec<f32> = (0..50).map(|i| (i as f32 * 0.7).sin()).collect();
    let options = Options { temperature: 1.0, seed: 99, ..Options::default() };
    let mut first = sampler(&options, logits.len());
    let forwards: Vec<Choice> = (0..64).map(|p| first.sample(&logits, &at(p)).unwrap()).collect();
    for position in (0..64).rev() {
        assert_eq!(first.sample(&logits, &at(position)).unwrap(), forwards[position as usize]);
    }
    let mut other = sampler(&Options { seed: 100, ..options }, logits.len());
    let others: Vec<Choice> = (0..64).map(|p| other.sample(&logits, &at(p)).unwrap()).collect();
    assert_ne!(forwards, others);
}

/// What seeds meant before chains could be ordered: tokens that the first version of this program drew.
#[test]
fn seeds_keep_their_meaning() {
    let logits: Vec<f32> =
        (0..2000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as f32 / 512.0).collect();
    let base =
        Options { temperature: 0.8, top_k: 40, top_p: 0.95, min_p: 0.05, seed: 7, ..Options::default() };
    let pinned = [
        (base.clone(), [1940, 1330, 987, 521, 1851, 1885, 55, 1042, 1474, 987, 1851, 1097]),
        (
            Options { top_k: 0, ..base.clone() },
            [647, 1134, 1974, 1296, 569, 885, 906, 1893, 1472, 377, 823, 299],
        ),
        (
            Options { temperature: 1.3, top_k: 0, top_p: 1.0, min_p: 0.0, ..base },
            [409, 629, 377, 563, 1125, 817, 571, 1935, 1394, 754, 997, 1865],
        ),
    ];
    for (options, expected) in pinned {
        let mut sampler = sampler(&options, logits.len());
        let tokens: Vec<u32> = (0..12).map(|p| sampler.sample(&logits, &at(p)).unwrap().token).collect();
        assert_eq!(tokens, expected, "{options:?}");
    }
}

/// Two tokens with zeros of either sign: the exponent of Zipf's law is 0, and all tokens stay.
#[test]
fn mirostat_of_equal_zeros_keeps_both() {
    let mirostat = Mirostat { version: MirostatVersion::V1, tau: 5.0, eta: 0.1 };
    for logits in [[-0.0, 0.0], [0.0, -0.0]] {
        let chosen = (0..64).map(|seed| {
            let options = Options { temperature: 1.0, mirostat: Some(mirostat), seed, ..Options::default() };
            let mut sampler = Sampler::new(options, 2).unwrap();
            sampler.sample(&logits, &Context::default()).unwrap().token
        });
        let chosen: std::collections::BTreeSet<u32> = chosen.collect();
        assert_eq!(chosen.len(), 2, "{logits:?}");
    }
}
