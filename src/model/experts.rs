//! A mixture of experts (Shazeer et al. 2017, arXiv:1701.06538): a router gives each token to a few of many feed-forward parts, whose
//! results are added with its weights. For [`Decoder`] only.
//!
//! Tokens are gathered by expert, so that an expert's weights are read once for all of its tokens. A token's results are added in the order of
//! the experts, whatever else is in the batch.

use super::config::{self, Weighting};
use super::decoder::{Decoder, normalize_in_place};
use super::feed_forward::{Part, run};
use super::scratch::{Choice, parts};
use super::weights::{DenseAndExperts, Experts};
use crate::ops::{Activations, Projection, project, rows};
use siskin_simd::Kernels;

/// What a mixture keeps of its tokens.
struct Vectors<'a> {
    /// The router's, `n x experts`.
    scores: &'a mut [f32],
    /// Of the shared part, one for each token.
    shares: &'a mut [f32],
    /// Tokens of an expert, and its results: up to `n x embedding`.
    gathered: &'a mut [f32],
    results: &'a mut [f32],
    /// What one part needs.
    wide: &'a mut [f32],
}

impl<'a> Vectors<'a> {
    fn new(buffer: &'a mut [f32], experts: usize, n: usize, embedding: usize) -> Vectors<'a> {
        let lengths = [n * experts, n, n * embedding, n * embedding];
        let (fixed, wide) = buffer.split_at_mut(lengths.iter().sum());
        let [scores, shares, gathered, results] = parts(fixed, lengths);
        Vectors { scores, shares, gathered, results, wide }
    }
}

impl Decoder<'_> {
    /// `added = sum of experts(h)`.
    pub(super) fn experts(&mut self, weights: &Experts) {
        let Some(config) = self.model.config().experts else { return };
        self.route(weights, config);
        self.run_shared(weights, config);
        self.add_chosen(weights, config);
    }

    /// `added = norm(dense(h)) + norm(sum of experts(norm(x)))`; the router reads a norm of `x` of its own.
    pub(super) fn dense_and_experts(&mut self, weights: &DenseAndExperts) {
        let (model, n) = (self.model.config(), self.rows * self.model.config().embedding);
        let Some(config) = model.experts else { return };
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let (h, dense) = (&s.h[..n], &mut s.dense[..n]);
        run(cpu, model, &weights.dense.part(), h, &mut s.wide, &mut s.matmul, dense);
        normalize_in_place(cpu, model.norms, &weights.dense_post_norm, dense);

        self.normalize(Some(&weights.router_norm));
        self.route(&weights.experts, config);
        self.normalize(Some(&weights.experts_norm));
        self.run_shared(&weights.experts, config);
        self.add_chosen(&weights.experts, config);

        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let (dense, added) = (&s.dense[..n], &mut s.added[..n]);
        normalize_in_place(cpu, model.norms, &weights.experts_post_norm, added);
        rows::add(cpu, added, 1.0, dense, model.embedding);
    }

    /// Chooses the experts of each token.
    fn route(&mut self, weights: &Experts, config: config::Experts) {
        let (embedding, n) = (self.model.config().embedding, self.rows);
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { scores, .. } = Vectors::new(&mut s.wide, config.count, n, embedding);
        let h = &s.h[..n * embedding];
        let router = weights.router.view();
        let routed = Activations::new(cpu, h, embedding, &mut s.matmul, &[router]);
        project(cpu, routed, [Projection { matrix: router, out: &mut *scores }]);
        if let Some(bias) = &weights.router_bias {
            rows::add_bias(cpu, scores, bias);
        }
        let choices = &mut s.choices[..n * config.used];
        for (scores, choices) in
            scores.chunks_exact_mut(config.count).zip(choices.chunks_exact_mut(config.used))
        {
            choose(&cpu.kernels, config, scores, choices);
        }
        if let Some(scales) = &weights.scales {
            choices.iter_mut().for_each(|choice| choice.weight *= scales[choice.index as usize]);
        }
    }

    /// `added` becomes what the part that all tokens go through adds, if there is one.
    fn run_shared(&mut self, weights: &Experts, config: config::Experts) {
        let (model, n) = (self.model.config(), self.rows);
        let embedding = model.embedding;
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { shares, wide, .. } = Vectors::new(&mut s.wide, config.count, n, embedding);
        let (h, added) = (&s.h[..n * embedding], &mut s.added[..n * embedding]);
        match &weights.shared {
            Some(shared) => run(cpu, model, &shared.part(), h, wide, &mut s.matmul, added),
            None => added.fill(0.0),
        }
        if let Some(gate) = weights.shared_gate.as_ref().map(|gate| gate.view()) {
            let gated = Activations::new(cpu, h, embedding, &mut s.matmul, &[gate]);
            project(cpu, gated, [Projection { matrix: gate, out: &mut *shares }]);
            for (added, share) in added.chunks_exact_mut(embedding).zip(shares) {
                cpu.kernels.scale(added, 1.0 / (1.0 + (-*share).exp()));
            }
        }
    }

