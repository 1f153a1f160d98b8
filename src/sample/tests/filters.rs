//! Each filter alone, on a whole vocabulary and on a list, against its plain reference.

use super::super::band::Band;
use super::super::blocks::{BLOCK, Blocks};
use super::super::candidates::Candidates;
use super::super::edits::{Edits, Touched};
use super::super::histogram::Scale;
use super::super::rank::{Entry, rank};
use super::super::softmax::Weights;
use super::super::source::Source;
use super::super::{elementary::ln, filters, penalties};
use super::*;
use proptest::prelude::*;

/// What a filter by bins leaves of the whole vocabulary, where it finds its border: the logits are in bins down to `low`, and are a band.
fn left_of_many(
    logits: &[f32],
    low: f32,
    filter: impl Fn(&mut Candidates, &mut Source<'_>, Scale) -> bool,
) -> Option<Vec<u32>> {
    let mut edits = Edits::default();
    let mut source = Source::new(logits, None, &mut edits);
    let mut candidates = Candidates::with_capacity(logits.len());
    candidates.start(source.largest());
    let scale = candidates.weights.scale(low);
    filter(&mut candidates, &mut source, scale).then(|| {
        let count = source.count() as usize;
        let (largest, peak) = (source.largest(), candidates.weights.of(source.largest()));
        let left = tokens(&mut candidates, &source);
        assert_eq!((count, largest), (left.len(), logits[left[0] as usize]), "blocks have what lists have");
        assert_eq!(peak, 1.0, "the largest that is left weighs 1");
        left
    })
}

/// The last token of top-p.
fn border_of(candidates: &mut Candidates, source: &Source<'_>, scale: Scale, p: f64) -> Entry {
    let (total, histogram) = candidates.total_by_bin(source, scale);
    candidates.border(source, &histogram, p * total).expect("a border")
}

/// Lowest logits of bins: all in one, some in the last, and bins where there is nothing.
fn low(logits: &[f32], part: f32) -> f32 {
    let finite = || logits.iter().copied().filter(|logit| logit.is_finite());
    let (lowest, peak) = (finite().fold(f32::MAX, f32::min), finite().fold(f32::MIN, f32::max));
    (peak - (peak - lowest) * part).min(peak)
}

/// What a filter leaves of the whole vocabulary, having checked that it leaves the same of a list of it.
fn left(logits: &[f32], filter: impl Fn(&mut Candidates, &mut Source<'_>)) -> Vec<u32> {
    let of = |as_list: bool| {
        let mut edits = Edits::default();
        let mut source = Source::new(logits, None, &mut edits);
        let mut candidates = Candidates::with_capacity(logits.len());
        candidates.start(source.largest());
        if as_list {
            candidates.collect_above(&source, f32::NEG_INFINITY);
            candidates.list.reverse();
        }
        filter(&mut candidates, &mut source);
        tokens(&mut candidates, &source)
    };
    let (whole, list) = (of(false), of(true));
    assert_eq!(whole, list, "the whole vocabulary, and a list of it");
    whole
}

fn tokens(candidates: &mut Candidates, source: &Source<'_>) -> Vec<u32> {
    candidates.collect_above(source, f32::NEG_INFINITY);
    candidates.list.sort_by_key(rank);
    candidates.list.iter().map(|candidate| candidate.token).collect()
}

/// The logits after an edit, likewise of both; -inf for what is not a candidate.
fn edited(logits: &[f32], touched: &Touched, change: impl Fn(f32, f32) -> f32) -> Vec<(u32, f32)> {
    let mut edits = edits(logits.len());
    let mut source = Source::new(logits, None, &mut edits);
    let mut list = Candidates::with_capacity(logits.len());
    list.start(source.largest());
    list.collect_above(&source, f32::NEG_INFINITY);
    list.edit(touched, &change);
    source.edit(touched, &change);
    let mut whole = Candidates::with_capacity(logits.len());
    whole.start(source.largest());
    whole.collect_above(&source, f32::NEG_INFINITY);
    let sorted = |candidates: &mut Candidates| -> Vec<(u32, f32)> {
        candidates.list.sort_by_key(rank);
        candidates.list.iter().map(|entry| (entry.token, entry.logit)).collect()
    };
    let (whole, list) = (sorted(&mut whole), sorted(&mut list));
    assert_eq!(whole, list, "the whole vocabulary, and a list of it");
    whole
}

/// Room for changes of any token.
fn edits(vocab: usize) -> Edits {
    let options = Options { logit_bias: vec![(0, 0.0)], ..Options::default() };
    Edits::new(&options, vocab)
}

proptest! {
    #[test]
    fn top_k_equals_a_full_sort(logits in any::logits(), k in 1usize..500) {
        let found = left(&logits, |candidates, source| candidates.keep_best(source, k));
        prop_assert_eq!(found, Plain::new(&logits).top_k(k).tokens());
    }

    #[test]
    fn top_p_equals_a_full_softmax(logits in any::logits(), p in 0.001f64..1.0) {
        let expected = Plain::new(&logits).top_p(p);
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |c, source| filters::top_p(c, source, p, f32::NEG_INFINITY));
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn top_p_by_bins_equals_a_full_softmax(logits in any::logits(), p in 0.001f64..1.0, part in 0.0f32..1.2) {
        let expected = Plain::new(&logits).top_p(p);
        prop_assume!(expected.margin > MARGIN);
        let found = left_of_many(&logits, low(&logits, part), |c, source, scale| {
            filters::top_p_of_many(c, source, (p, f32::NEG_INFINITY), scale)
        });
        prop_assert_eq!(found, Some(expected.tokens()));
    }

    #[test]
    fn typical_by_bins_equals_a_full_sort(logits in any::logits(), p in 0.001f64..1.0, part in 0.0f32..1.2) {
        let expected = Plain::new(&logits).typical(p);
        prop_assume!(expected.margin > MARGIN);
        let found = left_of_many(&logits, low(&logits, part), |c, source, scale| {
            filters::typical_of_many(c, source, p, scale)
        });
        // The last bin, which has no lower end, may have to be looked into, unless nothing is in it.
        let is_found = part > 1.1 && low(&logits, 1.0) < low(&logits, 0.0);
        prop_assert!(found.map_or(!is_found, |found| found == expected.tokens()));
    }

    #[test]
    fn a_draw_by_bins_equals_one_from_a_full_sort(
        logits in any::logits(), (p, u) in (0.001f64..1.0, 0.0001f64..0.9999), part in 0.0f32..1.2,
    ) {
        let mut plain = Plain::new(&logits).top_p(p);
        let expected = plain.draw(u, false);
        prop_assume!(plain.margin > MARGIN);
        for as_list in [false, true] {
            let mut edits = Edits::default();
            let mut source = Source::new(&logits, None, &mut edits);
            let mut candidates = Candidates::with_capacity(logits.len());
            candidates.start(source.largest());
            let scale = candidates.weights.scale(low(&logits, part));
            source.narrow(Band { last: border_of(&mut candidates, &source, scale, p), ..Band::ALL });
            if as_list {
                candidates.collect_above(&source, f32::NEG_INFINITY);
            }
            let (entry, probability) = filters::draw_of_many(&mut candidates, &source, u, scale).unwrap();
            prop_assert_eq!(entry.token, expected.0);
            prop_assert!((probability - expected.1).abs() < 1e-9);
        }
    }

    /// The rank order of a few tokens with a few logits, in which ends of bands often equal each other.
    #[test]
    fn bands_hold_what_lies_between_their_ends(
        ends in prop::array::uniform4((0u32..200, -2i8..3)), begin in 0u32..100, logits in prop::array::uniform32(-2i8..3),
    ) {
        let [a, b, c, d] = ends.map(|(token, logit)| Entry { token, logit: f32::from(logit) });
        let sorted = |a, b| if rank(&a) < rank(&b) { [a, b] } else { [b, a] };
        let bands = [sorted(a, b), sorted(c, d)].map(|[first, last]| Band { first, last });
        let and = bands[0].and(bands[1]);
        let block: [f32; BLOCK] = std::array::from_fn(|i| f32::from(logits[i % 32]));
        let masked = bands.map(|band| band.mask(begin, &block));
        for (i, entry) in (0..).zip(&block).map(|(i, &logit)| Entry { token: begin + i, logit }).enumerate() {
            for (band, masked) in bands.iter().zip(masked) {
                // Of logits that equal an end, those up to its token.
                let up_to = |end: Entry| entry.logit != end.logit || entry.token <= end.token;
                let is_between = (band.last.logit..=band.first.logit).contains(&entry.logit);
                let is_in = is_between && up_to(band.first) && up_to(band.last);
                prop_assert_eq!(band.contains(entry), is_in);
                prop_assert_eq!(masked[i], if is_in { entry.logit } else { f32::NEG_INFINITY });
            }
            prop_assert_eq!(and.contains(entry), bands.iter().all(|band| band.contains(entry)));
        }
    }

    #[test]
    fn min_p_equals_a_full_softmax(logits in any::logits(), p in 0.001f64..1.0) {
        let expected = Plain::new(&logits).min_p(p);
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |candidates, source| filters::min_p(candidates, source, ln(p)));
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn typical_equals_a_full_sort(logits in any::logits(), p in 0.001f64..1.0) {
        let expected = Plain::new(&logits).typical(p);
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |candidates, source| filters::typical(candidates, source, p));
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn top_n_sigma_equals_the_definition(logits in any::logits(), n in 0.01f64..4.0) {
        let expected = Plain::new(&logits).top_n_sigma(n);
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |candidates, source| filters::top_n_sigma(candidates, source, n));
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn xtc_equals_the_definition(logits in any::logits(), threshold in 0.001f32..0.6) {
        let expected = Plain::new(&logits).xtc(Xtc { probability: 1.0, threshold }, 0.0);
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |candidates, source| {
            let mut excluded = Touched { list: vec![(0, 1.0)], ..Touched::default() };
            filters::top_choices(candidates, source, threshold, &mut excluded);
            assert!(excluded.list.is_sorted());
            candidates.collect_above(source, f32::NEG_INFINITY);
            candidates.list.retain(|entry| excluded.of(entry.token).is_none());
        });
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn mirostat_keeps_what_the_definition_keeps(
        logits in any::logits(), mirostat in any::mirostat(), mu in -2.0f64..20.0,
    ) {
        let expected = Plain::new(&logits).mirostat(mirostat, mu, logits.len());
        prop_assume!(expected.margin > MARGIN);
        let found = left(&logits, |candidates, source| mirostat.limit(candidates, source, mu));
        prop_assert_eq!(found, expected.tokens());
    }

    #[test]
    fn temperatures_equal_a_full_softmax(
        logits in prop::collection::vec(-20.0f32..20.0, 1..400), temperature in 0.05f32..5.0, dynamic in any::dynamic(),
    ) {
        let plain = Plain::new(&logits);
        let check = |expected: Plain, filter: &dyn Fn(&mut Candidates, &Source<'_>)| {
            let mut none = Edits::default();
            let source = Source::new(&logits, None, &mut none);
            let mut candidates = Candidates::with_capacity(logits.len());
            candidates.start(source.largest());
            filter(&mut candidates, &source);
            let total = candidates.total(&source);
            for (token, p) in expected.probabilities() {
                let found = candidates.weights.of(logits[token as usize]) / total;
                assert!((found - p).abs() < 1e-10, "{token}: {found} {p}");
            }
        };
        check(plain.clone().temperature(f64::from(temperature)), &|candidates, _| {
            filters::temperature(candidates, temperature);
        });
        check(plain.dynamic(temperature, dynamic), &|candidates, source| {
            filters::dynamic_temperature(candidates, source, temperature, dynamic);
        });
    }

    #[test]
    fn penalties_equal_a_count_for_every_token(
        logits in any::logits(), history in any::history(), settings in any::penalties(),
    ) {
        let history: Vec<u32> = history.iter().map(|token| token % logits.len() as u32).collect();
        let mut touched = Touched::default();
        penalties::count(&mut touched, penalties::window(&history, settings.last_n));
        let found = edited(&logits, &touched, |logit, count| settings.apply(logit, count, 1.0));
        let mut expected = Plain::new(&logits).penalties(settings, &history);
        prop_assert_eq!(found, expected.take());
    }

    #[test]
    fn dry_equals_a_comparison_of_all_sequences(
        logits in any::logits(), history in any::history(), mut settings in any::dry(),
    ) {
        let history: Vec<u32> = history.iter().map(|token| token % logits.len() as u32).collect();
        settings.breakers.sort_unstable();
        let mut touched = Touched::default();
        settings.repetitions(&mut touched, penalties::window(&history, settings.last_n));
        let found = edited(&logits, &touched, |logit, length| settings.apply(logit, length, 1.0));
        let mut expected = Plain::new(&logits).dry(&settings, &history);
        prop_assert_eq!(found, expected.take());
    }

    #[test]
    fn distributions_equal_a_full_softmax(logits in any::logits(), token in any::<prop::sample::Index>()) {
        let (plain, token) = (Plain::new(&logits), token.index(logits.len()) as u32);
        let distribution = Distribution::new(&logits, 0).unwrap();
        prop_assert_eq!(distribution.support(), plain.tokens().len());
        prop_assert!((f64::from(distribution.entropy()) - plain.entropy()).abs() < 1e-5);
        match plain.tokens().iter().position(|other| *other == token) {
            None => {
                prop_assert_eq!(distribution.log_probability(token), Some(f32::NEG_INFINITY));
                prop_assert_eq!(distribution.probability(token), Some(0.0));
            }
            Some(rank) => {
                let expected = plain.log_probability(token);
                let found = f64::from(distribution.log_probability(token).unwrap());
                prop_assert!(found <= 0.0 && (found - expected).abs() <= 1e-6 * (1.0 + expected.abs()));
                prop_assert!((f64::from(distribution.probability(token).unwrap()) - expected.exp()).abs() < 1e-6);
                prop_assert_eq!(distribution.rank(token), Some(rank));
            }
        }
        prop_assert_eq!(distribution.rank(logits.len() as u32), None);
    }
}

#[test]
fn ties_at_a_border_keep_the_lower_ids() {
    let logits = [1.0, 2.0, 2.0, 2.0, 2.0, 1.0];
    assert_eq!(left(&logits, |candidates, source| candidates.keep_best(source, 2)), [1, 2]);
    let half = |candidates: &mut Candidates, source: &mut Source<'_>| {
        filters::top_p(candidates, source, 0.5, f32::NEG_INFINITY);
    };
    assert_eq!(left(&[0.0; 10], half), [0, 1, 2, 3, 4]);
    assert_eq!(
        left(&[0.0; 10], |candidates, source| filters::typical(candidates, source, 0.5)),
        [0, 1, 2, 3, 4]
    );
}

/// Thresholds that a rough sum of the weights does not tell from the probability.
#[test]
fn xtc_decides_near_its_threshold_by_the_exact_sum() {
    for (threshold, expected) in [(0.4996, 1), (0.5, 1), (0.5004, 0)] {
        let mut edits = Edits::default();
        let source = Source::new(&[0.0, 0.0], None, &mut edits);
        let mut candidates = Candidates::with_capacity(2);
        candidates.start(0.0);
        let mut excluded = Touched::default();
        filters::top_choices(&mut candidates, &source, threshold, &mut excluded);
        assert_eq!(excluded.list.len(), expected, "{threshold}");
    }
}

/// Half of the probability is far below the mean surprise, where a glance does not see it.
#[test]
fn typical_reaches_as_far_down_as_its_mass_lies() {
    let logits = [vec![-100.0; 64], vec![6.0], vec![0.0; 400]].concat();
    let expected = Plain::new(&logits).typical(0.9);
    assert!(expected.margin > MARGIN && expected.tokens().len() > 300);
    assert_eq!(left(&logits, |c, source| filters::typical(c, source, 0.9)), expected.tokens());
}

#[test]
fn the_largest_p_below_one_still_keeps_the_likeliest() {
    let nearly_one = ln(f64::from(1.0f32.next_down()));
    assert_eq!(
        left(&[0.0, 50.0, 50.0], |candidates, source| filters::min_p(candidates, source, nearly_one)),
        [1, 2]
    );
}

/// The list is made in parts, each of which ends at a floor; a logit that equals a floor is in it once, changed or not.
#[test]
fn parts_of_a_list_have_every_logit_once() {
    let mut logits = vec![10.0, 7.0, 3.0, -9.0];
    let weights = Weights::new(10.0, 1.0);
    let floors = [0.25, 0.5, 1.0].map(|share| weights.below_peak(8.0 * share));
    logits.extend(floors.iter().flat_map(|floor| [*floor, floor.next_up(), floor.next_down(), 0.0]));
    let mut edits = edits(logits.len());
    let mut source = Source::new(&logits, None, &mut edits);
    let touched = Touched { list: vec![(7, floors[0]), (11, floors[1])], ..Touched::default() };
    source.edit(&touched, |_, floor| floor);
    let mut candidates = Candidates::with_capacity(logits.len());
    candidates.start(source.largest());
    candidates.collect_best(&source, (8.0, 1.0), f32::NEG_INFINITY, |_, _| 0.0);
    candidates.list.sort_by_key(|entry| entry.token);
    let listed: Vec<u32> = candidates.list.iter().map(|entry| entry.token).collect();
    assert_eq!(listed, [0, 1, 2, 4, 5, 6, 7, 8, 9, 10, 11, 13]);
}

/// Bins are made where they pay: for many tokens that are likely enough, as a whole or in a list.
#[test]
fn bins_are_for_many_likely_tokens() {
    let are_made = |logits: &[f32], as_list: bool| {
        let mut edits = Edits::default();
        let source = Source::new(logits, None, &mut edits);
        let mut candidates = Candidates::with_capacity(logits.len());
        candidates.start(source.largest());
        if as_list {
            candidates.collect_above(&source, f32::NEG_INFINITY);
        }
        (candidates.scale(&source).is_some(), candidates.scale_of_list().is_some())
    };
    let flat: Vec<f32> = (0..8192u16).map(|i| f32::from(i % 100) / 20.0).collect();
    let mut peaked = flat.clone();
    peaked[100] = 30.0;
    assert_eq!([are_made(&flat, false), are_made(&flat, true)], [(true, false), (false, true)]);
    assert_eq!(are_made(&peaked, false), (false, false));
    assert_eq!([are_made(&flat[..256], true), are_made(&flat[..255], true)], [(false, true), (false, false)]);
}

/// A changed token with a low id enters a full list of equals, as it does in a full sort.
#[test]
fn a_changed_logit_ties_by_its_id() {
    let mut logits = vec![1.0; 1000];
    logits[3] = -5.0;
    let touched = Touched { list: vec![(3, 6.0)], ..Touched::default() };
    let mut edits = edits(logits.len());
    let mut source = Source::new(&logits, None, &mut edits);
    source.edit(&touched, |logit, amount| logit + amount);
    let mut candidates = Candidates::with_capacity(logits.len());
    candidates.start(source.largest());
    candidates.keep_best(&source, 5);
    assert_eq!(tokens(&mut candidates, &source), [0, 1, 2, 3, 4]);
}

/// After "1 2 3 1 2", the token 3 would go on with a repetition of two tokens; after "x 9 y 9" nothing does if 9 breaks.
#[test]
fn dry_by_example() {
    let lengths = |dry: &Dry, window: &[u32]| {
        let mut touched = Touched::default();
        dry.repetitions(&mut touched, window);
        touched.list
    };
    let dry = Dry { multiplier: 1.0, base: 2.0, allowed_length: 2, last_n: 99, breakers: vec![9] };
    assert_eq!(lengths(&dry, &[1, 2, 3, 1, 2]), [(3, 2.0)]);
    assert_eq!(lengths(&dry, &[5, 1, 2, 3, 4, 5, 1, 2]), [(3, 3.0)]);
    assert_eq!(lengths(&dry, &[1, 9, 3, 1, 9]), []);
    assert_eq!(lengths(&dry, &[1, 2, 9, 1, 2]), [], "a breaker has no penalty");
    assert_eq!(lengths(&dry, &[7, 7, 7, 7]), [(7, 3.0)]);
    assert_eq!(dry.apply(1.0, 2.0, 1.0), 0.0);
    assert_eq!(dry.apply(1.0, 4.0, 1.0), -3.0);
    assert_eq!(dry.apply(1.0, 1e6, 1.0), f32::NEG_INFINITY, "clamped later");
}
