//! How likely a model finds given text: the probability of each token, and the likeliest of several continuations of one prompt.
//!
//! ```
//! # fn main() -> Result<(), siskin::Error> {
//! let model = siskin::Model::open("models/builtin.gguf")?;
//! let found = model.score("Question: What color is the sky?\nAnswer:", &[" The sky is blue.", " The sky is green."])?;
//! assert!(found[0].logprob() > found[1].logprob());
//! # Ok(())
//! # }
//! ```
//!
//! A text has the probability `P(t_1) P(t_2 | t_1) ...` of its tokens; logarithms are natural ones. The probabilities are the model's own: the softmax
//! over all logits, at temperature 1. Called by programs that embed the library, and by the command.

#[cfg(all(test, feature = "builtin"))]
mod tests;

use crate::kv::shape::BranchShape;
use crate::kv::{HeadSize, KvType};
use crate::model::{Decoder, Job, Model, Plan};
use crate::ops::Cpu;
use crate::sample::{self, Distribution};
use crate::tokenizer::{Encode, TokenId, Tokenizer};
use std::fmt;
use std::ops::Range;

/// Rows of logits that are computed at a time.
const ROWS: usize = 16;
/// Continuations that are run side by side.
pub const SIDE_BY_SIDE: usize = 16;
/// Rows of logits that there is room for.
const LOGITS: usize = if ROWS > SIDE_BY_SIDE { ROWS } else { SIDE_BY_SIDE };

/// Why a text cannot be scored.
#[derive(Clone, Debug, thiserror::Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// No token is to be scored.
    #[error("no text to score: found no token behind the prompt, expected at least one. Try a longer text")]
    Empty,
    /// The text does not fit in the model's context.
    #[error(
        "the text is too long: found {tokens} tokens, expected at most {context}, the model's context. Try `perplexity`, which cuts texts into windows"
    )]
    TooLong {
        /// Tokens of prompt and text.
        tokens: usize,
        /// Tokens of the context.
        context: usize,
    },
    /// A token that the model does not have.
    #[error("token {token} is out of range, expected one below {vocabulary}")]
    TokenRange {
        /// The token.
        token: TokenId,
        /// Tokens of the vocabulary.
        vocabulary: usize,
    },
    /// Keys and values cannot be stored in this way.
    #[error(transparent)]
    KvType(#[from] HeadSize),
    /// The scorer was made for other texts.
    #[error(
        "no room: found a text of {found} tokens, expected at most {expected}. Try a scorer made for these texts"
    )]
    Room {
        /// Tokens of the text.
        found: usize,
        /// Tokens that there is room for.
        expected: usize,
    },
    /// The memory needed cannot be addressed.
    #[error("a text of {tokens} tokens needs too much memory")]
    TooLarge {
        /// Tokens of prompt and text.
        tokens: usize,
    },
    /// The logits are no numbers.
    #[error(transparent)]
    Logits(#[from] sample::Error),
}

/// A token, and what the model thought of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// Natural logarithm of its probability; `None` for the first token of all, which nothing predicts.
    pub logprob: Option<f64>,
    /// How many tokens were at least as likely, itself included: 1 for the likeliest. Of equal ones the lower id comes first.
    pub rank: Option<usize>,
}

/// A text that was scored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Its tokens.
    pub tokens: Vec<Token>,
}

impl Score {
    /// Natural logarithm of the text's probability.
    pub fn logprob(&self) -> f64 {
        self.tokens.iter().filter_map(|token| token.logprob).sum()
    }

    /// Tokens that have a probability.
    pub fn count(&self) -> usize {
        self.tokens.iter().filter(|token| token.logprob.is_some()).count()
    }

    /// `e` to the mean negative log-probability (Jelinek et al. 1977).
    pub fn perplexity(&self) -> f64 {
        (-self.logprob() / self.count() as f64).exp()
    }
}

/// Texts as tokens: the prompt, and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Texts {
    /// What all of them begin with, which has no score.
    pub prompt: Vec<TokenId>,
    /// The rest of each.
    pub rest: Vec<Vec<TokenId>>,
}

