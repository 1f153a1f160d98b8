//! Follows a session and records each position: of tokens that are chosen, and of tokens that are given.

use super::capture::{Expected, Wanted, unexpected};
use super::record::Step;
use super::watch::{self, Watched};
use crate::cli::json::ms;
use crate::cli::{CliError, progress};
use siskin::session::Session;
use siskin::stop::Reason;
use siskin::tokenizer::{TokenId, Tokenizer};
use std::io;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// A step of which nothing is known but its token.
fn step(position: usize, chosen: super::record::Chosen) -> Step {
    Step {
        position,
        prompt: false,
        chosen,
        distribution: None,
        filters: Vec::new(),
        stops: Vec::new(),
        held_bytes: 0,
        printed: String::new(),
        pass_ms: None,
        sampling_ms: None,
    }
}

/// Tokens that are there already: a prompt, or a prompt with a continuation that was found.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// All of them.
    pub tokens: &'a [TokenId],
    /// How many are the prompt.
    pub prompt: usize,
    /// The first that is recorded.
    pub from: usize,
}

impl Given<'_> {
    /// Runs the first `run` tokens in batches, and records what the model expected in place of each. Returns the steps, and how long
    /// recording took.
    pub fn follow(
        self,
        session: &mut Session<'_>,
        run: usize,
        tokenizer: &Tokenizer,
        wanted: Wanted,
    ) -> Result<(Vec<Step>, Duration), CliError> {
        let (mut steps, mut recording) = (Vec::new(), Duration::ZERO);
        if self.from == 0 {
            steps.extend(self.tokens.first().map(|&token| step(0, unexpected(tokenizer, token))));
        }
        let mut position = 0;
        let mut sink = |logits: &[f32]| {
            position += 1;
            let Some(&token) = self.tokens.get(position).filter(|_| position >= self.from) else {
                return Ok(());
            };
            let start = Instant::now();
            let expected = Expected::new(logits, position as u64).map_err(io::Error::other)?;
            let distribution = Some(expected.distribution(tokenizer, wanted, None));
            steps.push(Step { distribution, ..step(position, expected.chosen(tokenizer, token)) });
            recording += start.elapsed();
            Ok(())
        };
        let is_wanted = self.from < self.tokens.len();
        progress::prefill(session, &self.tokens[..run], if is_wanted { Some(&mut sink) } else { None })?;
        steps.iter_mut().for_each(|step| step.prompt = step.position < self.prompt);
        Ok((steps, recording))
    }
}

/// What [`chosen`] found.
#[derive(Debug)]
pub struct Followed {
    /// The text of the answer.
    pub text: String,
    /// Why it ended.
    pub reason: Reason,
    /// How long recording took.
    pub recording: Duration,
}

/// Lets a session that has run its prompt, with a [`watch::Watch`] for its sampler, choose tokens until a stop condition holds. `each` is
/// handed the steps with the text that comes with them, and text that comes without one.
pub fn chosen(
    session: &mut Session<'_>,
    watched: &Receiver<Watched>,
    mut each: impl FnMut(Option<Step>, &str) -> Result<(), CliError>,
) -> Result<Followed, CliError> {
    let (mut text, mut recording) = (String::new(), Duration::ZERO);
    loop {
        let (position, before) = (session.tokens().len(), session.timing().decode);
        let taken = session.step(None)?;
        let (printed, reason) = (taken.text.to_owned(), taken.stop.cloned());
        text.push_str(&printed);
        let step = watched.try_recv().ok().map(|watched| {
            let whole = session.timing().decode - before;
            recording += watched.recording;
            let pass = whole.saturating_sub(watched.recording + watched.sampling);
            Step {
                distribution: Some(watched.distribution),
                filters: watched.filters,
                stops: watch::stops(session.stops(), reason.as_ref()),
                held_bytes: session.stops().held_len(),
                printed: printed.clone(),
                pass_ms: reason.is_none().then(|| ms(pass)),
                sampling_ms: Some(ms(watched.sampling)),
                ..step(position, watched.chosen)
            }
        });
        each(step, &printed)?;
        if let Some(reason) = reason {
            return Ok(Followed { text, reason, recording });
        }
    }
}
