//! A mixture of experts (Shazeer et al. 2017, arXiv:1701.06538): a router gives each token to a few of many feed-forward parts, whose
//! results are added with its weights. For [`Decoder`] only.
//!
//! Tokens are gathered by expert, so that an expert's weights are read once for all of its tokens. A token's results are added in the order of
//! the experts, whatever else is in the batch.

use super::config::{self, Weighting};
use super::decoder::Decoder;
use super::feed_forward::{Part, run};
use super::scratch::{Choice, parts};
use super::weights::Experts;
use crate::ops::{Activations, Projection, project, rows};
use siskin_simd::{Activation, Kernels};

/// The least that weights are divided by, as in llama.cpp: the smallest normal number of 16 bits.
const SMALLEST_SUM: f32 = 6.103_515_6e-5;

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
        let bias = weights.choice_bias.as_deref();
        for (scores, choices) in
            scores.chunks_exact_mut(config.count).zip(choices.chunks_exact_mut(config.used))
        {
            choose(&cpu.kernels, config, bias, scores, choices);
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
        let bias = [of(0, gate.rows()), of(1, up.rows()), of(2, down.rows())];
        Part { gate: Some(gate), up, down, bias, activation: Activation::Gelu }
    }
}

/// The experts of a token, from the router's scores: the highest ones, the first of equals first. A bias changes which are chosen, not their weights.
fn choose(
    kernels: &Kernels,
    config: config::Experts,
    bias: Option<&[f32]>,
    scores: &mut [f32],
    choices: &mut [Choice],
) {
    match config.weighting {
        Weighting::Softmax => drop(kernels.softmax(scores)),
        // a bias is one of probabilities
        Weighting::SoftmaxOfChosen if bias.is_some() => drop(kernels.softmax(scores)),
        Weighting::SoftmaxOfChosen => {}
        Weighting::Sigmoid | Weighting::SigmoidOfChosen => {
            scores.iter_mut().for_each(|score| *score = 1.0 / (1.0 + (-*score).exp()));
        }
    }
    take_highest(config.groups, bias, scores, choices);
    match config.weighting {
        Weighting::SoftmaxOfChosen if bias.is_none() => {
            let max = choices[0].weight;
            choices.iter_mut().for_each(|choice| choice.weight = (choice.weight - max).exp());
            divide_by_sum(choices);
        }
        Weighting::SoftmaxOfChosen | Weighting::SigmoidOfChosen => divide_by_sum(choices),
        Weighting::Softmax | Weighting::Sigmoid => {}
    }
    choices.iter_mut().for_each(|choice| choice.weight *= config.scale);
}

/// The experts with the highest scores, bias included, in groups that are open; their weights are the scores without it.
fn take_highest(
    groups: Option<(usize, usize)>,
    bias: Option<&[f32]>,
    scores: &[f32],
    choices: &mut [Choice],
) {
    let ranked = |expert: usize| scores[expert] + bias.map_or(0.0, |bias| bias[expert]);
    let open = groups.map_or(u64::MAX, |groups| open_groups(groups, scores.len(), ranked));
    let size = groups.map_or(scores.len(), |(count, _)| scores.len() / count);
    for i in 0..choices.len() {
        let before = &choices[..i];
        let free = (0..scores.len()).filter(|&expert| {
            open >> (expert / size) & 1 == 1 && before.iter().all(|c| c.index as usize != expert)
        });
        let best = free.fold(None, |best: Option<(usize, f32)>, expert| match best {
            Some((_, highest)) if highest.total_cmp(&ranked(expert)).is_ge() => best,
            _ => Some((expert, ranked(expert))),
        });
        let (expert, _) = best.unwrap_or_default();
        choices[i] = Choice { index: expert as u32, weight: scores[expert] };
    }
}