impl Texts {
    /// The tokens of `prompt` with each of `texts` behind it.
    ///
    /// Each is read as one text, because tokens depend on what follows; the prompt is then what all of them and the prompt by itself begin with. So
    /// a token in which prompt and text meet is scored, for all texts. BOS, where the model's file asks for it, belongs to the prompt.
    pub fn new<T: AsRef<str>>(
        tokenizer: &Tokenizer,
        prompt: &str,
        texts: &[T],
        parse_special: bool,
    ) -> Texts {
        let encode = |text: &str| tokenizer.encode(text, Encode { add_special: true, parse_special });
        // Tokens that the file asks to add behind a text are no part of it.
        let added = encode("");
        let alone = if prompt.is_empty() { added.clone() } else { encode(prompt) };
        let whole: Vec<_> = texts
            .iter()
            .map(|text| without_end(encode(&format!("{prompt}{}", text.as_ref())), tokenizer, &added))
            .collect();
        let common = |tokens: &Vec<TokenId>| tokens.iter().zip(&alone).take_while(|(a, b)| a == b).count();
        let common = whole.iter().map(common).min().unwrap_or(0);
        let prompt = whole.first().map_or(Vec::new(), |tokens| tokens[..common].to_vec());
        Texts { prompt, rest: whole.into_iter().map(|tokens| tokens[common..].to_vec()).collect() }
    }

    /// Tokens of the longest text with its prompt.
    pub fn longest(&self) -> usize {
        self.prompt.len() + self.rest.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// The tokens without an EOS that the file asks to add.
fn without_end(mut tokens: Vec<TokenId>, tokenizer: &Tokenizer, added: &[TokenId]) -> Vec<TokenId> {
    let ends = |tokens: &[TokenId]| tokens.last().is_some_and(|&token| tokenizer.is_eog(token));
    if added.len() > 1 && ends(added) && ends(&tokens) {
        tokens.pop();
    }
    tokens
}

/// A model that scores texts after one prompt, which is run once.
pub struct Scorer<'m> {
    decoder: Decoder<'m>,
    vocabulary: usize,
    /// `LOGITS x vocabulary`.
    logits: Vec<f32>,
    /// What follows the prompt; empty if nothing was run.
    next: Vec<f32>,
    /// Texts side by side.
    branches: BranchShape,
}

impl fmt::Debug for Scorer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scorer").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}

impl<'m> Scorer<'m> {
    /// Takes the memory for these texts, and runs the prompt.
    ///
    /// # Errors
    ///
    /// If a text is too long or has no token, a token is out of range, or the model's heads cannot be stored as `kv_type`.
    pub fn new(model: &'m Model, cpu: Cpu, texts: &Texts, kv_type: KvType) -> Result<Scorer<'m>, Error> {
        let plan = Scorer::plan(model, cpu.team.threads(), texts, kv_type)?;
        let vocabulary = model.weights().vocabulary();
        let (decoder, logits) = (Decoder::new(model, &plan, cpu), vec![0.0; vocabulary * LOGITS]);
        let next = Vec::with_capacity(vocabulary);
        let mut scorer = Scorer { decoder, vocabulary, logits, next, branches: plan.branches };
        for batch in texts.prompt.chunks(scorer.decoder.max_batch()) {
            scorer.decoder.forward(batch);
            scorer.next.clear();
            scorer.next.extend_from_slice(scorer.decoder.logits(batch.len() - 1));
        }
        Ok(scorer)
    }

    /// The memory that [`Scorer::new`] takes with a team of so many threads.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn plan(model: &Model, threads: usize, texts: &Texts, kv_type: KvType) -> Result<Plan, Error> {
        let (vocabulary, context) = (model.weights().vocabulary(), model.config().context);
        check(texts, vocabulary, context)?;
        model.config().check_kv(kv_type)?;
        let too_large = Error::TooLarge { tokens: texts.longest() };
        // the last row is `next`
        let logits = vocabulary.checked_mul((LOGITS + 1) * size_of::<f32>()).ok_or(too_large.clone())?;
        let (count, positions) = (texts.rest.len().min(SIDE_BY_SIDE), texts.longest());
        let (positions, branches) = match count {
            0 | 1 => (positions, BranchShape::default()),
            _ => (
                texts.prompt.len().max(1),
                BranchShape { count, positions: positions - texts.prompt.len(), run: 1, shared: 0 },
            ),
        };
        let job = Job { positions, branches, kv_type, threads, sampler_bytes: logits, ..Job::default() };
        Plan::new(model, job).ok_or(too_large)
    }

