//! The filters: each removes candidates, none chooses. Called by the sampler, in the order of its chain.
//!
//! A filter sees only what the filters before it left, and probabilities are those of a softmax over that. To
//! add one: write it here as a function on [`Candidates`], give it a plain reference in `tests.rs`, and a step
//! in the chain.

use super::candidates::{Candidate, Candidates};

/// top-p, or nucleus: the shortest prefix of the rank order whose probabilities add up to `p` or more.
///
/// A. Holtzman et al., "The curious case of neural text degeneration", 2019, arXiv:1904.09751, section 3.1.
pub(super) fn top_p(candidates: &mut Candidates, p: f64) {
    let n = candidates.select_mass(p * candidates.total);
    candidates.list.truncate(n);
    candidates.renormalize();
}

/// min-p: those whose probability is at least `e^log_ratio` times that of the likeliest.
///
/// N. N. Minh et al., "Turning up the heat: min-p sampling for creative and coherent LLM outputs", 2024,
/// arXiv:2407.01082, section 3.1.
pub(super) fn min_p(candidates: &mut Candidates, log_ratio: f64) {
    let weights = candidates.weights;
    let best = candidates.list.iter().fold(f32::NEG_INFINITY, |best, c| best.max(c.logit));
    candidates.list.retain(|candidate| weights.at_least(candidate.logit, log_ratio, best));
    candidates.renormalize();
}

/// Temperature: divides every logit by `temperature`. Removes nothing, changes what is likely.
///
/// D. H. Ackley, G. E. Hinton and T. J. Sejnowski, "A learning algorithm for Boltzmann machines", 1985.
pub(super) fn temperature(candidates: &mut Candidates, temperature: f32) {
    candidates.weights = candidates.weights.at(temperature);
    candidates.renormalize();
}

/// The choice: the candidate at which the cumulative probability, in rank order, reaches `u` in `(0, 1)`.
///
/// The inverse of the distribution function, so each candidate is chosen with its probability when `u` is
/// uniform. It is also what top-p with `p = u` keeps last.
pub(super) fn draw(candidates: &mut Candidates, u: f64) -> Candidate {
    let n = candidates.select_mass(u * candidates.total);
    candidates.list[n - 1]
}
