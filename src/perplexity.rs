//! How well a model predicts a text: perplexity over windows of its tokens, and the divergence of one model's predictions from another's.
//!
//! A token's loss is the negative logarithm of the probability that the model gave it, in nats; the perplexity is `e` to the mean loss
//! (Jelinek et al. 1977). Only tokens with enough text before them count.

use crate::kv::{HeadSize, KvType};
use crate::model::{Decoder, Job, Model, Plan};
use crate::ops::Cpu;
use std::fmt;
use std::ops::Range;

/// Rows of logits that are computed at a time.
const ROWS: usize = 16;

/// Why a text cannot be scored.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The window is too short, or longer than the model's context.
    #[error("context: {found} tokens, expected 2 to {context}, the model's context")]
    Context {
        /// Tokens of the window.
        found: usize,
        /// Tokens of the model's context.
        context: usize,
    },
    /// The stride is 0 or longer than the window.
    #[error("stride: {found} tokens, expected 1 to {limit}, one less than the window")]
    Stride {
        /// Tokens of the stride.
        found: usize,
        /// The most that make sense.
        limit: usize,
    },
    /// The text does not fill one window.
    #[error(
        "text: {found} tokens, expected at least the {needed} of a window. Try a longer text or a shorter context"
    )]
    TooShort {
        /// Tokens of the text.
        found: usize,
        /// Tokens of a window.
        needed: usize,
    },
    /// The two models do not speak of the same tokens.
    #[error("the other model has {found} tokens, expected {expected}. Try one with the same vocabulary")]
    Vocabulary {
        /// Its tokens.
        found: usize,
        /// The model's.
        expected: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} is out of range, expected one below {vocabulary}")]
    TokenRange {
        /// The token.
        token: u32,
        /// Tokens of the vocabulary.
        vocabulary: usize,
    },
    /// A window that the model was not made ready for, or of which other tokens count than those behind its first.
    #[error(
        "window: found {tokens} tokens, of which {} to {} count, expected at most {room}, and the first not to count. Try `windows` with the predictor's context",
        scored.start,
        scored.end
    )]
    Window {
        /// Tokens of the window.
        tokens: usize,
        /// Those that count.
        scored: Range<usize>,
        /// Tokens that there is room for.
        room: usize,
    },
    /// Keys and values cannot be stored in this way.
    #[error(transparent)]
    KvType(#[from] HeadSize),
    /// The memory needed cannot be addressed.
    #[error("a window of {context} tokens needs too much memory")]
    TooLarge {
        /// Tokens of the window.
        context: usize,
    },
}

/// A piece of the text, and which of its tokens count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Token ids; the first is BOS where the model wants that.
    pub tokens: Vec<u32>,
    /// Places of the tokens that count, each predicted from those before it.
    pub scored: Range<usize>,
}

/// Cuts a text into windows of `context` tokens; what does not fill the last one is left out.
///
/// Without a stride, windows follow each other and the second half of each counts (llama.cpp's rule). With one, a window begins
/// every `stride` tokens and its last `stride` count, so that all have as much before them as fits. BOS takes the place of a window's first token.
///
/// # Errors
///
/// If `context` or `stride` make no sense, or the text is too short.
pub fn windows(
    tokens: &[u32],
    bos: Option<u32>,
    context: usize,
    stride: Option<usize>,
) -> Result<Vec<Window>, Error> {
    if let Some(found) = stride.filter(|stride| !(1..context).contains(stride)) {
        return Err(Error::Stride { found, limit: context.saturating_sub(1) });
    }
    if context < 2 || tokens.len() < context {
        return Err(Error::TooShort { found: tokens.len(), needed: context.max(2) });
    }
    let (step, first) = match stride {
        None => (context, (context / 2 + 1).min(context - 1)),
        Some(stride) => (stride, context - stride),
    };
    let window = |tokens: &[u32]| {
        let mut tokens = tokens.to_vec();
        if let Some(bos) = bos {
            tokens[0] = bos;
        }
        Window { tokens, scored: first..context }
    };
    Ok(tokens.windows(context).step_by(step).map(window).collect())
}

/// A mean that is being taken, and how sure it is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mean {
    /// Values so far.
    pub count: usize,
    sum: f64,
    squares: f64,
}

