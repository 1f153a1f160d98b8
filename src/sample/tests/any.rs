//! Random logits, settings and histories for property tests.

use crate::sample::{Chain, Dry, Dynamic, Mirostat, MirostatVersion, Options, Penalties, Step, Xtc};
use proptest::prelude::*;

/// Logits as models make them, and as they should not: many ties, neighbouring numbers, both zeros, excluded tokens, far outliers.
pub(super) fn logits() -> impl Strategy<Value = Vec<f32>> {
    let smooth = prop::collection::vec(-20.0f32..20.0, 1..400);
    let tied = prop::collection::vec((-6i8..6).prop_map(|x| f32::from(x) * 0.5), 1..400);
    let neighbours = (0u32..40).prop_map(|x| f32::from_bits(20f32.to_bits() + x));
    let neighbours = prop::collection::vec(neighbours, 1..400);
    let odd = prop_oneof![
        4 => -3.0f32..3.0,
        2 => Just(f32::NEG_INFINITY),
        1 => Just(-0.0f32),
        1 => Just(0.0f32),
        1 => -1e30f32..1e30,
    ];
    let odd = prop::collection::vec(odd, 1..100);
    prop_oneof![smooth, tied, neighbours, odd]
        .prop_filter("at least one finite", |logits| logits.iter().any(|l| l.is_finite()))
}

/// A history of few different tokens, so that there are repetitions.
pub(super) fn history() -> impl Strategy<Value = Vec<u32>> {
    let tokens = prop_oneof![0u32..2, 0u32..5, 0u32..40];
    prop_oneof![prop::collection::vec(tokens, 0..60), prop::collection::vec(Just(1), 0..60)]
}

fn last_n() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0u32), 1u32..10, 1u32..80, Just(u32::MAX)]
}

pub(super) fn penalties() -> impl Strategy<Value = Penalties> {
    let amount = || prop_oneof![2 => Just(0.0f32), 3 => -2.0f32..2.0];
    let repeat = prop_oneof![2 => Just(1.0f32), 3 => 0.5f32..2.0];
    (last_n(), repeat, amount(), amount()).prop_map(|(last_n, repeat, presence, frequency)| Penalties {
        last_n,
        repeat,
        presence,
        frequency,
    })
}

pub(super) fn dry() -> impl Strategy<Value = Dry> {
    let multiplier = prop_oneof![Just(0.0f32), 0.1f32..3.0];
    let breakers = prop::collection::vec(0u32..40, 0..3);
    (multiplier, 1.0f32..2.5, 1u32..5, last_n(), breakers).prop_map(
        |(multiplier, base, allowed_length, last_n, breakers)| Dry {
            multiplier,
            base,
            allowed_length,
            last_n,
            breakers,
        },
    )
}

/// Every step, or a few, in any order.
fn chain() -> impl Strategy<Value = Chain> {
    let shuffled = Just(Step::ALL.to_vec()).prop_shuffle();
    let some = (shuffled, 0..=Step::ALL.len())
        .prop_map(|(steps, n)| Chain::new(&steps[..n]).expect("no step twice"));
    prop_oneof![1 => Just(Chain::default()), 3 => some]
}

pub(super) fn xtc() -> impl Strategy<Value = Xtc> {
    let probability = prop_oneof![2 => Just(0.0f32), 2 => Just(1.0f32), 1 => 0.0f32..1.0];
    (probability, 0.001f32..1.0).prop_map(|(probability, threshold)| Xtc { probability, threshold })
}

pub(super) fn dynamic() -> impl Strategy<Value = Dynamic> {
    (prop_oneof![Just(0.0f32), 0.1f32..3.0], 0.5f32..3.0)
        .prop_map(|(range, exponent)| Dynamic { range, exponent })
}

pub(super) fn mirostat() -> impl Strategy<Value = Mirostat> {
    let version = prop_oneof![Just(MirostatVersion::V1), Just(MirostatVersion::V2)];
    (version, 0.1f32..8.0, 0.01f32..1.0).prop_map(|(version, tau, eta)| Mirostat { version, tau, eta })
}

/// Settings of everything, for a vocabulary of `vocab` tokens.
pub(super) fn options(vocab: usize) -> impl Strategy<Value = Options> {
    let top_k = prop_oneof![Just(0u32), 1u32..10, 1u32..500];
    let fraction = || prop_oneof![2 => Just(1.0f32), 2 => 0.01f32..1.0, 1 => Just(f32::MIN_POSITIVE), 1 => Just(1.0f32.next_down())];
    let min_p = prop_oneof![Just(0.0f32), 0.001f32..0.999, Just(f32::MIN_POSITIVE), Just(1.0f32.next_down())];
    let temperature = prop_oneof![2 => Just(1.0f32), 4 => 0.1f32..4.0, 1 => Just(0.0f32), 1 => Just(1e-20f32), 1 => Just(1e20f32)];
    let sigma = prop_oneof![Just(0.0f32), 0.1f32..3.0];
    let filters = (top_k, fraction(), fraction(), min_p, sigma, xtc());
    let bias = prop_oneof![4 => -5.0f32..5.0, 1 => Just(100.0f32), 1 => Just(f32::NEG_INFINITY)];
    let bias = prop::collection::vec((0..vocab as u32, bias), 0..4);
    let edits = (bias, penalties(), dry());
    let mirostat = prop_oneof![4 => Just(None), 1 => mirostat().prop_map(Some)];
    (chain(), filters, edits, temperature, dynamic(), mirostat, any::<u64>()).prop_map(
        |(
            chain,
            (top_k, top_p, typical, min_p, top_n_sigma, xtc),
            edits,
            temperature,
            dynamic,
            mirostat,
            seed,
        )| {
            let (logit_bias, penalties, dry) = edits;
            Options {
                chain,
                logit_bias,
                penalties,
                dry,
                top_n_sigma,
                top_k,
                typical,
                top_p,
                min_p,
                xtc,
                temperature,
                dynamic,
                mirostat,
                seed,
                logprobs: seed % 2 == 1,
            }
        },
    )
}

/// Logits, a history of their tokens, which are allowed, and settings.
pub(super) fn everything() -> impl Strategy<Value = (Vec<f32>, Vec<u32>, Option<Vec<u32>>, Options)> {
    let allowed = prop_oneof![
        2 => Just(None),
        1 => prop::collection::vec(any::<u32>(), 0..14).prop_map(Some),
        1 => prop::collection::vec(prop_oneof![Just(0u32), Just(u32::MAX), Just(1u32 << 7)], 0..14).prop_map(Some),
    ];
    (logits(), history(), allowed).prop_flat_map(|(logits, history, allowed)| {
        let vocab = logits.len() as u32;
        let history = history.into_iter().map(|token| token % vocab).collect::<Vec<u32>>();
        let options = options(logits.len());
        (Just(logits), Just(history), Just(allowed), options)
    })
}
