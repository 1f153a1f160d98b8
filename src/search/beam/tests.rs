//! Beam search on tiny made-up languages: against all sequences there are, and against the rules written down plainly.

use super::*;
use proptest::prelude::*;

const VOCABULARY: usize = 4;
/// Tokens before every sequence.
const PROMPT: usize = 7;
/// The token that ends a sequence.
const END: TokenId = 3;

/// Logits that are a function of the sequence before them.
struct Tiny {
    seed: u64,
    longest: usize,
    /// The length of sequences after which there is no number.
    broken: Option<usize>,
    sequences: Vec<Vec<TokenId>>,
    logits: Vec<f32>,
}

impl Tiny {
    fn new(seed: u64, longest: usize) -> Tiny {
        Tiny { seed, longest, broken: None, sequences: vec![Vec::new()], logits: Vec::new() }
    }

    fn logits(&self, sequence: &[TokenId]) -> [f32; VOCABULARY] {
        let mut hash = self.seed | 1;
        for &token in sequence {
            hash = (hash ^ (u64::from(token) + 1)).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23);
        }
        if self.broken == Some(sequence.len()) {
            return [f32::NAN; VOCABULARY];
        }
        std::array::from_fn(|i| (hash.wrapping_mul(2 * i as u64 + 3) >> 40) as f32 / (1 << 22) as f32)
    }

    fn logprobs(&self, sequence: &[TokenId]) -> [f64; VOCABULARY] {
        let logits = self.logits(sequence).map(f64::from);
        let total: f64 = logits.iter().map(|x| x.exp()).sum();
        logits.map(|x| x - total.ln())
    }

    fn is_end(&self, sequence: &[TokenId]) -> bool {
        sequence.last() == Some(&END) || sequence.len() == self.longest
    }
}

impl Language for Tiny {
    type Error = sample::Error;

    fn start(&self) -> usize {
        PROMPT
    }

    fn advance(&mut self, parents: &[usize], tokens: &[TokenId]) -> Result<(), sample::Error> {
        let longer = |(&parent, &token): (&usize, &TokenId)| {
            let mut sequence = self.sequences[parent].clone();
            sequence.push(token);
            sequence
        };
        let sequences: Vec<_> = parents.iter().zip(tokens).map(longer).collect();
        if !sequences.is_empty() {
            self.sequences = sequences;
        }
        self.logits = self.sequences.iter().flat_map(|sequence| self.logits(sequence)).collect();
        Ok(())
    }

    fn logits(&self, sequence: usize) -> &[f32] {
        &self.logits[sequence * VOCABULARY..][..VOCABULARY]
    }

    fn allowed(&self, _: usize) -> Option<&[u32]> {
        None
    }

    fn end(
        &mut self,
        parent: usize,
        token: TokenId,
        logprob: f64,
    ) -> Result<Option<(Reason, usize)>, sample::Error> {
        assert!((self.logprobs(&self.sequences[parent])[token as usize] - logprob).abs() < 1e-6);
        let reason = match token {
            END => Some(Reason::Eos { token }),
            _ if self.sequences[parent].len() + 1 < self.longest => None,
            _ => Some(Reason::MaxTokens { n: self.longest }),
        };
        Ok(reason.map(|reason| (reason, 0)))
    }

