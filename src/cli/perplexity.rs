//! `siskin perplexity`: how well a model predicts a text, and how far its predictions are from another model's.

use super::args::Perplexity;
use super::guard::Guard;
use super::output::Answer;
use super::setup::{self, Threads};
use super::{CliError, Outcome, input, progress};
use serde::Serialize;
use siskin::gguf::Gguf;
use siskin::model::Model;
use siskin::perplexity::{self, Error, Mean, Predictor, Score, Window};
use siskin::tokenizer::{Encode, Size, Tokenizer};
use siskin::topology::Topology;
use std::sync::atomic::AtomicBool;

/// Tokens of a window, if neither the user nor the model says less.
const CONTEXT: usize = 512;

/// `--json`.
#[derive(Serialize)]
struct Report {
    perplexity: f64,
    error: f64,
    loss: f64,
    tokens: usize,
    windows: usize,
    context: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    kl: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kl_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    same_top: Option<f64>,
}

/// Runs the command.
pub fn run(args: &Perplexity) -> Result<Outcome, CliError> {
    let text = input::text(args.text.as_deref(), args.file.as_deref())?
        .ok_or_else(|| CliError::Usage("no text given. Try -f FILE, or -f - for stdin".into()))?;
    if text.is_empty() {
        return Err(CliError::Usage(
            "the text is empty. Try another file: there is nothing to predict".into(),
        ));
    }
    let guard = Guard::of(args.limit);
    let file = setup::open(&args.model)?;
    let threads = Threads::new(&Topology::this_machine(), args.threads, None)?;
    let (model, tokenizer) = setup::load(&file, threads, &AtomicBool::new(false), Some(&guard))?;
    let base_file = args.kl_base.as_deref().map(setup::open_path).transpose()?;
    let base = base_file.as_ref().map(setup::model).transpose()?;

    let context = args.context.unwrap_or(CONTEXT.min(model.config().context));
    let size = tokenizer.size();
    let (mut predictor, taken) = predictor(args, &guard, (&file, &model, size), context)?;
    let mut base = match base_file.as_ref().zip(base.as_ref()) {
        // both models' memory is there at the same time
        Some((file, base)) => {
            let size = Size { owned: size.owned.saturating_add(taken), ..size };
            Some(self::predictor(args, &guard, (file, base, size), context)?.0)
        }
        None => None,
    };
    let windows = windows(args, &tokenizer, &text, context)?;
    let (mut score, bar) = (Score::default(), progress::windows(windows.len()));
    for window in &windows {
        perplexity::score(&mut predictor, base.as_mut(), window, &mut score).map_err(usage)?;
        bar.inc(1);
        bar.set_message(format!("perplexity {:.4}", score.perplexity().0));
    }
    bar.finish_and_clear();
    let report = report(&score, windows.len(), context);
    print(&report, args.json)?;
    Ok(Outcome::Done)
}

fn usage(error: Error) -> CliError {
    CliError::Usage(error.to_string())
}

/// The text's windows; each begins with BOS where the file wants that.
fn windows(
    args: &Perplexity,
    tokenizer: &Tokenizer,
    text: &str,
    context: usize,
) -> Result<Vec<Window>, CliError> {
    let tokens = tokenizer.encode(text, Encode { add_special: true, parse_special: false });
    let bos = tokenizer.adds_bos().then(|| tokenizer.bos()).flatten();
    perplexity::windows(&tokens, bos, context, args.stride).map_err(usage)
}

/// A predictor, and the bytes that it has allocated.
fn predictor<'m>(
    args: &Perplexity,
    guard: &Guard,
    (file, model, size): (&Gguf, &'m Model, Size),
    context: usize,
) -> Result<(Predictor<'m>, usize), CliError> {
    let topology = Topology::this_machine();
    let cpu = setup::cpu(&topology, Threads::new(&topology, args.threads, None)?)?;
    let (kv_type, threads) = (setup::kv_type(model, args.kv_type)?, cpu.team.threads());
    let plan = Predictor::plan(model, threads, context, kv_type).map_err(usage)?;
    let what = format!("predicting windows of {context} tokens needs");
    let hint = "Try a smaller --context or --kv-type, or a smaller model";
    guard.check_plan((file, model, size), threads, plan, (&what, hint))?;
    Ok((Predictor::new(model, cpu, context, kv_type).map_err(usage)?, plan.owned()))
}

fn report(score: &Score, windows: usize, context: usize) -> Report {
    let (perplexity, error) = score.perplexity();
    let compared = (score.divergence.count > 0).then_some(score.divergence);
    Report {
        perplexity,
        error,
        loss: score.loss.value(),
        tokens: score.loss.count,
        windows,
        context,
        kl: compared.map(|kl| kl.value()),
        kl_error: compared.map(|kl: Mean| kl.error()),
        same_top: compared.map(|_| score.same_top.value()),
    }
}

fn print(report: &Report, json: bool) -> Result<(), CliError> {
    let mut answer = Answer::new();
    if json {
        return answer.json(report);
    }
    let Report { perplexity, error, tokens, windows, context, .. } = report;
    answer.line(&format!("perplexity {perplexity:.4} +- {error:.4}"))?;
    answer.line(&format!("tokens     {tokens}, in {windows} windows of {context}"))?;
    if let (Some(kl), Some(error), Some(same)) = (report.kl, report.kl_error, report.same_top) {
        answer.line(&format!("divergence {kl:.3e} +- {error:.1e} nats from the other model"))?;
        answer.line(&format!("same top   {:.2} % of the tokens", same * 100.0))?;
    }
    Ok(())
}