impl Mean {
    /// Takes another value.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        self.sum += value;
        self.squares += value * value;
    }

    /// The mean so far; not a number if there is no value.
    pub fn value(&self) -> f64 {
        self.sum / self.count as f64
    }

    /// Its standard error, taking values for independent.
    pub fn error(&self) -> f64 {
        let variance = self.squares / self.count as f64 - self.value() * self.value();
        (variance.max(0.0) / (self.count as f64 - 1.0)).sqrt()
    }
}

/// What was found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Loss, in nats a token.
    pub loss: Mean,
    /// Divergence from the other model's predictions, in nats a token.
    pub divergence: Mean,
    /// How often both models find the same token likeliest.
    pub same_top: Mean,
}

impl Score {
    /// Perplexity and its standard error.
    pub fn perplexity(&self) -> (f64, f64) {
        let perplexity = self.loss.value().exp();
        (perplexity, perplexity * self.loss.error())
    }

    /// Takes the logits before a token.
    fn add(&mut self, logits: &[f32], token: u32, base: Option<&[f32]>) {
        let normalizer = log_sum_exp(logits);
        self.loss.add(normalizer - f64::from(logits[token as usize]));
        let Some(base) = base else { return };
        let base_normalizer = log_sum_exp(base);
        let pairs = base.iter().zip(logits).map(|(&p, &q)| {
            let (p, q) = (f64::from(p) - base_normalizer, f64::from(q) - normalizer);
            p.exp() * (p - q)
        });
        self.divergence.add(pairs.sum());
        self.same_top.add(f64::from(u8::from(likeliest(logits) == likeliest(base))));
    }
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = f64::from(logits.iter().fold(f32::NEG_INFINITY, |max, &x| max.max(x)));
    max + logits.iter().map(|&x| (f64::from(x) - max).exp()).sum::<f64>().ln()
}

fn likeliest(logits: &[f32]) -> usize {
    (0..logits.len()).rev().max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap_or(0)
}

/// A model that predicts windows.
pub struct Predictor<'m> {
    decoder: Decoder<'m>,
    vocabulary: usize,
    /// Tokens of a window.
    context: usize,
    /// `ROWS x vocabulary`.
    logits: Vec<f32>,
}

impl fmt::Debug for Predictor<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Predictor").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

impl<'m> Predictor<'m> {
    /// Takes the memory for windows of `context` tokens.
    ///
    /// # Errors
    ///
    /// If `context` is not one for the model, or its heads cannot be stored as `kv_type`.
    pub fn new(model: &'m Model, cpu: Cpu, context: usize, kv_type: KvType) -> Result<Predictor<'m>, Error> {
        let plan = Predictor::plan(model, cpu.team.threads(), context, kv_type)?;
        let vocabulary = model.weights().vocabulary();
        let logits = vec![0.0; ROWS * vocabulary];
        Ok(Predictor { decoder: Decoder::new(model, &plan, cpu), vocabulary, context, logits })
    }

    /// The memory that [`Predictor::new`] takes with a team of so many threads.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn plan(model: &Model, threads: usize, context: usize, kv_type: KvType) -> Result<Plan, Error> {
        let limit = model.config().context;
        if !(2..=limit).contains(&context) {
            return Err(Error::Context { found: context, context: limit });
        }
        model.config().check_kv(kv_type)?;
        let logits = model.weights().vocabulary().checked_mul(ROWS * size_of::<f32>());
        let sampler_bytes = logits.ok_or(Error::TooLarge { context })?;
        let job = Job { positions: context, kv_type, threads, sampler_bytes, ..Job::default() };
        Plan::new(model, job).ok_or(Error::TooLarge { context })
    }

    /// Refuses a window that there is no room for, or that counts what nothing predicts.
    fn check(&self, window: &Window) -> Result<(), Error> {
        let (tokens, scored, vocabulary) = (window.tokens.len(), window.scored.clone(), self.vocabulary);
        if tokens > self.context || scored.start == 0 || scored.start > scored.end || scored.end > tokens {
            return Err(Error::Window { tokens, scored, room: self.context });
        }
        match window.tokens.iter().find(|&&token| token as usize >= vocabulary) {
            Some(&token) => Err(Error::TokenRange { token, vocabulary }),
            None => Ok(()),
        }
    }