    fn text_bytes(&self, _: usize) -> usize {
        0
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn ends(&self) -> usize {
        1
    }

    fn longest(&self) -> usize {
        self.longest
    }
}

fn found(seed: u64, longest: usize, beams: Beams) -> Vec<(Vec<TokenId>, f64)> {
    let mut tiny = Tiny::new(seed, longest);
    let mut search = Search::new(&mut tiny, beams);
    search.run(|_| {}).unwrap();
    search.paths.hypotheses.iter().map(|found| (search.paths.tokens(found.end), found.score)).collect()
}

/// Every sequence there is, the best first.
fn all(seed: u64, longest: usize, penalty: f32) -> Vec<(Vec<TokenId>, f64)> {
    let tiny = Tiny::new(seed, longest);
    let mut open = vec![(Vec::new(), 0.0)];
    let mut ended = Vec::new();
    while let Some((sequence, sum)) = open.pop() {
        if tiny.is_end(&sequence) {
            let score = sum / (sequence.len() as f64).powf(f64::from(penalty));
            ended.push((sequence, score));
            continue;
        }
        for (token, logprob) in (0..).zip(tiny.logprobs(&sequence)) {
            open.push(([&sequence[..], &[token]].concat(), sum + logprob));
        }
    }
    ended.sort_by(|a, b| b.1.total_cmp(&a.1));
    ended
}

/// The rules of transformers, with everything sorted.
fn plain(seed: u64, longest: usize, beams: Beams) -> Vec<(Vec<TokenId>, f64)> {
    let tiny = Tiny::new(seed, longest);
    let penalized = |sum: f64, len: usize| sum / (len as f64).powf(f64::from(beams.length_penalty));
    let mut running = vec![(Vec::<TokenId>::new(), 0.0)];
    let mut finished: Vec<(Vec<TokenId>, f64)> = Vec::new();
    for len in 1..=longest {
        let mut candidates = Vec::new();
        for (sequence, sum) in &running {
            for (token, logprob) in (0..).zip(tiny.logprobs(sequence)) {
                candidates.push(([&sequence[..], &[token]].concat(), sum + logprob));
            }
        }
        candidates.sort_by(|a, b| b.1.total_cmp(&a.1));
        candidates.truncate(2 * beams.count);
        for (sequence, sum) in candidates.iter().take(beams.count).filter(|(s, _)| tiny.is_end(s)) {
            finished.push((sequence.clone(), penalized(*sum, len)));
        }
        finished.sort_by(|a, b| b.1.total_cmp(&a.1));
        finished.truncate(beams.count);
        running = candidates.into_iter().filter(|(sequence, _)| !tiny.is_end(sequence)).collect();
        running.truncate(beams.count);
        if running.is_empty() || finished.len() < beams.count {
            continue;
        }
        let worst = finished[beams.count - 1].1;
        let reachable = match beams.early_stopping {
            EarlyStopping::Full => break,
            EarlyStopping::Never if beams.length_penalty > 0.0 => penalized(running[0].1, longest),
            _ => penalized(running[0].1, len),
        };
        if reachable <= worst {
            break;
        }
    }
    finished
}

fn same(found: &[(Vec<TokenId>, f64)], expected: &[(Vec<TokenId>, f64)]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for ((tokens, score), (expected, value)) in found.iter().zip(expected) {
        prop_assert!((score - value).abs() < 1e-6, "{tokens:?} {score}, {expected:?} {value}");
        prop_assert_eq!(tokens, expected);
    }
    Ok(())
}

proptest! {
    /// As many beams as sequences: nothing is ever dropped, so the best must be found.
    #[test]
    fn wide_enough_a_search_finds_the_best_of_all(seed: u64, longest in 1usize..5, penalty in -0.5f32..2.0) {
        let count = VOCABULARY.pow(longest as u32);
        let options = Beams { length_penalty: penalty, early_stopping: EarlyStopping::Never, ..Beams::new(count) };
        let expected = all(seed, longest, penalty);
        same(&found(seed, longest, options), &expected)?;
    }

    #[test]
    fn narrow_searches_follow_the_rules(seed: u64, longest in 1usize..9, count in 1usize..6, penalty in -0.5f32..2.0, early in 0..3) {
        let early_stopping = [EarlyStopping::Full, EarlyStopping::Likely, EarlyStopping::Never][early as usize];
        let options = Beams { length_penalty: penalty, early_stopping, ..Beams::new(count) };
        same(&found(seed, longest, options), &plain(seed, longest, options))?;
    }

    /// One beam without a penalty is greedy.
    #[test]
    fn one_beam_takes_the_likeliest_token(seed: u64, longest in 1usize..9) {
        let tiny = Tiny::new(seed, longest);
        let mut greedy = Vec::new();
        while !tiny.is_end(&greedy) {
            let logits = tiny.logits(&greedy);
            let best = (0..VOCABULARY).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a))).unwrap();
            greedy.push(best as TokenId);
        }
        let options = Beams { early_stopping: EarlyStopping::Full, ..Beams::new(1) };
        prop_assert_eq!(&found(seed, longest, options)[0].0, &greedy);
    }
}

#[test]
fn the_tree_leads_back_from_every_hypothesis() {
    let mut tiny = Tiny::new(5, 6);
    let mut search = Search::new(&mut tiny, Beams { tree: true, ..Beams::new(3) });
    search.run(|_| {}).unwrap();
    let nodes = search.tree.take().unwrap().nodes;
    assert!(nodes.iter().enumerate().all(|(at, node)| node.parent.is_none_or(|parent| parent < at)));
    let path = |last: usize| {
        let back = std::iter::successors(Some(last), |&node| nodes[node].parent);
        let mut tokens: Vec<_> = back.map(|node| nodes[node].token).collect();
        tokens.reverse();
        tokens
    };
    let ends: Vec<_> =
        (0..nodes.len()).filter(|&at| nodes[at].ends).map(|at| (path(at), nodes[at].sum)).collect();
    for hypothesis in &search.paths.hypotheses {
        let tokens = search.paths.tokens(hypothesis.end);
        let found = ends.iter().filter(|end| **end == (tokens.clone(), hypothesis.logprob));
        assert_eq!(found.count(), 1);
    }
    // what is not asked for is not kept
    let mut tiny = Tiny::new(5, 6);
    let mut search = Search::new(&mut tiny, Beams::new(3));
    search.run(|_| {}).unwrap();
    assert!(search.tree.is_none());
}

#[test]
fn an_error_names_the_position_behind_the_prompt() {
    let mut tiny = Tiny { broken: Some(2), ..Tiny::new(5, 6) };
    let mut search = Search::new(&mut tiny, Beams::new(3));
    let position = (PROMPT + 2) as u64;
    assert_eq!(search.run(|_| {}), Err(sample::Error::NotANumber { position, token: 0 }));
}