/// The groups whose two best experts together rank highest, a bit each.
fn open_groups((count, used): (usize, usize), experts: usize, ranked: impl Fn(usize) -> f32) -> u64 {
    let size = experts / count;
    let of_group = |group: usize| {
        let two = (group * size..(group + 1) * size)
            .map(&ranked)
            .fold([f32::NEG_INFINITY; 2], |[a, b], x| if x > a { [x, a] } else { [a, b.max(x)] });
        two[0] + two[1]
    };
    let mut open = 0;
    for _ in 0..used {
        let closed = (0..count).filter(|group| open >> group & 1 == 0);
        let best = closed.fold(None, |best: Option<(usize, f32)>, group| match best {
            Some((_, highest)) if highest.total_cmp(&of_group(group)).is_ge() => best,
            _ => Some((group, of_group(group))),
        });
        open |= best.map_or(0, |(group, _)| 1 << group);
    }
    open
}

/// Lets weights add up to 1.
fn divide_by_sum(choices: &mut [Choice]) {
    let sum: f32 = choices.iter().map(|choice| choice.weight).sum::<f32>().max(SMALLEST_SUM);
    choices.iter_mut().for_each(|choice| choice.weight /= sum);
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

    const CONFIG: config::Experts = config::Experts {
        count: 5,
        used: 2,
        feed_forward: 1,
        shared: None,
        weighting: Weighting::Softmax,
        scale: 2.0,
        groups: None,
    };

    fn chosen(config: config::Experts, bias: Option<&[f32]>, scores: &[f32]) -> Vec<(u32, f32)> {
        let mut choices = [Choice::default(); 2];
        choose(&Kernels::best(), config, bias, &mut scores.to_vec(), &mut choices);
        choices.iter().map(|choice| (choice.index, choice.weight)).collect()
    }

    fn close(got: &[(u32, f32)], expected: [(u32, f32); 2]) {
        for (one, expected) in got.iter().zip(expected) {
            assert!(
                one.0 == expected.0 && (one.1 - expected.1).abs() < 1e-6,
                "{got:?}, expected {expected:?}"
            );
        }
    }

    #[test]
    fn the_highest_scores_are_chosen_and_weighted() {
        let scores = [0.0, 3f32.ln(), f32::NEG_INFINITY, 3f32.ln(), 1f32.ln()];
        let of = |weighting| chosen(config::Experts { weighting, ..CONFIG }, None, &scores);
        close(&of(Weighting::SoftmaxOfChosen), [(1, 1.0), (3, 1.0)]);
        close(&of(Weighting::Softmax), [(1, 0.75), (3, 0.75)]);
        close(&of(Weighting::Sigmoid), [(1, 1.5), (3, 1.5)]);
        close(&of(Weighting::SigmoidOfChosen), [(1, 1.0), (3, 1.0)]);
    }

    /// The last one's probability is 1/8 (or its sigmoid 1/2), the second one's 3/8 (or 3/4).
    #[test]
    fn a_bias_changes_the_choice_but_no_weight() {
        let scores = [0.0, 3f32.ln(), f32::NEG_INFINITY, 3f32.ln(), 1f32.ln()];
        let bias = [0.0, 0.0, 0.0, -0.5, 0.05];
        let of = |weighting| chosen(config::Experts { weighting, ..CONFIG }, Some(&bias), &scores);
        close(&of(Weighting::SoftmaxOfChosen), [(1, 1.5), (4, 0.5)]);
        close(&of(Weighting::Softmax), [(1, 0.75), (4, 0.25)]);
        close(&of(Weighting::Sigmoid), [(1, 1.5), (4, 1.0)]);
        close(&of(Weighting::SigmoidOfChosen), [(1, 1.2), (4, 0.8)]);
    }

    /// The highest score stands in a group whose two best are not the best together.
    #[test]
    fn only_experts_of_open_groups_are_chosen() {
        let groups = |used| config::Experts {
            count: 6,
            groups: Some((3, used)),
            weighting: Weighting::Sigmoid,
            scale: 1.0,
            ..CONFIG
        };
        let scores = [f32::NEG_INFINITY, 9.0, 0.0, 3f32.ln(), 0.0, 0.0];
        close(&chosen(groups(1), None, &scores), [(3, 0.75), (2, 0.5)]);
        close(&chosen(groups(3), None, &scores), [(1, 1.0 / (1.0 + (-9f32).exp())), (3, 0.75)]);
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
