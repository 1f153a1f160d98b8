//! Watches a choice: a sampler that does what the session's own would do, and tells what it saw on the way.

use super::capture::{Expected, Wanted};
use super::record::{Candidate, Changed, Chosen, Distribution, Filter, Seen, Setting};
use crate::cli::report::many;
use siskin::sample::{self, Choice, Choose, Context, Observer, Options, Sampler, Step};
use siskin::stop::{Reason, Stops};
use siskin::tokenizer::Tokenizer;
use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// A choice as it was watched.
#[derive(Debug)]
pub struct Watched {
    /// The token.
    pub chosen: Chosen,
    /// What the model expected.
    pub distribution: Distribution,
    /// What each step of the chain left.
    pub filters: Vec<Filter>,
    /// Time to choose it.
    pub sampling: Duration,
    /// Time to find out the rest of this.
    pub recording: Duration,
}

/// Chooses as [`Sampler`] does. Each choice is made twice, once for the time it takes and once observed, by two samplers of
/// the same options: choices depend on nothing else.
pub struct Watch<'m> {
    tokenizer: &'m Tokenizer,
    wanted: Wanted,
    options: Options,
    timed: Sampler,
    observed: Sampler,
    told: Sender<Watched>,
}

impl<'m> Watch<'m> {
    /// Watches choices for a vocabulary of so many tokens.
    pub fn new(
        tokenizer: &'m Tokenizer,
        options: &Options,
        vocabulary: usize,
        wanted: Wanted,
        told: Sender<Watched>,
    ) -> Result<Watch<'m>, sample::Error> {
        let sampler = || Sampler::new(options.clone(), vocabulary);
        Ok(Watch {
            tokenizer,
            wanted,
            options: options.clone(),
            timed: sampler()?,
            observed: sampler()?,
            told,
        })
    }

    /// The steps of the chain that run, in order.
    pub fn chain(&self) -> Vec<Setting> {
        let bias = (!self.options.logit_bias.is_empty()).then_some("logit_bias");
        let steps = self.observed.steps().iter().map(|step| step.name());
        let is_greedy = self.options.temperature == 0.0;
        let mirostat = self.options.mirostat.filter(|_| !is_greedy).map(|_| "mirostat");
        let names = bias.into_iter().chain(steps).chain(mirostat).chain(is_greedy.then_some("greedy"));
        names.map(|name| Setting { name, setting: setting(&self.options, name) }).collect()
    }
}

impl Choose for Watch<'_> {
    fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, sample::Error> {
        let start = Instant::now();
        let choice = self.timed.sample(logits, context)?;
        let sampling = start.elapsed();
        let expected = Expected::new(logits, context.position)?;
        let mut distribution = expected.distribution(self.tokenizer, self.wanted, context.allowed);
        let mut log = FilterLog::new(&mut distribution.top, &self.options);
        self.observed.sample_observed(logits, context, &mut log)?;
        let filters = log.finish(choice);
        let mut chosen = expected.chosen(self.tokenizer, choice.token);
        chosen.drawn_with = Some(choice.probability);
        let recording = start.elapsed() - sampling;
        // Nobody listens once the trace has ended.
        let _ = self.told.send(Watched { chosen, distribution, filters, sampling, recording });
        Ok(choice)
    }

    fn reset(&mut self) {
        self.timed.reset();
        self.observed.reset();
    }
}

/// Notes after each step of a chain what it did to the recorded candidates.
struct FilterLog<'a> {
    recorded: &'a mut [Candidate],
    /// Their logits after the last step.
    logits: Vec<f32>,
    places: HashMap<u32, usize>,
    options: &'a Options,
    filters: Vec<Filter>,
}

impl<'a> FilterLog<'a> {
    /// A log for a chain that begins with all tokens, of which some are recorded one by one.
    fn new(recorded: &'a mut [Candidate], options: &'a Options) -> FilterLog<'a> {
        recorded.iter_mut().for_each(|candidate| candidate.drawn_with = Some(candidate.probability));
        let places = (0..).zip(recorded.iter()).map(|(place, c)| (c.piece.token, place)).collect();
        let logits = recorded.iter().map(|candidate| candidate.logit).collect();
        FilterLog { recorded, logits, places, options, filters: Vec::new() }
    }

    /// What was noted; of a greedy choice, that it was one.
    fn finish(mut self, choice: Choice) -> Vec<Filter> {
        if self.options.temperature == 0.0 {
            let Choice { token, probability, .. } = choice;
            let logit = self.places.get(&token).map_or(0.0, |&place| self.logits[place]);
            self.after("greedy", &[sample::Candidate { token, logit, probability }]);
        }
        self.filters
    }
}

impl Observer for FilterLog<'_> {
    fn after(&mut self, name: &'static str, left: &[sample::Candidate]) {
        let mut now = vec![None; self.recorded.len()];
        for candidate in left {
            if let Some(&place) = self.places.get(&candidate.token) {
                now[place] = Some(candidate);
            }
        }
        let edits = ["logit_bias", Step::Penalties.name(), Step::Dry.name()].contains(&name);
        let (mut removed, mut changed) = (Vec::new(), Vec::new());
        for ((candidate, logit), now) in self.recorded.iter_mut().zip(&mut self.logits).zip(now) {
            let token = candidate.piece.token;
            candidate.drawn_with = now.map(|now| now.probability);
            if let Some(now) = now {
                if edits && now.logit != *logit {
                    changed.push(Changed { token, logit: now.logit });
                }
                *logit = now.logit;
            } else if candidate.removed_by.is_none() {
                candidate.removed_by = Some(name);
                removed.push(token);
            }
        }
        let setting = setting(self.options, name);
        self.filters.push(Filter { name, setting, left: left.len(), removed, changed });
    }
}

