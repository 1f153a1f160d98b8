//! `siskin doctor`: runs the built-in model on every kernel set of this CPU, compares with recorded logits, and says what machine
//! this is: what to paste into a report.

use super::args::Doctor;
use super::output::Answer;
use super::{CliError, Outcome, machine, setup};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use siskin::builtin;
use siskin::model::Model;
use siskin::ops::Cpu;
use siskin::session::{Options, Session};
use siskin::threads::Team;
use siskin::tokenizer::Tokenizer;
use siskin_simd::{Isa, Kernels};

/// What llama.cpp computed with the built-in model; `tools/goldens` has the script.
static GOLDEN: &str = include_str!("../../models/builtin.golden.json");

/// Largest difference from a recorded logit that is not a fault. Kernels sum in other orders and round activations otherwise than
/// llama.cpp; a wrong kernel misses by several units.
const TOLERANCE: f32 = 0.5;

/// Recorded output for a prompt.
#[derive(Debug, Deserialize)]
struct Golden {
    prompt: Vec<u32>,
    /// The largest logits after the prompt: token id and value.
    logits: Vec<(usize, f32)>,
    /// What greedy choice continues with.
    greedy: Vec<u32>,
}

/// How one kernel set did.
#[derive(Debug, Serialize)]
struct Check {
    isa: &'static str,
    largest_difference: f32,
    same_greedy: bool,
    ok: bool,
}

/// Runs the command.
pub fn run(args: &Doctor) -> Result<Outcome, CliError> {
    let golden: Golden = serde_json::from_str(GOLDEN)
        .map_err(|error| CliError::Failed(format!("recorded logits: {error}")))?;
    let file = builtin::open()?;
    let (model, tokenizer) = (setup::model(&file)?, setup::tokenizer(&file)?);
    let checks =
        Isa::available().map(|isa| check(isa, &model, &tokenizer, &golden)).collect::<Result<Vec<_>, _>>()?;
    let ok = checks.iter().all(|check| check.ok);
    let mut answer = Answer::new();
    if args.json {
        answer.line(&object(&checks, ok).to_string())?;
    } else {
        answer.print(&text(&checks, ok))?;
    }
    if ok {
        Ok(Outcome::Done)
    } else {
        Err(CliError::Failed("a kernel set gives wrong results. Please report the lines above".into()))
    }
}

fn check(isa: Isa, model: &Model, tokenizer: &Tokenizer, golden: &Golden) -> Result<Check, CliError> {
    let kernels = Kernels::new(isa).map_err(|error| CliError::Failed(error.to_string()))?;
    let team = Team::new(1).map_err(|error| CliError::Failed(format!("threads: {error}")))?;
    let options = Options { max_tokens: golden.greedy.len(), ignore_eos: true, ..Options::default() };
    let mut session = Session::new(model, tokenizer, Cpu { kernels, team }, &golden.prompt, &options)?;
    session.prefill(&golden.prompt, |_| {}, None)?;
    let logits = session.logits();
    let difference = |&(id, expected): &(usize, f32)| {
        logits.get(id).map_or(f32::INFINITY, |logit| (logit - expected).abs())
    };
    // `max` would pass over NaN.
    let largest_difference =
        golden.logits.iter().map(difference).fold(0.0, |a: f32, b| if b > a || b.is_nan() { b } else { a });
    let mut greedy = Vec::new();
    for _ in 0..golden.greedy.len() {
        greedy.extend(session.step(None)?.choice.map(|choice| choice.token));
    }
    let same_greedy = greedy == golden.greedy;
    Ok(Check { isa: isa.name(), largest_difference, same_greedy, ok: largest_difference <= TOLERANCE })
}

fn text(checks: &[Check], ok: bool) -> String {
    let mut out = String::new();
    for (name, fact) in machine::facts() {
        out += &format!("{name:<12} {fact}\n");
    }
    for check in checks {
        let verdict = if check.ok { "ok" } else { "WRONG" };
        let greedy = if check.same_greedy { "same text" } else { "other text" };
        out += &format!(
            "{:<12} {verdict}: {greedy}, logits within {:.3}\n",
            check.isa, check.largest_difference
        );
    }
    out += &format!("{:<12} {}\n", "chosen", Isa::best());
    out + &format!(
        "{:<12} {}\n",
        "verdict",
        if ok { "all kernel sets work" } else { "a kernel set gives wrong results" }
    )
}

fn object(checks: &[Check], ok: bool) -> Value {
    let facts: Map<String, Value> =
        machine::facts().into_iter().map(|(name, fact)| (name.replace(' ', "_"), fact.into())).collect();
    json!({"machine": facts, "kernels": checks, "chosen": Isa::best().name(), "ok": ok})
}