    /// Runs the part of a window from `start` on that one pass takes; the places of its tokens in the window.
    fn forward(&mut self, window: &Window, start: usize, batch: usize) -> Range<usize> {
        if start == 0 {
            self.decoder.truncate(0);
        }
        let end = (start + batch).min(window.tokens.len());
        self.decoder.forward(&window.tokens[start..end]);
        start..end
    }

    /// The logits after rows of the last pass.
    fn logits(&mut self, rows: Range<usize>) -> &[f32] {
        let logits = &mut self.logits[..rows.len() * self.vocabulary];
        self.decoder.logits_of(rows, logits);
        logits
    }
}

/// Scores one window, beside the predictions of `base` if there is one.
///
/// # Errors
///
/// If the two models have vocabularies of different sizes, a token is not in them, or the window is longer than the predictors were made for. Then nothing
/// was scored.
pub fn score(
    predictor: &mut Predictor<'_>,
    mut base: Option<&mut Predictor<'_>>,
    window: &Window,
    score: &mut Score,
) -> Result<(), Error> {
    let vocabulary = predictor.vocabulary;
    if let Some(found) = base.as_ref().map(|base| base.vocabulary).filter(|&found| found != vocabulary) {
        return Err(Error::Vocabulary { found, expected: vocabulary });
    }
    predictor.check(window)?;
    base.as_ref().map_or(Ok(()), |base| base.check(window))?;
    let own = predictor.decoder.max_batch();
    let batch = base.as_ref().map_or(own, |base| own.min(base.decoder.max_batch()));
    let mut start = 0;
    while start < window.scored.end - 1 {
        let places = predictor.forward(window, start, batch);
        if let Some(base) = &mut base {
            base.forward(window, start, batch);
        }
        // the token at place `i + 1` is predicted after place `i`
        let first = places.start.max(window.scored.start - 1);
        let last = places.end.min(window.scored.end - 1);
        for at in (first..last).step_by(ROWS) {
            let rows = at - start..(at + ROWS).min(last) - start;
            let base = base.as_mut().map(|base| base.logits(rows.clone()));
            let logits = predictor.logits(rows);
            for (i, logits) in logits.chunks_exact(vocabulary).enumerate() {
                let base = base.map(|base| &base[i * vocabulary..][..vocabulary]);
                score.add(logits, window.tokens[at + i + 1], base);
            }
        }
        start = places.end;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_each_other_or_overlap() {
        let tokens: Vec<u32> = (0..11).collect();
        let plain = windows(&tokens, Some(99), 4, None).unwrap();
        assert_eq!(plain.len(), 2);
        assert_eq!(plain[1], Window { tokens: vec![99, 5, 6, 7], scored: 3..4 });
        let strided = windows(&tokens, None, 4, Some(2)).unwrap();
        assert_eq!(strided.len(), 4);
        assert_eq!(strided[1], Window { tokens: vec![2, 3, 4, 5], scored: 2..4 });
        assert_eq!(windows(&tokens, None, 4, Some(4)), Err(Error::Stride { found: 4, limit: 3 }));
        assert_eq!(windows(&tokens[..3], None, 4, None), Err(Error::TooShort { found: 3, needed: 4 }));
    }

    #[test]
    fn means_know_how_sure_they_are() {
        let mut mean = Mean::default();
        [1.0, 2.0, 3.0, 4.0].into_iter().for_each(|value| mean.add(value));
        assert_eq!((mean.count, mean.value()), (4, 2.5));
        // the variance of the sample, 5/3, over four values
        assert!((mean.error() - (5.0f64 / 3.0 / 4.0).sqrt()).abs() < 1e-12);
    }

    /// Probabilities 1/2 and 1/4, 1/4 against 1/4, 1/2, 1/4.
    #[test]
    fn loss_and_divergence_are_those_of_the_formulas() {
        let p: Vec<f32> = [0.25f32, 0.5, 0.25].map(f32::ln).to_vec();
        let q: Vec<f32> = [0.5f32, 0.25, 0.25].map(|x| x.ln() + 3.0).to_vec();
        let mut score = Score::default();
        score.add(&q, 0, Some(&p));
        assert!((score.loss.value() - 2f64.ln()).abs() < 1e-6);
        assert!((score.divergence.value() - 0.25 * 2f64.ln()).abs() < 1e-6);
        assert_eq!(score.same_top.value(), 0.0);
    }
}