    /// Scores a text behind the prompt, and what was scored before it. Of a scorer that was made for one text.
    ///
    /// # Errors
    ///
    /// If it has no token, one that is out of range, or more than there is room for, or the logits are no numbers.
    pub fn text(&mut self, text: &[TokenId]) -> Result<Score, Error> {
        check_text(text, self.vocabulary, self.decoder.free())?;
        let mut score = Score::default();
        let max = self.decoder.max_batch();
        for batch in text.chunks(max) {
            let start = self.decoder.position();
            score.tokens.push(scored(&self.next, batch[0], start)?);
            self.decoder.forward(batch);
            for first in (0..batch.len()).step_by(ROWS) {
                let rows = first..(first + ROWS).min(batch.len());
                self.rows(rows.clone());
                for (row, logits) in rows.zip(self.logits.chunks_exact(self.vocabulary)) {
                    match batch.get(row + 1) {
                        Some(&token) => score.tokens.push(scored(logits, token, start + row + 1)?),
                        None => logits.clone_into(&mut self.next),
                    }
                }
            }
        }
        Ok(score)
    }

    /// Scores texts that each stand behind the prompt, side by side.
    ///
    /// # Errors
    ///
    /// If one has no token, one that is out of range, or more than there is room for, or the logits are no numbers.
    pub fn texts(&mut self, texts: &[Vec<TokenId>]) -> Result<Vec<Score>, Error> {
        match texts {
            [text] if self.branches.count == 0 => Ok(vec![self.text(text)?]),
            _ => {
                texts
                    .iter()
                    .try_for_each(|text| check_text(text, self.vocabulary, self.branches.positions))?;
                let groups = texts.chunks(self.branches.count.max(1)).map(|group| self.group(group));
                Ok(groups.collect::<Result<Vec<_>, _>>()?.concat())
            }
        }
    }

    /// As many as there are branches: each pass runs a token of every one that goes on.
    fn group(&mut self, texts: &[Vec<TokenId>]) -> Result<Vec<Score>, Error> {
        self.decoder.branch(texts.len());
        let start = self.decoder.position();
        let first = |text: &Vec<TokenId>| Ok(Score { tokens: vec![scored(&self.next, text[0], start)?] });
        let mut scores = texts.iter().map(first).collect::<Result<Vec<_>, Error>>()?;
        for at in 1.. {
            let going: Vec<_> =
                (0..texts.len()).filter(|&i| texts[i].len() > at).map(|i| (i, texts[i][at - 1])).collect();
            if going.is_empty() {
                return Ok(scores);
            }
            self.decoder.forward_branches(&going);
            self.rows(0..going.len());
            for (&(i, _), logits) in going.iter().zip(self.logits.chunks_exact(self.vocabulary)) {
                scores[i].tokens.push(scored(logits, texts[i][at], start + at)?);
            }
        }
        Ok(scores)
    }

    fn rows(&mut self, rows: Range<usize>) {
        let logits = &mut self.logits[..rows.len() * self.vocabulary];
        self.decoder.logits_of(rows, logits);
    }
}

/// What logits say about the token at `position`; nothing, if there are none.
fn scored(logits: &[f32], id: TokenId, position: usize) -> Result<Token, Error> {
    if logits.is_empty() {
        return Ok(Token { id, logprob: None, rank: None });
    }
    let distribution = Distribution::new(logits, position as u64)?;
    let logprob = distribution.log_probability(id).map(f64::from);
    Ok(Token { id, logprob, rank: distribution.rank(id).map(|before| before + 1) })
}

fn check(texts: &Texts, vocabulary: usize, context: usize) -> Result<(), Error> {
    if texts.rest.is_empty() || texts.rest.iter().any(Vec::is_empty) {
        return Err(Error::Empty);
    }
    if texts.longest() > context {
        return Err(Error::TooLong { tokens: texts.longest(), context });
    }
    check_range(texts.prompt.iter().chain(texts.rest.iter().flatten()), vocabulary)
}

/// Refuses a text that a scorer was not made for.
fn check_text(text: &[TokenId], vocabulary: usize, room: usize) -> Result<(), Error> {
    match text.len() {
        0 => Err(Error::Empty),
        found if found > room => Err(Error::Room { found, expected: room }),
        _ => check_range(text.iter(), vocabulary),
    }
}

fn check_range<'a>(mut tokens: impl Iterator<Item = &'a TokenId>, vocabulary: usize) -> Result<(), Error> {
    match tokens.find(|&&token| token as usize >= vocabulary) {
        Some(&token) => Err(Error::TokenRange { token, vocabulary }),
        None => Ok(()),
    }
}
