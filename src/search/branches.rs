//! Searches on a session: what [`super::beam`] and samples want to know, the model answers, and the session's stop conditions say what ends.

use super::beam::Search;
use super::following::Following;
use super::{Beams, Continuation, Found, Session, score};
use crate::session::{Error, Hypothesis, Pieces, Sample, Track};
use crate::stop::Reason;
use crate::tokenizer::TokenId;
use std::iter::repeat_n;

/// Follows the likeliest continuations of the prompt that a session has run ([`Session::prefill`]), and returns those that ended, at most as many as beams.
/// `progress` is told how many tokens the continuations have. Stop conditions are the session's, and judge each continuation by itself.
///
/// # Errors
///
/// If the session has no room for so many branches or has run no prompt, or the logits or the length penalty are no numbers.
pub fn beams(
    session: &mut Session<'_>,
    options: &Beams,
    progress: impl FnMut(usize),
) -> Result<Found, Error> {
    let mut first = first_track(session, options.count)?;
    if !options.length_penalty.is_finite() {
        return Err(Error::LengthPenalty { found: options.length_penalty });
    }
    if let Some(reason) = first.ended() {
        return Ok(Found::nothing(reason));
    }
    session.require_logits()?;
    let mut following = Following::new(Branches::new(session, options.count), first);
    let mut search = Search::new(&mut following, *options);
    search.run(progress)?;
    let hypotheses = std::mem::take(&mut search.paths.hypotheses);
    let mut continuations = Vec::with_capacity(hypotheses.len());
    for Hypothesis { end, bytes, logprob, score, reason } in hypotheses {
        let tokens = search.paths.tokens(end);
        let text = search.language.text(&tokens, bytes);
        continuations.push(Continuation { tokens, text, logprob, score, reason });
    }
    let tree = search.tree.map_or_else(Vec::new, |tree| tree.nodes);
    session.end_branches();
    Ok(Found { continuations, tree })
}

/// Samples `count` continuations of the prompt that a session has run, and returns them in the order of their scores: their mean
/// log-probabilities. Sample `i` is the one that seed + `i` gives. `progress` is told how many tokens the continuations have.
///
/// # Errors
///
/// If the session has no room for so many branches or has run no prompt, or the logits are no numbers.
pub fn samples(
    session: &mut Session<'_>,
    count: usize,
    mut progress: impl FnMut(usize),
) -> Result<Found, Error> {
    let mut first = first_track(session, count)?;
    if let Some(reason) = first.ended() {
        return Ok(Found::nothing(reason));
    }
    session.require_logits()?;
    let mut all = Vec::with_capacity(count);
    all.extend(repeat_n(first, count).enumerate().map(|(index, track)| session.first_sample(index, track)));
    let mut branches = Branches::new(session, count);
    let first = branches.session.tokens().len();
    let (mut parents, mut tokens) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut running = Vec::with_capacity(count);
    running.extend(0..count);
    let mut position = first;
    while !running.is_empty() && !branches.session.is_cancelled() {
        branches.run(&parents, &tokens);
        for (row, &index) in running.iter().enumerate() {
            branches.choose(row, &mut all[index], position)?;
        }
        position += 1;
        progress(position - first);
        let goes_on = |index: &usize| all[*index].ended.is_none();
        parents.clear();
        parents.extend((0..running.len()).filter(|&row| goes_on(&running[row])));
        running.retain(goes_on);
        tokens.clear();
        tokens.extend(running.iter().filter_map(|&index| all[index].tokens().last().copied()));
    }
    running.clear();
    running.extend(0..count);
    let continuations = in_order(&mut all, running, &mut branches.pieces);
    session.end_branches();
    Ok(Found { continuations, tree: Vec::new() })
}

/// What samples have become, the best first; those without a reason were cancelled. `order` has their indices.
fn in_order(all: &mut [Sample], mut order: Vec<usize>, pieces: &mut Pieces<'_>) -> Vec<Continuation> {
    let score = |sample: &Sample| score(sample.logprob, sample.tokens().len(), 1.0);
    let rank = |&a: &usize, &b: &usize| score(&all[b]).total_cmp(&score(&all[a])).then(a.cmp(&b));
    order.sort_unstable_by(rank);
    let mut continuations = Vec::with_capacity(all.len());
    for index in order {
        let sample = &mut all[index];
        let reason = sample.ended.take().unwrap_or(Reason::Cancelled);
        let (tokens, text) = (sample.tokens().to_vec(), sample.text(pieces));
        let (logprob, score) = (sample.logprob, score(sample));
        continuations.push(Continuation { tokens, text, logprob, score, reason });
    }
    continuations
}

/// A continuation before its first token, if a session has room for so many.
fn first_track(session: &Session<'_>, count: usize) -> Result<Track, Error> {
    let room = session.plan().branches.count;
    if count == 0 || count > room {
        return Err(Error::Branches { found: count, room });
    }
    Ok(session.first_track())
}

/// The branches of a session, and their logits.
pub(super) struct Branches<'s, 'm> {
    pub session: &'s mut Session<'m>,
    pub count: usize,
    pub pieces: Pieces<'m>,
    /// `count x vocabulary`
    logits: Vec<f32>,
}

impl<'s, 'm> Branches<'s, 'm> {
    fn new(session: &'s mut Session<'m>, count: usize) -> Self {
        let pieces = Pieces::reserved(session.tokenizer());
        let logits = vec![0.0; count * session.logits().len()];
        Branches { session, count, pieces, logits }
    }

    /// Runs a token of each sequence, or without any begins with what the prompt's logits say.
    pub fn run(&mut self, parents: &[usize], tokens: &[TokenId]) {
        let vocabulary = self.vocabulary();
        if tokens.is_empty() {
            self.session.begin_branches(self.count);
            let rows = self.logits.chunks_exact_mut(vocabulary);
            rows.for_each(|row| row.copy_from_slice(self.session.logits()));
        } else {
            let logits = &mut self.logits[..tokens.len() * vocabulary];
            self.session.advance_branches(parents, tokens, logits);
        }
    }

    /// The logits of what follows a sequence.
    pub fn logits(&self, sequence: usize) -> &[f32] {
        let vocabulary = self.vocabulary();
        &self.logits[sequence * vocabulary..][..vocabulary]
    }

    /// Lets a sample choose a token by what follows a sequence.
    fn choose(&mut self, sequence: usize, sample: &mut Sample, position: usize) -> Result<(), Error> {
        let vocabulary = self.vocabulary();
        let logits = &self.logits[sequence * vocabulary..][..vocabulary];
        self.session.choose_for(sample, &mut self.pieces, logits, position)
    }

    fn vocabulary(&self) -> usize {
        self.session.logits().len()
    }
}
