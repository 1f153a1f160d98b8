//! The obvious sampler, the oracle of the fast one: sort everything, take the softmax of everything.

use crate::sample::Options;

/// All candidates in rank order.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    list: Vec<(u32, f32)>,
    temperature: f64,
    /// How close a decision was, as a share of the mass: a smaller difference could have changed the result.
    pub(super) margin: f64,
}

pub(super) fn largest(logits: &[f32]) -> f32 {
    logits.iter().copied().fold(f32::NEG_INFINITY, f32::max)
}

impl Plain {
    pub(super) fn new(logits: &[f32]) -> Plain {
        let mut list: Vec<(u32, f32)> = (0..).zip(logits.iter().copied()).collect();
        list.retain(|(_, logit)| *logit > f32::NEG_INFINITY);
        // A stable sort: equal logits stay in order of token id.
        list.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("no NaN"));
        Plain { list, temperature: 1.0, margin: f64::INFINITY }
    }

    /// Token ids with their probabilities, in rank order.
    pub(super) fn probabilities(&self) -> Vec<(u32, f64)> {
        let peak = f64::from(self.list[0].1);
        let weight = |logit: f32| ((f64::from(logit) - peak) / self.temperature).exp();
        let total: f64 = self.list.iter().map(|(_, logit)| weight(*logit)).sum();
        self.list.iter().map(|(token, logit)| (*token, weight(*logit) / total)).collect()
    }

    pub(super) fn tokens(&self) -> Vec<u32> {
        self.list.iter().map(|(token, _)| *token).collect()
    }

    pub(super) fn log_probability(&self, token: u32) -> f64 {
        let peak = f64::from(self.list[0].1);
        let total: f64 = self.list.iter().map(|(_, logit)| (f64::from(*logit) - peak).exp()).sum();
        let (_, logit) = self.list.iter().find(|(id, _)| *id == token).expect("a candidate");
        f64::from(*logit) - peak - total.ln()
    }

    pub(super) fn top_k(mut self, k: usize) -> Plain {
        self.list.truncate(k);
        self
    }

    pub(super) fn top_p(mut self, p: f64) -> Plain {
        let n = self.reach(p);
        self.list.truncate(n);
        self
    }

    pub(super) fn min_p(mut self, p: f64) -> Plain {
        let probabilities = self.probabilities();
        let threshold = p * probabilities[0].1;
        let near = probabilities[1..].iter().map(|(_, q)| (q / threshold - 1.0).abs());
        self.margin = near.fold(self.margin, f64::min);
        self.list.truncate(probabilities.iter().filter(|(_, q)| *q >= threshold).count());
        self
    }

    pub(super) fn temperature(mut self, temperature: f32) -> Plain {
        self.temperature = f64::from(temperature);
        self
    }

    /// The number of likeliest candidates whose probabilities add up to `p`.
    fn reach(&mut self, p: f64) -> usize {
        let mut sum = 0.0;
        for (i, (_, q)) in self.probabilities().into_iter().enumerate() {
            sum += q;
            self.margin = self.margin.min((sum - p).abs());
            if sum >= p {
                return i + 1;
            }
        }
        self.list.len()
    }

    /// The whole chain: the token chosen at the uniform number `u`, and how close the decisions were.
    pub(super) fn choose(logits: &[f32], options: &Options, u: f64) -> (u32, f64) {
        let mut plain = Plain::new(logits);
        if options.temperature == 0.0 {
            return (plain.list[0].0, plain.margin);
        }
        if options.top_k > 0 {
            plain = plain.top_k(options.top_k as usize);
        }
        if options.top_p < 1.0 {
            plain = plain.top_p(f64::from(options.top_p));
        }
        if options.min_p > 0.0 {
            plain = plain.min_p(f64::from(options.min_p));
        }
        plain = plain.temperature(options.temperature);
        let n = plain.reach(u);
        (plain.list[n - 1].0, plain.margin)
    }
}
