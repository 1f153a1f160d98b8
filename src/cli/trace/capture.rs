//! Logits to records: the likeliest tokens one by one, and what the others weigh. Knows no session.

use super::record::{Candidate, Chosen, Distribution, Piece, Rest};
use super::scores::{Scored, Scores, best, by_rank, further, rest};
use siskin::sample;
use siskin::tokenizer::Tokenizer;
use std::cmp::Ordering;

/// The place of a token among all, 1 for the likeliest, and the probability of all up to it.
type Standing = (usize, f64);

/// A token with its text.
pub fn piece(tokenizer: &Tokenizer, token: u32) -> Piece {
    let mut bytes = Vec::new();
    tokenizer.piece(token, &mut bytes);
    let special = bytes.is_empty();
    if special {
        bytes.extend(tokenizer.token(token).map_or(&b""[..], |token| token.bytes));
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let bytes = std::str::from_utf8(&bytes).is_err().then_some(bytes);
    Piece { token, text, special, bytes }
}

/// How much of a distribution is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    /// Tokens one by one, the likeliest first.
    pub top: usize,
    /// Whether to weigh the others ([`Rest`]), which costs an exponential for each.
    pub rest: bool,
}

/// The logits of a position, and what is summed over all of them.
pub struct Expected<'l> {
    logits: &'l [f32],
    softmax: sample::Distribution<'l>,
    log_sum_exp: f64,
}

impl<'l> Expected<'l> {
    /// What the model expects by these logits; `position` is for messages.
    pub fn new(logits: &'l [f32], position: u64) -> Result<Expected<'l>, sample::Error> {
        let softmax = sample::Distribution::new(logits, position)?;
        Ok(Expected { logits, softmax, log_sum_exp: sample::log_sum_exp(logits, position)? })
    }

    /// The distribution, as far as it is wanted, where just some tokens may be `allowed` (the bits of a [`sample::TokenSet`]).
    pub fn distribution(
        &self,
        tokenizer: &Tokenizer,
        wanted: Wanted,
        allowed: Option<&[u32]>,
    ) -> Distribution {
        let mut scored = best(Scores::all(self.logits), wanted.top);
        let mut standings = self.first(&scored);
        let mut others = Rest::default();
        if wanted.rest {
            let allowed = Scores { logits: self.logits, allowed };
            let further = further(allowed, &scored);
            standings.extend(self.standings(&further));
            scored.extend(further);
            others = self.rest(allowed, &scored);
        }
        let candidates = scored.into_iter().zip(standings);
        let entropy = self.softmax.entropy();
        Distribution {
            entropy_nats: entropy,
            entropy_bits: entropy / std::f32::consts::LN_2,
            log_sum_exp: self.log_sum_exp,
            top: candidates.map(|(scored, at)| self.candidate(tokenizer, scored, at)).collect(),
            rest: others,
        }
    }

    fn probability(&self, scored: Scored) -> f64 {
        (f64::from(scored.1) - self.log_sum_exp).exp()
    }

    fn candidate(&self, tokenizer: &Tokenizer, scored: Scored, (rank, cumulative): Standing) -> Candidate {
        Candidate {
            piece: piece(tokenizer, scored.0),
            logit: scored.1,
            probability: self.probability(scored) as f32,
            cumulative: cumulative.min(1.0) as f32,
            rank,
            drawn_with: None,
            removed_by: None,
        }
    }

    /// Where the likeliest tokens stand.
    fn first(&self, likeliest: &[Scored]) -> Vec<Standing> {
        let counted = likeliest.iter().scan((0, 0.0), |(rank, sum), &scored| {
            (*rank, *sum) = (*rank + 1, *sum + self.probability(scored));
            Some((*rank, *sum))
        });
        counted.collect()
    }

    /// Where some tokens stand among all, of which these are in order of rank.
    fn standings(&self, some: &[Scored]) -> Vec<Standing> {
        let mut found = vec![(0, 0.0); some.len()];
        if some.is_empty() {
            return found;
        }
        for scored in Scores::all(self.logits).finite() {
            let first = some.partition_point(|one| by_rank(one, &scored) == Ordering::Less);
            if let Some((rank, sum)) = found.get_mut(first) {
                (*rank, *sum) = (*rank + 1, *sum + self.probability(scored));
            }
        }
        for i in 1..found.len() {
            found[i] = (found[i].0 + found[i - 1].0, found[i].1 + found[i - 1].1);
        }
        found
    }

    /// The tokens that are not recorded, where of the allowed ones none that is not ranks before one that is.
    fn rest(&self, allowed: Scores<'_>, recorded: &[Scored]) -> Rest {
        let others = recorded.last().map_or_else(Rest::default, |&last| rest(allowed, last));
        let known = recorded.len() + others.count;
        let forbidden = Scores::all(self.logits).finite().count().saturating_sub(known);
        Rest { forbidden, ..others }
    }

    /// A token of the vocabulary among these logits.
    pub fn chosen(&self, tokenizer: &Tokenizer, token: u32) -> Chosen {
        Chosen {
            piece: piece(tokenizer, token),
            logit: self.logits.get(token as usize).copied(),
            probability: self.softmax.probability(token),
            logprob: self.softmax.log_probability(token),
            rank: self.softmax.rank(token).map(|before| before + 1),
            drawn_with: None,
        }
    }
}

/// A token that nothing predicts.
pub fn unexpected(tokenizer: &Tokenizer, token: u32) -> Chosen {
    let piece = piece(tokenizer, token);
    Chosen { piece, logit: None, probability: None, logprob: None, rank: None, drawn_with: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::trace::scores::tests::logits;
    use proptest::prelude::*;

    /// Which tokens are allowed: half, few, or none.
    fn words() -> impl Strategy<Value = Vec<u32>> {
        let word = prop_oneof![any::<u32>(), (0u32..32).prop_map(|bit| 1 << bit), Just(0)];
        prop::collection::vec(word, 13)
    }

    proptest! {
        #[test]
        fn of_what_is_allowed_the_best_are_there(logits in logits(), words in words(), n in 1usize..40) {
            let mut all: Vec<Scored> = Scores::all(&logits).finite().collect();
            all.sort_by(by_rank);
            prop_assume!(!all.is_empty());
            let expected = Expected::new(&logits, 0).expect("finite logits");
            let allowed = Scores { logits: &logits, allowed: Some(&words) };
            let mut recorded = best(Scores::all(&logits), n);
            let further = further(allowed, &recorded);
            for (scored, (rank, sum)) in further.iter().zip(expected.standings(&further)) {
                prop_assert_eq!(all[rank - 1], *scored);
                let plain: f64 = all[..rank].iter().map(|&scored| expected.probability(scored)).sum();
                prop_assert!((plain - sum).abs() < 1e-9, "{} {}", plain, sum);
            }
            recorded.extend(further);
            let is_allowed = |(token, _): &Scored| words[*token as usize / 32] >> (token % 32) & 1 == 1;
            let (may, may_not): (Vec<_>, Vec<_>) = all.into_iter().partition(is_allowed);
            let is_there = |scored: &&Scored| recorded.contains(scored);
            prop_assert_eq!(may.iter().take_while(is_there).count(), may.len().min(n));
            prop_assert_eq!(may.iter().filter(is_there).count(), may.len().min(n));
            let rest = expected.rest(allowed, &recorded);
            prop_assert_eq!(rest.count, may.len() - may.len().min(n));
            prop_assert_eq!(rest.forbidden, may_not.iter().filter(|scored| !is_there(scored)).count());
        }
    }
}