/// What a step of the chain is set to, for people.
fn setting(options: &Options, name: &str) -> String {
    let penalties = options.penalties;
    match name {
        "allowed" => "by stop conditions and grammar".to_owned(),
        "logit_bias" => format!("of {}", many(options.logit_bias.len(), "token")),
        "penalties" => format!(
            "repeat {}, presence {}, frequency {}",
            penalties.repeat, penalties.presence, penalties.frequency
        ),
        "dry" => format!("{}, base {}", options.dry.multiplier, options.dry.base),
        "top_n_sigma" => options.top_n_sigma.to_string(),
        "top_k" => options.top_k.to_string(),
        "typical" => options.typical.to_string(),
        "top_p" => options.top_p.to_string(),
        "min_p" => options.min_p.to_string(),
        "xtc" => format!("{} at {}", options.xtc.probability, options.xtc.threshold),
        "temperature" if options.dynamic.range > 0.0 => {
            format!("{} +- {}", options.temperature, options.dynamic.range)
        }
        "temperature" => options.temperature.to_string(),
        "mirostat" => options.mirostat.map_or_else(String::new, |m| format!("tau {}, eta {}", m.tau, m.eta)),
        "greedy" => "the likeliest".to_owned(),
        _ => String::new(),
    }
}

/// What the stop conditions see after a token, and which of them ends the generation there.
pub fn stops(stops: &Stops, ended: Option<&Reason>) -> Vec<Seen> {
    let seen = |name, text| Seen { name, text, met: ended.is_some_and(|reason| reason.name() == name) };
    let mut all: Vec<Seen> = stops.describe().into_iter().map(|state| seen(state.name, state.text)).collect();
    // such as the end of text, which needs no setting
    if let Some(reason) = ended
        && !all.iter().any(|seen| seen.met)
    {
        all.push(seen(reason.name(), reason.detail()));
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::record::Piece;
    use super::*;

    fn recorded(logits: &[f32]) -> Vec<Candidate> {
        let candidate = |(token, &logit): (u32, &f32)| Candidate {
            piece: Piece { token, text: String::new(), special: false, bytes: None },
            logit,
            probability: logit.exp(),
            cumulative: 0.0,
            rank: 0,
            drawn_with: None,
            removed_by: None,
        };
        (0..).zip(logits).map(candidate).collect()
    }

    /// Runs a chain on these probabilities, which are all recorded.
    fn watched(probabilities: &[f32], options: Options, history: &[u32]) -> (Vec<Candidate>, Vec<Filter>) {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        let mut recorded = recorded(&logits);
        let mut log = FilterLog::new(&mut recorded, &options);
        let context = Context { history, ..Context::default() };
        let mut sampler = Sampler::new(options.clone(), logits.len()).expect("options");
        let choice = sampler.sample_observed(&logits, &context, &mut log).expect("a choice");
        let filters = log.finish(choice);
        (recorded, filters)
    }

    #[test]
    fn each_step_says_what_it_removed() {
        let mut options = Options::default();
        (options.temperature, options.top_k, options.top_p, options.min_p) = (0.8, 4, 0.85, 0.35);
        let (recorded, filters) = watched(&[0.05, 0.5, 0.1, 0.2, 0.15], options, &[]);
        let found: Vec<_> = filters.into_iter().map(|f| (f.name, f.left, f.removed)).collect();
        // of 0.95 that top-k leaves, 0.8075 is asked for: 0.5 + 0.2 + 0.15; of those at least 0.175 likely stay
        let expected =
            [("top_k", 4, vec![0]), ("top_p", 3, vec![2]), ("min_p", 2, vec![4]), ("temperature", 2, vec![])];
        assert_eq!(found, expected);
        let removed: Vec<_> = recorded.iter().map(|c| c.removed_by).collect();
        assert_eq!(removed, [Some("top_k"), None, Some("top_p"), None, Some("min_p")]);
        let drawn = recorded[1].drawn_with.expect("left");
        let ratio = (0.5f32 / 0.2).powf(1.0 / 0.8);
        assert!((drawn - ratio / (1.0 + ratio)).abs() < 1e-5, "{drawn}");
        assert_eq!(recorded[0].drawn_with, None);
    }

    #[test]
    fn edits_say_what_they_changed() {
        let mut options = Options { logit_bias: vec![(2, 5.0)], ..Options::default() };
        options.penalties.presence = 1.0;
        let (recorded, filters) = watched(&[0.5, 0.25, 0.25], options, &[0]);
        let changed = |i: usize| filters[i].changed.iter().map(|c| c.token).collect::<Vec<_>>();
        assert_eq!(filters.iter().map(|f| f.name).collect::<Vec<_>>(), ["logit_bias", "penalties", "greedy"]);
        assert_eq!((changed(0), changed(1)), (vec![2], vec![0]));
        assert_eq!((recorded[2].drawn_with, recorded[0].removed_by), (Some(1.0), Some("greedy")));
    }

    #[test]
    fn a_condition_that_holds_is_named() {
        let mut options = siskin::stop::Options::default();
        (options.max_tokens, options.texts) = (Some(2), vec!["END".to_owned()]);
        let mut conditions = Stops::new(options).expect("options");
        let mut out = Vec::new();
        assert_eq!(conditions.step(&siskin::stop::Token::new(5, b"E"), &mut out), None);
        let found: Vec<_> = stops(&conditions, None).into_iter().map(|s| (s.name, s.met)).collect();
        assert_eq!(found, [("stop_text", false), ("max_tokens", false)]);
        let reason = Reason::Eos { token: 9 };
        let met = stops(&conditions, Some(&reason)).into_iter().find(|seen| seen.met).expect("one is met");
        assert_eq!((met.name, met.text.as_str()), ("eos", "9"));
    }
}
