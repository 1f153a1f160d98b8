//! `siskin score`: how likely a model finds a text, or the likeliest of several continuations.

use super::guard::Guard;
use super::output::Answer;
use super::score_args::{Normalize, Score as Args};
use super::setup::{self, Threads};
use super::{CliError, Outcome, input};
use serde::Serialize;
use siskin::score::{Score, Scorer, Texts, Token};
use siskin::tokenizer::{TokenId, Tokenizer};
use siskin::topology::Topology;
use std::sync::atomic::AtomicBool;

/// `--json`.
#[derive(Serialize)]
struct Report<'a> {
    prompt_tokens: &'a [TokenId],
    #[serde(flatten)]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    choices: Option<Vec<Choice<'a>>>,
}

/// A text that was scored.
#[derive(Serialize)]
struct Text {
    tokens: Vec<Row>,
    logprob: f64,
    mean: f64,
    perplexity: f64,
    bytes: usize,
}

#[derive(Serialize)]
struct Row {
    id: TokenId,
    text: String,
    logprob: Option<f64>,
    probability: Option<f64>,
    rank: Option<usize>,
}

/// A continuation; `score` is what they are ranked by, `share` its part of `sum e^score`.
#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    choice: &'a str,
    score: f64,
    share: f64,
    #[serde(flatten)]
    text: Text,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome, CliError> {
    let prompt = input::text(args.prompt.as_deref(), args.prompt_file.as_deref())?.unwrap_or_default();
    let whole = args.file.as_deref().map(input::read).transpose()?;
    let texts = texts(args, whole.as_deref());
    check(args, &texts)?;
    let (guard, topology) = (Guard::of(args.limit), Topology::this_machine());
    let threads = Threads::new(&topology, args.threads, None)?;
    let file = setup::open(&args.model)?;
    let (model, tokenizer) = setup::load(&file, threads, &AtomicBool::new(false), Some(&guard))?;
    let cpu = setup::cpu(&topology, threads)?;
    let tokens = Texts::new(&tokenizer, &prompt, &texts, args.special);
    let (kv_type, members) = (setup::kv_type(&model, args.kv_type)?, cpu.team.threads());
    let plan = Scorer::plan(&model, members, &tokens, kv_type)?;
    let what = format!("scoring {} tokens needs", tokens.longest());
    let hint = "Try a shorter text, a smaller --kv-type, or a smaller model";
    guard.check_plan((&file, &model, tokenizer.size()), members, plan, (&what, hint))?;
    let scores = Scorer::new(&model, cpu, &tokens, kv_type)?.texts(&tokens.rest)?;
    let mut report = Report { prompt_tokens: &tokens.prompt, text: None, choices: None };
    if args.choices || args.file.is_none() {
        report.choices = Some(ranked(&texts, &scores, args.normalize, &tokenizer));
    } else {
        report.text = scores.first().map(|score| text(score, texts[0], &tokenizer));
    }
    print(&report, args.json)?;
    Ok(Outcome::Done)
}

/// Every text has something to score.
fn check(args: &Args, texts: &[&str]) -> Result<(), CliError> {
    let empty = texts.iter().position(|text| text.is_empty());
    let file = args.file.as_ref().map(|file| match file.to_str() {
        Some("-") => "stdin".to_owned(),
        _ => file.display().to_string(),
    });
    let (what, hint) = match (file, empty) {
        (Some(file), None) if texts.is_empty() => (file, "a line for each continuation"),
        (_, None) => return Ok(()),
        (Some(file), Some(at)) if args.choices => (format!("{file}, line {}", at + 1), "without blank lines"),
        (Some(file), Some(_)) => (file, "a file with text in it"),
        (None, Some(at)) => (format!("--choice, number {}", at + 1), "without it"),
    };
    Err(CliError::Usage(format!("{what}: found no text, expected some. Try {hint}")))
}

/// What is to be scored: one text, or several continuations.
fn texts<'a>(args: &'a Args, whole: Option<&'a str>) -> Vec<&'a str> {
    match whole {
        Some(whole) if args.choices => whole.lines().collect(),
        Some(whole) => vec![whole],
        None => args.choice.iter().map(String::as_str).collect(),
    }
}

fn text(score: &Score, text: &str, tokenizer: &Tokenizer) -> Text {
    let tokens = score.tokens.iter().map(|token| row(token, tokenizer)).collect();
    let (logprob, perplexity) = (score.logprob(), score.perplexity());
    Text { tokens, logprob, mean: logprob / score.count() as f64, perplexity, bytes: text.len() }
}

fn row(token: &Token, tokenizer: &Tokenizer) -> Row {
    let mut bytes = Vec::new();
    tokenizer.piece(token.id, &mut bytes);
    let Token { id, logprob, rank } = *token;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Row { id, text, logprob, probability: logprob.map(f64::exp), rank }
}

/// The continuations, the likeliest first; of equal ones the one that was given first.
fn ranked<'a>(
    texts: &[&'a str],
    scores: &[Score],
    normalize: Normalize,
    tokenizer: &Tokenizer,
) -> Vec<Choice<'a>> {
    let choice = |(index, (&choice, found)): (usize, (&&'a str, &Score))| {
        let divisor = match normalize {
            Normalize::None => 1,
            Normalize::Tokens => found.count(),
            Normalize::Bytes => choice.len(),
        };
        let score = found.logprob() / divisor as f64;
        Choice { index, choice, score, share: 0.0, text: text(found, choice, tokenizer) }
    };
    let mut choices: Vec<_> = texts.iter().zip(scores).enumerate().map(choice).collect();
    choices.sort_by(|a, b| b.score.total_cmp(&a.score));
    let best = choices.first().map_or(0.0, |choice| choice.score);
    let total: f64 = choices.iter().map(|choice| (choice.score - best).exp()).sum();
    choices.iter_mut().for_each(|choice| choice.share = (choice.score - best).exp() / total);
    choices
}

fn print(report: &Report<'_>, json: bool) -> Result<(), CliError> {
    let mut answer = Answer::new();
    if json {
        return answer.json(report);
    }
    if let Some(choices) = &report.choices {
        answer.line(&format!("{:>10} {:>8}  continuation", "score", "share"))?;
        for Choice { score, share, choice, .. } in choices {
            answer.line(&format!("{score:>10.4} {:>6.2} %  {choice:?}", share * 100.0))?;
        }
    }
    let Some(Text { tokens, logprob, mean, perplexity, .. }) = &report.text else { return Ok(()) };
    answer.line(&format!("{:>10} {:>10} {:>7} {:>7}  text", "logprob", "p", "rank", "token"))?;
    for row in tokens {
        answer.line(&line(row))?;
    }
    answer.line(&format!("logprob {logprob:.4}, {mean:.4} a token, perplexity {perplexity:.4}"))
}

fn line(row: &Row) -> String {
    let Row { id, text, logprob, probability, rank } = row;
    let logprob = logprob.map_or("-".to_owned(), |x| format!("{x:.4}"));
    let p = probability.map_or("-".to_owned(), |p| format!("{p:.3e}"));
    let rank = rank.map_or("-".to_owned(), |rank| rank.to_string());
    format!("{logprob:>10} {p:>10} {rank:>7} {id:>7}  {text:?}")
}
