//! Searches on a session: what [`super::beam`] and [`super::samples`] want to know, the model answers, and the session's stop conditions say what ends.

use super::beam::{Language, Search};
use super::samples::Sample;
use super::track::Track;
use super::{Beams, Continuation, Found, Session};
use crate::session::Error;
use crate::stop::{Reason, Stops};
use crate::tokenizer::TokenId;

/// Follows the likeliest continuations of the prompt that a session has run ([`Session::prefill`]), and returns those that ended, at most as many as beams.
/// `progress` is told how many tokens the continuations have. Stop conditions are the session's, and judge each continuation by itself.
///
/// # Errors
///
/// If the session has no room for so many branches, or the logits are no numbers.
pub fn beams(
    session: &mut Session<'_>,
    options: &Beams,
    progress: impl FnMut(usize),
) -> Result<Found, Error> {
    let mut branches = Branches::new(session, options.count)?;
    if let Some(found) = branches.nothing_to_do() {
        return Ok(found);
    }
    branches.reserve();
    let mut search = Search::new(&mut branches, *options);
    search.run(progress)?;
    let (hypotheses, tree) = (search.hypotheses, search.tree.map_or_else(Vec::new, |tree| tree.nodes));
    let continuations = hypotheses.into_iter().map(|found| {
        let super::beam::Hypothesis { tokens, text, logprob, score, reason, .. } = found;
        Continuation { tokens, text, logprob, score, reason }
    });
    let continuations = continuations.collect();
    branches.session.end_branches();
    Ok(Found { continuations, tree })
}

/// Samples `count` continuations of the prompt that a session has run, and returns them in the order of their scores: their mean
/// log-probabilities. Sample `i` is the one that seed + `i` gives. `progress` is told how many tokens the continuations have.
///
/// # Errors
///
/// If the session has no room for so many branches, or the logits are no numbers.
pub fn samples(
    session: &mut Session<'_>,
    count: usize,
    mut progress: impl FnMut(usize),
) -> Result<Found, Error> {
    let mut branches = Branches::new(session, count)?;
    if let Some(found) = branches.nothing_to_do() {
        return Ok(found);
    }
    let vocabulary = branches.vocabulary;
    let (mut options, track) = (branches.session.options().sampling.clone(), branches.tracks[0].clone());
    options.logprobs = true;
    let prompt = (branches.session.tokens(), branches.session.room(), vocabulary);
    let sample = |index: usize| {
        let mut options = options.clone();
        options.seed = options.seed.wrapping_add(index as u64);
        Sample::new(options, prompt, track.clone())
    };
    let mut all = (0..count).map(sample).collect::<Result<Vec<_>, _>>()?;
    let first = branches.session.tokens().len();
    let (mut parents, mut tokens) = (Vec::new(), Vec::new());
    let mut running: Vec<usize> = (0..count).collect();
    let mut position = first;
    while !running.is_empty() && !branches.is_cancelled() {
        branches.run(&parents, &tokens);
        if tokens.is_empty() {
            // all begin with the prompt's logits
            (1..count).for_each(|_| branches.logits.extend_from_within(..vocabulary));
        }
        let tokenizer = branches.session.tokenizer();
        for (&index, logits) in running.iter().zip(branches.logits.chunks_exact(vocabulary)) {
            all[index].choose(tokenizer, logits, position)?;
        }
        position += 1;
        progress(position - first);
        let goes_on = |index: &usize| all[*index].ended.is_none();
        parents = (0..running.len()).filter(|&row| goes_on(&running[row])).collect();
        running.retain(goes_on);
        tokens = running.iter().filter_map(|&index| all[index].tokens().last().copied()).collect();
    }
    let mut continuations: Vec<_> = all.into_iter().map(Sample::continuation).collect();
    continuations.sort_by(|a, b| b.score.total_cmp(&a.score));
    branches.session.end_branches();
    Ok(Found { continuations, tree: Vec::new() })
}

