//! The obvious sampler, the oracle of the fast one: lists every token, sorts, takes the softmax of everything, compares every sequence.

use crate::sample::{Context, Dry, Dynamic, Mirostat, MirostatVersion, Options, Penalties, Step, Xtc};

/// All candidates in rank order.
#[derive(Debug, Clone)]
pub(super) struct Plain {
    list: Vec<(u32, f32)>,
    temperature: f64,
    /// How close a decision was, as a share of the mass: a smaller difference could have changed the result.
    pub(super) margin: f64,
}

/// What each step left: its name and the tokens in rank order.
pub(super) type Trace = Vec<(&'static str, Vec<u32>)>;

impl Plain {
    pub(super) fn new(logits: &[f32]) -> Plain {
        let list = (0..).zip(logits.iter().copied()).collect();
        Plain { list, temperature: 1.0, margin: f64::INFINITY }.sorted()
    }

    fn sorted(mut self) -> Plain {
        self.list.retain(|(_, logit)| *logit > f32::NEG_INFINITY);
        self.list.sort_by(|a, b| b.1.partial_cmp(&a.1).expect("no NaN").then(a.0.cmp(&b.0)));
        self
    }

    fn near(&mut self, distance: f64) {
        self.margin = self.margin.min(distance.abs());
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

    /// `-ln p`, in rank order.
    fn surprises(&self) -> Vec<f64> {
        let peak = f64::from(self.list[0].1);
        let exponents: Vec<f64> =
            self.list.iter().map(|(_, logit)| (f64::from(*logit) - peak) / self.temperature).collect();
        let total: f64 = exponents.iter().map(|x| x.exp()).sum();
        exponents.iter().map(|x| total.ln() - x).collect()
    }

    pub(super) fn entropy(&self) -> f64 {
        self.surprises().iter().map(|s| (-s).exp() * s).filter(|term| term.is_finite()).sum()
    }

    pub(super) fn log_probability(&self, token: u32) -> f64 {
        let at = self.list.iter().position(|(id, _)| *id == token).expect("a candidate");
        -self.surprises()[at]
    }

    pub(super) fn allowed(mut self, allowed: &[u32]) -> Plain {
        let bit =
            |token: u32| allowed.get(token as usize / 32).is_some_and(|word| word >> (token % 32) & 1 == 1);
        self.list.retain(|(token, _)| bit(*token));
        self
    }

    pub(super) fn bias(mut self, bias: &[(u32, f32)]) -> Plain {
        for (token, logit) in &mut self.list {
            let amounts: Vec<f32> = bias.iter().filter(|b| b.0 == *token).map(|b| b.1).collect();
            if !amounts.is_empty() {
                *logit += amounts.iter().sum::<f32>();
            }
        }
        self.sorted()
    }

    /// Passes the divided logit of every token through `change`.
    fn changed(mut self, change: impl Fn(u32, f64) -> f64) -> Plain {
        for (token, logit) in &mut self.list {
            let divided = f64::from(*logit) / self.temperature;
            let changed = change(*token, divided);
            if changed != divided {
                *logit = ((changed * self.temperature) as f32).clamp(f32::MIN, f32::MAX);
            }
        }
        self.sorted()
    }

    pub(super) fn penalties(self, penalties: Penalties, history: &[u32]) -> Plain {
        let window = last(history, penalties.last_n);
        self.changed(|token, x| {
            let count = window.iter().filter(|seen| **seen == token).count();
            if count == 0 {
                return x;
            }
            let repeat = f64::from(penalties.repeat);
            let repeated = if x > 0.0 { x / repeat } else { x * repeat };
            repeated - f64::from(penalties.presence) - count as f64 * f64::from(penalties.frequency)
        })
    }

    /// Tries every earlier place and every length.
    pub(super) fn dry(self, dry: &Dry, history: &[u32]) -> Plain {
        let window = last(history, dry.last_n);
        let breaks = |tokens: &[u32]| tokens.iter().any(|token| dry.breakers.contains(token));
        let repetition = |token: u32| {
            let places = (0..window.len()).filter(|place| window[*place] == token);
            let lengths = places.flat_map(|place| (0..=place).map(move |length| (place, length)));
            let same = |(place, length): &(usize, usize)| {
                let end = &window[window.len() - length..];
                !breaks(end) && &window[place - length..*place] == end
            };
            lengths.filter(same).map(|(_, length)| length).max()
        };
        self.changed(|token, x| match repetition(token) {
            Some(length) if length >= dry.allowed_length as usize && !breaks(&[token]) => {
                let excess = (length - dry.allowed_length as usize) as i32;
                x - f64::from(dry.multiplier) * f64::from(dry.base).powi(excess)
            }
            _ => x,
        })
    }

    pub(super) fn top_k(mut self, k: usize) -> Plain {
        self.list.truncate(k);
        self
    }

    pub(super) fn top_n_sigma(mut self, n: f64) -> Plain {
        let x: Vec<f64> = self.list.iter().map(|(_, logit)| f64::from(*logit) / self.temperature).collect();
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        let sigma = (x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64).sqrt();
        let others = x.iter().filter(|other| **other < x[0]);
        others.for_each(|other| self.near((x[0] - other - n * sigma) / (1.0 + n * sigma)));
        let kept = x.iter().filter(|other| **other >= x[0] - n * sigma).count();
        self.top_k(kept.max(1))
    }

    pub(super) fn typical(mut self, p: f64) -> Plain {
        let (entropy, surprises) = (self.entropy(), self.surprises());
        let mut order: Vec<usize> = (0..self.list.len()).collect();
        let off = |i: usize| (surprises[i] - entropy).abs();
        order.sort_by(|a, b| off(*a).total_cmp(&off(*b)));
        let n = self.reach_in(p, order.iter().map(|i| (-surprises[*i]).exp()));
        let last = order[n - 1];
        // Tokens with equal logits are equally far off; of others rounding may decide.
        for &other in &order[n..] {
            if self.list[other].1 != self.list[last].1 {
                self.near(off(other) - off(last));
            }
        }
        if let Some(&first) = order.get(n) {
            for &kept in &order[..n] {
                if self.list[kept].1 != self.list[first].1 {
                    self.near(off(first) - off(kept));
                }
            }
        }
        order.truncate(n);
        self.list = order.iter().map(|i| self.list[*i]).collect();
        self.sorted()
    }

    pub(super) fn top_p(mut self, p: f64) -> Plain {
        let n = self.reach(p);
        self.top_k(n)
    }

    pub(super) fn min_p(mut self, p: f64) -> Plain {
        let probabilities = self.probabilities();
        let threshold = p * probabilities[0].1;
        probabilities[1..].iter().for_each(|(_, q)| self.near(q / threshold - 1.0));
        let kept = probabilities.iter().filter(|(_, q)| *q >= threshold).count();
        self.top_k(kept.max(1))
    }

    pub(super) fn xtc(mut self, xtc: Xtc, u: f64) -> Plain {
        if u >= f64::from(xtc.probability) {
            return self;
        }
        let probabilities = self.probabilities();
        probabilities.iter().for_each(|(_, p)| self.near(p / f64::from(xtc.threshold) - 1.0));
        let top = probabilities.iter().filter(|(_, p)| *p >= f64::from(xtc.threshold)).count();
        self.list.drain(..top.saturating_sub(1));
        self
    }

    pub(super) fn temperature(mut self, temperature: f64) -> Plain {
        self.temperature = temperature;
        self
    }

    pub(super) fn dynamic(self, temperature: f32, dynamic: Dynamic) -> Plain {
        let n = self.list.len();
        if n == 1 {
            return self;
        }
        let (middle, range) = (f64::from(temperature), f64::from(dynamic.range));
        let (low, high) = ((middle - range).max(0.0), middle + range);
        let power = (self.entropy() / (n as f64).ln()).max(0.0).powf(f64::from(dynamic.exponent));
        self.temperature((low + (high - low) * power).max(f64::from(f32::MIN_POSITIVE)))
    }

    pub(super) fn mirostat(mut self, mirostat: Mirostat, mu: f64, vocab: usize) -> Plain {
        match mirostat.version {
            MirostatVersion::V2 => {
                let bits: Vec<f64> = self.surprises().iter().map(|s| s / 2f64.ln()).collect();
                bits.iter().for_each(|bits| self.near(bits - mu));
                self.top_k(bits.iter().filter(|bits| **bits <= mu).count().max(1))
            }
            MirostatVersion::V1 => {
                let k = self.zipf_k(mu, vocab as f64);
                if k < vocab as f64 {
                    self.near((k - k.round()) / (1.0 + k));
                }
                self.top_k((k as usize).max(1))
            }
        }
    }

    fn zipf_k(&self, mu: f64, n: f64) -> f64 {
        let p: Vec<f64> = self.list.iter().take(100).map(|(_, l)| f64::from(*l) / self.temperature).collect();
        let t = |i: usize| ((i + 2) as f64 / (i + 1) as f64).ln();
        // From 0.0 on: `sum` begins at -0.0, and the sign of an exponent of 0 decides between all tokens and one.
        let tb = p.windows(2).enumerate().fold(0.0, |tb, (i, pair)| tb + t(i) * (pair[0] - pair[1]));
        let tt: f64 = (1..p.len()).map(|i| t(i - 1).powi(2)).sum();
        let s = if tt > 0.0 { tb / tt } else { 0.0 };
        (((s - 1.0) * mu.exp2()) / (1.0 - n.powf(1.0 - s))).powf(1.0 / s)
    }

    /// The number of likeliest candidates whose probabilities add up to `p`.
    fn reach(&mut self, p: f64) -> usize {
        let probabilities = self.probabilities();
        self.reach_in(p, probabilities.into_iter().map(|(_, q)| q))
    }

    fn reach_in(&mut self, p: f64, probabilities: impl Iterator<Item = f64>) -> usize {
        let mut sum = 0.0;
        for (i, q) in probabilities.enumerate() {
            sum += q;
            self.near(sum - p);
            if sum >= p {
                return i + 1;
            }
        }
        self.list.len()
    }

    fn step(self, step: Step, options: &Options, history: &[u32], u_xtc: f64) -> Plain {
        match step {
            Step::Penalties => self.penalties(options.penalties, history),
            Step::Dry => self.dry(&options.dry, history),
            Step::TopNSigma => self.top_n_sigma(f64::from(options.top_n_sigma)),
            Step::TopK => self.top_k(options.top_k as usize),
            Step::Typical => self.typical(f64::from(options.typical)),
            Step::TopP => self.top_p(f64::from(options.top_p)),
            Step::MinP => self.min_p(f64::from(options.min_p)),
            Step::Xtc => self.xtc(options.xtc, u_xtc),
            Step::Temperature if options.dynamic.range > 0.0 => {
                self.dynamic(options.temperature, options.dynamic)
            }
            Step::Temperature => self.temperature(f64::from(options.temperature)),
        }
    }

    /// The whole chain up to the draw, and what each step left.
    pub(super) fn run(
        logits: &[f32],
        options: &Options,
        context: &Context<'_>,
        u_xtc: f64,
        mu: f64,
    ) -> (Plain, Trace) {
        let mut plain = Plain::new(logits);
        let mut trace = Trace::new();
        if let Some(allowed) = context.allowed {
            plain = plain.allowed(allowed);
            trace.push(("allowed", plain.tokens()));
        }
        if !options.logit_bias.is_empty() {
            plain = plain.bias(&options.logit_bias);
            trace.push(("logit_bias", plain.tokens()));
        }
        for step in options.active(logits.len()) {
            plain = plain.step(step, options, context.history, u_xtc);
            trace.push((step.name(), plain.tokens()));
        }
        if let (Some(mirostat), false) = (options.mirostat, options.temperature == 0.0) {
            plain = plain.mirostat(mirostat, mu, logits.len());
            trace.push(("mirostat", plain.tokens()));
        }
        (plain, trace)
    }

    /// The token at the uniform number `u`, and its probability.
    pub(super) fn draw(&mut self, u: f64, greedy: bool) -> (u32, f64) {
        if greedy {
            return (self.list[0].0, 1.0);
        }
        let n = self.reach(u);
        self.probabilities()[n - 1]
    }
}

fn last(history: &[u32], n: u32) -> &[u32] {
    &history[history.len() - history.len().min(n as usize)..]
}

impl Plain {
    /// Whether grammar and bias exclude every token, which has to be an error.
    pub(super) fn run_leaves_nothing(logits: &[f32], options: &Options, context: &Context<'_>) -> bool {
        let plain = Plain::new(logits);
        let plain = if let Some(allowed) = context.allowed { plain.allowed(allowed) } else { plain };
        plain.bias(&options.logit_bias).list.is_empty()
    }

    /// The candidates and their logits.
    pub(super) fn take(&mut self) -> Vec<(u32, f32)> {
        std::mem::take(&mut self.list)
    }
}
