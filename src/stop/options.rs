//! What ends a generation, as plain data; [`Stops`](super::Stops) makes conditions of it.

use super::combine::Any;
use super::{
    Below, BelowMean, Bytes, Clock, Condition, Entropy, Error, Json, Lines, Paragraphs, Repetition,
    Sentences, StopTexts, TimeLimit, all, any,
};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// The conditions of one generation. By default only an end-of-generation token ends it.
///
/// Begin with [`Options::default`] and set fields, or end a literal with `..Options::default()`: later versions add some.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Treat end-of-generation tokens like any other.
    pub ignore_eos: bool,
    /// Most tokens to generate; an end-of-generation token counts too.
    pub max_tokens: Option<usize>,
    /// Texts that end the generation where they begin.
    pub texts: Vec<String>,
    /// Most tokens that prompt and generated text may have together.
    pub context: Option<usize>,
    /// Number of tokens in the prompt, counted against [`context`](Self::context).
    pub prompt_tokens: usize,
    /// Set to `true`, from any thread, to end the generation after the current token.
    pub cancelled: Option<Arc<AtomicBool>>,
    /// The other conditions, and how they work together.
    pub rules: Rules,
}

/// Conditions beyond stop texts and limits. By default there are none.
///
/// Begin with [`Rules::default`] and set fields, or end a literal with `..Rules::default()`: later versions add some.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Fewest tokens of text: below that only the context and the caller end the generation.
    pub min_tokens: usize,
    /// Print the stop text too: what a condition would remove, of the text that it took to hold.
    pub keep_stop: bool,
    /// Stop when every one of the conditions has held, not at the first: each stop text, each regular expression, and those below that are set
    /// (see [`all`](super::all)). End-of-generation tokens and limits stop alone as ever.
    pub all: bool,
    /// Regular expressions that end the generation where they match. See [`Regexes`](super::Regexes).
    #[cfg(feature = "regex")]
    pub regexes: Vec<String>,
    /// Stop after the first JSON object or array. See [`Json`].
    pub json: bool,
    /// Stop after so many sentences. See [`Sentences`].
    pub sentences: Option<usize>,
    /// Stop after so many paragraphs. See [`Paragraphs`].
    pub paragraphs: Option<usize>,
    /// Stop after so many lines. See [`Lines`].
    pub lines: Option<usize>,
    /// Most bytes of text. See [`Bytes`].
    pub bytes: Option<usize>,
    /// Stop before a token less likely than this. See [`Below`].
    pub below: Option<f32>,
    /// Stop before the token that brings the mean probability of so many tokens below this. See [`BelowMean`].
    pub below_mean: Option<(f32, usize)>,
    /// Stop before a token chosen from a distribution with more entropy than this, in nats. See [`Entropy`].
    pub entropy: Option<f32>,
    /// Stop when the last tokens are so many repeats of a cycle. See [`Repetition`].
    pub repeats: Option<usize>,
    /// Stop after this time. See [`TimeLimit`].
    pub time: Option<Duration>,
    /// What tells the time.
    pub clock: Clock,
    /// The caller's own conditions.
    pub also: Vec<Box<dyn Condition>>,
}

impl Options {
    /// The conditions, in the order in which ties are broken.
    pub(super) fn conditions(&self) -> Result<Any, Error> {
        self.check_minimum()?;
        let rules = &self.rules;
        let mut conditions = Vec::new();
        for texts in rules.groups(&self.texts) {
            conditions.push(boxed(StopTexts::new(texts)?));
        }
        #[cfg(feature = "regex")]
        for regexes in rules.groups(&rules.regexes) {
            let texts = if rules.all { StopTexts::default() } else { StopTexts::new(&self.texts)? };
            conditions.push(boxed(super::Regexes::beside(regexes, &texts)?));
        }
        conditions.extend(rules.json.then(|| boxed(Json::new())));
        conditions.extend(rules.sentences.map(Sentences::new).transpose()?.map(boxed));
        conditions.extend(rules.paragraphs.map(Paragraphs::new).transpose()?.map(boxed));
        conditions.extend(rules.lines.map(Lines::new).transpose()?.map(boxed));
        conditions.extend(rules.bytes.map(Bytes::new).transpose()?.map(boxed));
        conditions.extend(rules.below.map(Below::new).transpose()?.map(boxed));
        let mean = rules.below_mean.map(|(limit, window)| BelowMean::new(limit, window));
        conditions.extend(mean.transpose()?.map(boxed));
        conditions.extend(rules.entropy.map(Entropy::new).transpose()?.map(boxed));
        conditions.extend(rules.repeats.map(Repetition::new).transpose()?.map(boxed));
        conditions.extend(rules.time.map(|limit| boxed(TimeLimit::new(limit, rules.clock.clone()))));
        conditions.extend(rules.also.iter().cloned());
        Ok(if rules.all && !conditions.is_empty() { any([boxed(all(conditions))]) } else { any(conditions) })
    }

    fn check_minimum(&self) -> Result<(), Error> {
        let min = self.rules.min_tokens;
        match self.max_tokens.filter(|max| *max < min) {
            Some(max) => Err(Error::Minimum { min, max }),
            None => Ok(()),
        }
    }
}

impl Rules {
    /// What is one condition: all of them, of which one is enough, or each, if each has to hold.
    fn groups<'a>(&self, patterns: &'a [String]) -> std::slice::Chunks<'a, String> {
        patterns.chunks(if self.all { 1 } else { patterns.len().max(1) })
    }
}

fn boxed(condition: impl Condition + 'static) -> Box<dyn Condition> {
    Box::new(condition)
}
