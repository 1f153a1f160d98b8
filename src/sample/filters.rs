//! The filters: each removes candidates, none chooses. Called by the chain, in its order.
//!
//! A filter sees only what the filters before it left, and probabilities are those of a softmax over that, at the temperature so far. To
//! add one: write it here as a function on [`Candidates`], give it a plain reference in `tests/plain.rs`, and a step in `step.rs`.
//! In what follows `x_i` is a logit divided by the temperature, and `p_i = e^x_i / sum_j e^x_j`.

use super::band::Band;
use super::blocks::{Blocks, Term, one_if_finite};
use super::candidates::Candidates;
use super::edits::Touched;
use super::elementary::{exp, ln};
use super::histogram::Scale;
use super::options::Dynamic;
use super::rank::{Entry, largest_not, rank, token_of};
use super::softmax::{Moments, Weights};
use super::source::Source;

/// top-n-sigma: those with `x_i >= max x - n * sigma`, where sigma is the standard deviation of all finite logits.
///
/// C. Tang et al., "Top-n-sigma: not all logits are you need", 2024, arXiv:2411.07641, algorithm 1. The temperature cancels out.
pub(super) fn top_n_sigma(candidates: &mut Candidates, source: &Source<'_>, n: f64) {
    let sigma = match candidates.is_whole() {
        true => standard_deviation(source),
        false => standard_deviation(candidates.list.as_slice()),
    };
    let width = n * sigma / candidates.weights.temperature();
    min_p(candidates, source, -width);
}

fn standard_deviation(logits: &(impl Blocks + ?Sized)) -> f64 {
    let [count, sum] = logits.sums_of(CountAndValue);
    let [squares] = logits.sums_of(SquareFrom(sum / count));
    (squares / count).sqrt()
}

/// 1 and the logit, if it is finite.
#[derive(Clone, Copy)]
struct CountAndValue;

impl Term<2> for CountAndValue {
    #[inline(always)]
    fn of(self, logit: f32) -> [f64; 2] {
        [one_if_finite(logit), if logit > f32::NEG_INFINITY { f64::from(logit) } else { 0.0 }]
    }
}

/// The squared distance from a mean, if the logit is finite.
#[derive(Clone, Copy)]
struct SquareFrom(f64);

impl Term<1> for SquareFrom {
    #[inline(always)]
    fn of(self, logit: f32) -> [f64; 1] {
        let off = f64::from(logit) - self.0;
        [if logit > f32::NEG_INFINITY { off * off } else { 0.0 }]
    }
}

/// Locally typical: the fewest tokens whose surprise `-ln p_i` is nearest to its mean, the entropy `H = -sum p_j ln p_j`, and whose
/// probabilities add up to `p` or more. Of equally near ones the likelier come first.
///
/// C. Meister, T. Pimentel, G. Wiher and R. Cotterell, "Locally typical sampling", 2022, arXiv:2202.00666, section 4.
pub(super) fn typical(candidates: &mut Candidates, source: &mut Source<'_>, p: f64) {
    let scale = candidates.scale(source);
    if scale.is_some_and(|scale| typical_of_many(candidates, source, p, scale)) {
        return;
    }
    // `-ln p_i - H` is `mean - exponent_i`: the logarithm of the total cancels out.
    let Moments { total, mean } = candidates.moments(source);
    let weights = candidates.weights;
    let off = |logit: f32| (mean - weights.exponent(logit)).abs();
    // All in the best `p` of the mass are at most this far off, so that whoever is further is not needed.
    let furthest = (mean + Weights::width(p, source.vocab(), total)).max(-mean);
    let width = furthest - mean + 1e-6;
    // Of those above a floor, those that are nearer than the floor are the nearest of all.
    let nearest = |list: &[Entry], floor: f32| {
        let nearer = list.iter().filter(|entry| off(entry.logit) < mean - weights.exponent(floor));
        nearer.map(|entry| weights.of(entry.logit)).sum()
    };
    candidates.collect_best(source, (width, p * total), f32::NEG_INFINITY, nearest);
    let off = |entry: &Entry| (off(entry.logit).to_bits(), rank(entry));
    let n = candidates.select_mass(p * total, off);
    candidates.list.truncate(n);
    candidates.settle();
}