    /// Adds the results of the chosen experts, one expert after the other.
    fn add_chosen(&mut self, weights: &Experts, config: config::Experts) {
        let (model, n) = (self.model.config(), self.rows);
        let embedding = model.embedding;
        let (cpu, s) = (&mut self.cpu, &mut self.scratch);
        let Vectors { gathered, results, wide, .. } = Vectors::new(&mut s.wide, config.count, n, embedding);
        let (h, added) = (&s.h[..n * embedding], &mut s.added[..n * embedding]);
        let choices = &mut s.choices[..n * config.used];
        for expert in 0..config.count {
            let members = members(choices, config.used, expert, &mut s.members);
            if members.is_empty() {
                continue;
            }
            let row = |token: u32| token as usize * embedding..(token as usize + 1) * embedding;
            let gathered = &mut gathered[..members.len() * embedding];
            for (to, member) in gathered.chunks_exact_mut(embedding).zip(members) {
                to.copy_from_slice(&h[row(member.index)]);
            }
            let results = &mut results[..gathered.len()];
            run(cpu, model, &weights.part(expert), gathered, wide, &mut s.matmul, results);
            for (result, member) in results.chunks_exact(embedding).zip(members) {
                cpu.kernels.add_scaled(&mut added[row(member.index)], member.weight, result);
            }
        }
    }
}

impl Experts {
    fn part(&self, expert: usize) -> Part<'_> {
        let of = |i: usize, rows: usize| self.bias[i].as_ref().map(|all| &all[expert * rows..][..rows]);
        let (gate, up, down) = (self.gate.view(expert), self.up.view(expert), self.down.view(expert));
        Part { gate: Some(gate), up, down, bias: [of(0, gate.rows()), of(1, up.rows()), of(2, down.rows())] }
    }
}

/// The experts of a token, from the router's scores: the highest ones, the first of equals first.
fn choose(kernels: &Kernels, config: config::Experts, scores: &mut [f32], choices: &mut [Choice]) {
    if config.weighting == Weighting::Softmax {
        kernels.softmax(scores);
    }
    for i in 0..choices.len() {
        let before = &choices[..i];
        let free = scores
            .iter()
            .enumerate()
            .filter(|(expert, _)| before.iter().all(|c| c.index as usize != *expert));
        let best = free.fold(None, |best: Option<(usize, f32)>, (expert, &score)| match best {
            Some((_, highest)) if highest.total_cmp(&score).is_ge() => best,
            _ => Some((expert, score)),
        });
        let (expert, score) = best.unwrap_or_default();
        choices[i] = Choice { index: expert as u32, weight: score };
    }
    if config.weighting == Weighting::SoftmaxOfChosen {
        let max = choices[0].weight;
        choices.iter_mut().for_each(|choice| choice.weight = (choice.weight - max).exp());
        let sum: f32 = choices.iter().map(|choice| choice.weight).sum();
        choices.iter_mut().for_each(|choice| choice.weight /= sum);
    }
    choices.iter_mut().for_each(|choice| choice.weight *= config.scale);
}

/// The tokens that chose an expert, with their weights.
fn members<'a>(choices: &[Choice], used: usize, expert: usize, members: &'a mut [Choice]) -> &'a [Choice] {
    let mut count = 0;
    for (token, choices) in choices.chunks_exact(used).enumerate() {
        if let Some(choice) = choices.iter().find(|choice| choice.index as usize == expert) {
            members[count] = Choice { index: token as u32, weight: choice.weight };
            count += 1;
        }
    }
    &members[..count]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(weighting: Weighting, scores: &[f32]) -> Vec<(u32, f32)> {
        let config = config::Experts {
            count: scores.len(),
            used: 2,
            feed_forward: 1,
            shared: None,
            weighting,
            scale: 2.0,
            beside_dense: false,
        };
        let mut choices = [Choice::default(); 2];
        choose(&Kernels::best(), config, &mut scores.to_vec(), &mut choices);
        choices.iter().map(|choice| (choice.index, choice.weight)).collect()
    }

    #[test]
    fn the_highest_scores_are_chosen_and_weighted() {
        let scores = [0.0, 3f32.ln(), f32::NEG_INFINITY, 3f32.ln(), 1f32.ln()];
        let close = |got: Vec<(u32, f32)>, expected: [(u32, f32); 2]| {
            for (got, expected) in got.iter().zip(expected) {
                assert!(
                    got.0 == expected.0 && (got.1 - expected.1).abs() < 1e-6,
                    "{got:?}, expected {expected:?}"
                );
            }
        };
        close(chosen(Weighting::SoftmaxOfChosen, &scores), [(1, 1.0), (3, 1.0)]);
        close(chosen(Weighting::Softmax, &scores), [(1, 0.75), (3, 0.75)]);
    }

    #[test]
    fn members_are_the_tokens_of_an_expert() {
        let choice = |index, weight| Choice { index, weight };
        let choices = [choice(4, 0.5), choice(1, 0.5), choice(2, 0.9), choice(4, 0.1)];
        let mut room = [Choice::default(); 2];
        assert_eq!(members(&choices, 2, 4, &mut room), [choice(0, 0.5), choice(1, 0.1)]);
        assert_eq!(members(&choices, 2, 3, &mut room), []);
    }
}
