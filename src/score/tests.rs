//! Scores beside the obvious way: one token at a time, a softmax of everything. Batches and single tokens round differently, so both agree within a
//! few tenths; a row that is off by one is off by whole nats.

use super::*;
use crate::threads::Team;
use siskin_simd::Kernels;
use siskin_tools::some;

fn cpu() -> Cpu {
    Cpu { kernels: Kernels::best(), team: Team::new(1).expect("a thread") }
}

/// A token at a time; of each the logarithm of its probability and its rank.
fn one_by_one(model: &Model, prompt: &[TokenId], text: &[TokenId]) -> Vec<(f64, usize)> {
    let job =
        Job { positions: prompt.len() + text.len(), kv_type: KvType::F32, threads: 1, ..Job::default() };
    let mut decoder = Decoder::new(model, &Plan::new(model, job).expect("it fits"), cpu());
    prompt.iter().for_each(|&token| decoder.forward(&[token]));
    let mut look = |&token: &TokenId| {
        let logits: Vec<f64> = decoder.logits(0).iter().map(|&x| f64::from(x)).collect();
        let total: f64 = logits.iter().map(|x| x.exp()).sum();
        let own = logits[token as usize];
        let rank = 1 + logits.iter().filter(|&&x| x > own).count();
        decoder.forward(&[token]);
        (own - total.ln(), rank)
    };
    text.iter().map(&mut look).collect()
}

#[test]
fn scores_are_those_of_single_tokens() {
    let model = crate::Model::open("models/builtin.gguf").expect("the built-in model");
    let prompt = "Question: What color is the sky?\nAnswer:";
    // More than one group of continuations, of different lengths, and more rows than are computed at a time.
    let long = " The sky is blue. Once upon a time, there was a little girl named Lily. She liked to play in the garden.".to_owned();
    let short = (0..SIDE_BY_SIDE + 2).map(|i| format!(" The sky is {}", "very ".repeat(i % 4)));
    let choices: Vec<String> = std::iter::once(long.clone()).chain(short).collect();
    let choices: Vec<&str> = choices.iter().map(String::as_str).collect();
    for choices in [&choices[..], &choices[..1]] {
        let texts = Texts::new(model.tokenizer(), prompt, choices, false);
        let scores = Scorer::new(model.network(), cpu(), &texts, KvType::F32)
            .and_then(|mut scorer| scorer.texts(&texts.rest));
        for (score, text) in some(scores.expect("they fit").iter().zip(&texts.rest), 5) {
            let expected = one_by_one(model.network(), &texts.prompt, text);
            assert_eq!(score.tokens.len(), text.len());
            for (token, (logprob, rank)) in score.tokens.iter().zip(&expected) {
                let found = token.logprob.expect("it follows the prompt");
                assert!((found - logprob).abs() < 0.2 + 0.05 * logprob.abs(), "{found} {logprob}");
                // Neighbouring ranks may change places by rounding.
                assert!(
                    token.rank.is_some_and(|found| found.abs_diff(*rank) <= 2 + rank / 5),
                    "{token:?} {rank}"
                );
            }
            let total: f64 = expected.iter().map(|(logprob, _)| logprob).sum();
            assert!((score.logprob() - total).abs() < 0.1 * text.len() as f64);
            assert!((score.perplexity().ln() + total / text.len() as f64).abs() < 0.1);
        }
    }
}

#[test]
fn a_token_across_the_border_belongs_to_the_text() {
    let model = crate::Model::open("models/builtin.gguf").expect("the built-in model");
    let texts = Texts::new(model.tokenizer(), "Once upon a ti", &["me", " me"], false);
    let alone = model.encode("Once upon a ti");
    assert!(texts.prompt.len() < alone.len() && alone.starts_with(&texts.prompt));
    for (rest, text) in texts.rest.iter().zip(["me", " me"]) {
        assert_eq!([&texts.prompt[..], rest].concat(), model.encode(&format!("Once upon a ti{text}")));
    }
}

#[test]
fn what_cannot_be_scored_is_named() {
    let model = crate::Model::open("models/builtin.gguf").expect("the built-in model");
    let new = |prompt: Vec<TokenId>, rest: Vec<Vec<TokenId>>| {
        Scorer::new(model.network(), cpu(), &Texts { prompt, rest }, KvType::F32).err()
    };
    assert_eq!(new(vec![1], vec![]), Some(Error::Empty));
    assert_eq!(new(vec![1], vec![vec![5], vec![]]), Some(Error::Empty));
    let context = model.network().config().context;
    assert_eq!(new(vec![1], vec![vec![5; context]]), Some(Error::TooLong { tokens: context + 1, context }));
    let vocabulary = model.network().weights().vocabulary();
    let token = vocabulary as TokenId;
    assert_eq!(new(vec![1], vec![vec![token]]), Some(Error::TokenRange { token, vocabulary }));
    // Nothing predicts a first token.
    let texts = Texts { prompt: vec![], rest: vec![vec![5, 6]] };
    let score = Scorer::new(model.network(), cpu(), &texts, KvType::F32)
        .and_then(|mut scorer| scorer.text(&texts.rest[0]));
    let score = score.expect("it fits");
    assert_eq!((score.tokens[0].logprob, score.count()), (None, 1));
}