/// The branches of a session, their logits, and how far they have come.
struct Branches<'s, 'm> {
    session: &'s mut Session<'m>,
    count: usize,
    vocabulary: usize,
    logits: Vec<f32>,
    tracks: Vec<Track>,
    /// Those that go on, of the step that is being taken, and behind them those that nobody needs, to be used again.
    next: Vec<Track>,
    /// How many go on.
    going: usize,
}

impl<'s, 'm> Branches<'s, 'm> {
    fn new(session: &'s mut Session<'m>, count: usize) -> Result<Self, Error> {
        let room = session.plan().branches.count;
        if count == 0 || count > room {
            return Err(Error::Branches { found: count, room });
        }
        let vocabulary = session.logits().len();
        let logits = Vec::with_capacity(count * vocabulary);
        let tracks =
            vec![Track::new(Stops::new(session.conditions().clone())?, session.first_allowed().clone())];
        Ok(Branches { session, count, vocabulary, logits, tracks, next: Vec::new(), going: 0 })
    }

    /// One continuation without tokens, where no token may be generated.
    fn nothing_to_do(&mut self) -> Option<Found> {
        let reason = self.tracks[0].ended()?;
        let none = Continuation { tokens: Vec::new(), text: String::new(), logprob: 0.0, score: 0.0, reason };
        Some(Found { continuations: vec![none], tree: Vec::new() })
    }

    /// Makes room for the sequences of now and the next ones.
    fn reserve(&mut self) {
        self.tracks.reserve_exact(self.count - self.tracks.len());
        self.next.reserve_exact(self.count);
    }

    /// What a sequence has come to, to go on by itself.
    fn copy_of(&mut self, sequence: usize) -> &mut Track {
        let from = &self.tracks[sequence];
        match self.next.get_mut(self.going) {
            Some(track) => track.copy_from(from),
            None => self.next.push(from.clone()),
        }
        &mut self.next[self.going]
    }

    /// Runs a token of each sequence, or without any begins with what the prompt's logits say.
    fn run(&mut self, parents: &[usize], tokens: &[TokenId]) {
        if tokens.is_empty() {
            self.session.begin_branches(self.count);
            self.logits.clear();
            self.logits.extend_from_slice(self.session.logits());
        } else {
            self.logits.resize(tokens.len() * self.vocabulary, 0.0);
            self.session.advance_branches(parents, tokens, &mut self.logits);
        }
    }
}

impl Language for Branches<'_, '_> {
    type Error = Error;

    fn start(&self) -> usize {
        self.session.tokens().len()
    }

    fn advance(&mut self, parents: &[usize], tokens: &[TokenId]) -> Result<(), Error> {
        self.run(parents, tokens);
        if !tokens.is_empty() {
            std::mem::swap(&mut self.tracks, &mut self.next);
            self.going = 0;
        }
        for (track, logits) in self.tracks.iter_mut().zip(self.logits.chunks_exact(self.vocabulary)) {
            track.look(logits)?;
        }
        Ok(())
    }

    fn logits(&self, sequence: usize) -> &[f32] {
        &self.logits[sequence * self.vocabulary..][..self.vocabulary]
    }

    fn allowed(&self, sequence: usize) -> Option<&[u32]> {
        self.tracks[sequence].allowed()
    }

    fn end(
        &mut self,
        parent: usize,
        token: TokenId,
        logprob: f64,
    ) -> Result<Option<(Reason, String)>, Error> {
        let tokenizer = self.session.tokenizer();
        let track = self.copy_of(parent);
        let reason = track.step(tokenizer, token, logprob)?;
        let ended = reason.map(|reason| (reason, track.text()));
        self.going += usize::from(ended.is_none());
        Ok(ended)
    }

    fn text(&self, sequence: usize) -> String {
        self.next[sequence].text()
    }

    fn is_cancelled(&self) -> bool {
        self.session.is_cancelled()
    }

    fn ends(&self) -> usize {
        self.session.tokenizer().eog().len()
    }

    fn longest(&self) -> usize {
        self.session.plan().branches.positions
    }
}