/// The same for a whole vocabulary, by bins. Does nothing and returns false where they do not tell enough.
pub(super) fn typical_of_many(
    candidates: &mut Candidates,
    source: &mut Source<'_>,
    p: f64,
    scale: Scale,
) -> bool {
    let weights = candidates.weights;
    let (Moments { total, mean }, histogram) = weights.moments_by_bin(source, scale);
    let off = |logit: f32| (mean - weights.exponent(logit)).abs();
    let around = histogram.reach_around(-mean * weights.temperature(), p * total);
    let Some((inner, outer)) = around else { return false };
    candidates.list_bins(source, &histogram, [outer.start..inner.start, inner.end..outer.end]);
    let missing = p * total - histogram.mass(inner);
    let n = candidates.select_mass(missing, |entry| (off(entry.logit).to_bits(), rank(entry)));
    let Some(last) = candidates.take(n) else { return false };
    let is_above = |logit: f32| weights.exponent(logit) > mean;
    let any = |logit: f32| Entry { token: u32::MAX, logit };
    let band = if is_above(last.logit) {
        let nearer = |logit: f32| is_above(logit) || off(logit) < off(last.logit);
        Band { first: last, last: any(largest_not(nearer).next_up()) }
    } else {
        let further = |logit: f32| is_above(logit) && off(logit) > off(last.logit);
        Band { first: any(largest_not(further)), last }
    };
    candidates.narrow(source, band, f32::NEG_INFINITY);
    true
}

/// top-p, or nucleus: the shortest prefix of the rank order whose probabilities add up to `p` or more. What lies at or below `useless` may be
/// left out: a later step will remove it.
///
/// A. Holtzman et al., "The curious case of neural text degeneration", 2019, arXiv:1904.09751, section 3.1.
pub(super) fn top_p(candidates: &mut Candidates, source: &mut Source<'_>, p: f64, useless: f32) {
    let scale = candidates.scale(source);
    if scale.is_some_and(|scale| top_p_of_many(candidates, source, (p, useless), scale)) {
        return;
    }
    let total = candidates.total(source);
    candidates.collect_likeliest(source, (p, total), useless);
    let n = candidates.select_mass(p * total, rank);
    candidates.list.truncate(n);
    candidates.settle();
}

/// The same for a whole vocabulary, by bins. Does nothing and returns false where they do not tell enough.
pub(super) fn top_p_of_many(
    candidates: &mut Candidates,
    source: &mut Source<'_>,
    (p, useless): (f64, f32),
    scale: Scale,
) -> bool {
    let (total, histogram) = candidates.total_by_bin(source, scale);
    let Some(last) = candidates.border(source, &histogram, p * total) else { return false };
    candidates.narrow(source, Band { last, ..Band::ALL }, useless);
    true
}

/// min-p: those whose probability is at least `e^log_ratio` times that of the likeliest.
///
/// N. N. Minh et al., "Turning up the heat: min-p sampling for creative and coherent LLM outputs", 2024,
/// arXiv:2407.01082, section 3.1.
pub(super) fn min_p(candidates: &mut Candidates, source: &Source<'_>, log_ratio: f64) {
    let weights = candidates.weights;
    candidates.collect_above(source, weights.below_peak(-log_ratio));
    candidates.list.retain(|entry| weights.at_least(entry.logit, log_ratio));
    candidates.settle();
}

/// XTC, exclude top choices: all with `p_i >= threshold` but the least likely of them, which `excluded` gets, with -inf for a change of their
/// logit. Nothing if there are fewer than two.
///
/// P. E. Weidmann, the pull request "Exclude top choices (XTC): a sampler that boosts creativity, breaks writing cliches, and inhibits
/// non-verbatim repetition" to oobabooga/text-generation-webui (6335), 2024.
pub(super) fn top_choices(
    candidates: &mut Candidates,
    source: &Source<'_>,
    threshold: f32,
    excluded: &mut Touched,
) {
    let threshold = deciding_weight(candidates, source, f64::from(threshold));
    let weights = candidates.weights;
    let mut last = None;
    excluded.list.clear();
    for_each_of_weight(candidates, source, threshold, |entry| {
        if weights.of(entry.logit) >= threshold {
            last = last.max(Some(rank(&entry)));
            excluded.list.push((entry.token, f32::NEG_INFINITY));
        }
    });
    excluded.list.retain(|(token, _)| last.map(token_of) != Some(*token));
    excluded.settle(|_, _| {});
}

/// A weight that the same candidates reach as reach the `share` of the total: one that is known roughly, unless a candidate lies in between.
fn deciding_weight(candidates: &mut Candidates, source: &Source<'_>, share: f64) -> f64 {
    if !candidates.is_whole() {
        return share * candidates.total(source);
    }
    let (low, high) = candidates.weights.bounds(source);
    let weights = candidates.weights;
    let mut is_certain = true;
    for_each_of_weight(candidates, source, share * low, |entry| {
        is_certain &= weights.of(entry.logit) >= share * high;
    });
    share * if is_certain { low } else { candidates.total(source) }
}

/// Calls `see` for every candidate that weighs `weight` or more, and perhaps for others.
fn for_each_of_weight(candidates: &Candidates, source: &Source<'_>, weight: f64, mut see: impl FnMut(Entry)) {
    if !candidates.is_whole() {
        return candidates.list.iter().copied().for_each(see);
    }
    // A little lower than the logarithm says, which rounds.
    let floor = candidates.weights.below_peak(1e-6 - ln(weight.min(1.0)));
    source.for_each_above(floor, |entry| {
        see(entry);
        floor
    });
}

/// Temperature: divides every logit by `temperature`. Removes nothing, changes what is likely.
///
/// D. H. Ackley, G. E. Hinton and T. J. Sejnowski, "A learning algorithm for Boltzmann machines", 1985.
pub(super) fn temperature(candidates: &mut Candidates, temperature: f32) {
    candidates.heat(f64::from(temperature));
}

/// Dynamic temperature: `T = low + (high - low) * (H / ln n)^exponent`, where `H` is the entropy of the `n` candidates, `high` is
/// `temperature + range`, and `low` is `temperature - range`, or 0 if that is negative. One candidate stays as it is.
///
/// The entropy sampling of kalomaze's fork of KoboldCpp, 2023, as in llama.cpp (pull request 4972). S. Zhang et al., "EDT: improving large
/// language models' generation by entropy-based dynamic temperature", 2024, arXiv:2403.14541, has the idea with another formula.
pub(super) fn dynamic_temperature(
    candidates: &mut Candidates,
    source: &Source<'_>,
    temperature: f32,
    dynamic: Dynamic,
) {
    let count = candidates.count(source);
    if count < 2.0 {
        return;
    }
    let normalized = (candidates.moments(source).entropy() / ln(count)).min(1.0);
    let power =
        if normalized > 0.0 { exp(f64::from(dynamic.exponent) * ln(normalized).min(0.0)) } else { 0.0 };
    let (middle, range) = (f64::from(temperature), f64::from(dynamic.range));
    let low = (middle - range).max(0.0);
    let found = low + (middle + range - low) * power;
    // At 0 only the likeliest would be left; at the smallest number above 0 it is, and what equals it.
    candidates.heat(found.clamp(f64::from(f32::MIN_POSITIVE), f64::from(f32::MAX)));
}

/// The choice: the candidate at which the cumulative probability, in rank order, reaches `u` in `(0, 1)`; and its probability.
///
/// The inverse of the distribution function, so each candidate is chosen with its probability when `u` is
/// uniform. It is also what top-p with `p = u` keeps last.
pub(super) fn draw(candidates: &mut Candidates, source: &Source<'_>, u: f64) -> (Entry, f64) {
    let scale = candidates.scale(source).or_else(|| candidates.scale_of_list());
    let of_many = scale.and_then(|scale| draw_of_many(candidates, source, u, scale));
    of_many.unwrap_or_else(|| {
        let total = candidates.total(source);
        candidates.collect_likeliest(source, (u, total), f32::NEG_INFINITY);
        let n = candidates.select_mass(u * total, rank);
        let entry = candidates.list[n - 1];
        (entry, candidates.weights.of(entry.logit) / total)
    })
}

/// The same from a whole vocabulary, by bins.
pub(super) fn draw_of_many(
    candidates: &mut Candidates,
    source: &Source<'_>,
    u: f64,
    scale: Scale,
) -> Option<(Entry, f64)> {
    let (total, histogram) = candidates.total_by_bin(source, scale);
    let entry = candidates.border(source, &histogram, u * total)?;
    Some((entry, candidates.weights.of(entry.logit) / total))
}
