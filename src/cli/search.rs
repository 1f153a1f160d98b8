//! The flags for several continuations of a prompt, and what they find; for `generate` and `trace`.

use super::args::SearchArgs;
use super::json::{OneOf, Stop};
use super::search_args::EarlyStopArg;
use super::{CliError, progress};
use siskin::search::{self, Beams, Continuation, EarlyStopping, Found};
use siskin::session::Session;

/// The largest power of a length.
const LARGEST_PENALTY: f32 = 20.0;

/// How many continuations are followed at once; 0 if the flags ask for one only.
pub fn branches(args: &SearchArgs) -> Result<usize, CliError> {
    let branches = args.beams.or(args.best_of).unwrap_or(0);
    if args.num_return > branches.max(1) {
        return Err(CliError::Usage(format!(
            "--num-return {} asks for more than the {} continuations there are. Try --beams or --best-of with at least as many",
            args.num_return,
            branches.max(1),
        )));
    }
    // beyond that, scores of long texts are no numbers any more
    if !(-LARGEST_PENALTY..=LARGEST_PENALTY).contains(&args.length_penalty) {
        return Err(CliError::Usage(format!(
            "--length-penalty: found {}, expected a number from -{LARGEST_PENALTY} to {LARGEST_PENALTY}. Try 1",
            args.length_penalty
        )));
    }
    Ok(branches as usize)
}

/// Searches; keeps as many continuations as are asked for, the best first, and of beams all of their tree if it is wanted.
pub fn run(args: &SearchArgs, tree: bool, session: &mut Session<'_>) -> Result<Found, CliError> {
    let bar = progress::decode(session.room());
    let progress = |tokens: usize| bar.set_position(tokens as u64);
    let found = match (args.beams, args.best_of) {
        (Some(count), _) => search::beams(session, &beams(args, count as usize, tree), progress),
        (None, count) => search::samples(session, count.unwrap_or(1) as usize, progress),
    };
    bar.finish_and_clear();
    let mut found = found?;
    found.continuations.truncate(args.num_return as usize);
    Ok(found)
}

fn beams(args: &SearchArgs, count: usize, tree: bool) -> Beams {
    let mut beams = Beams::new(count);
    beams.tree = tree;
    beams.length_penalty = args.length_penalty;
    beams.early_stopping = match args.early_stop {
        EarlyStopArg::Full => EarlyStopping::Full,
        EarlyStopArg::Likely => EarlyStopping::Likely,
        EarlyStopArg::Never => EarlyStopping::Never,
    };
    beams
}

/// A continuation for the JSON object.
pub fn one_of(continuation: &Continuation) -> OneOf<'_> {
    let Continuation { text, tokens, logprob, score, reason } = continuation;
    OneOf { text, tokens, logprob: *logprob, score: *score, stop: Stop::from(reason) }
}

/// A line for people about the continuation with an index.
pub fn summary(index: usize, of: &OneOf<'_>) -> String {
    let OneOf { tokens, logprob, score, stop, .. } = of;
    let ended = stop.reason;
    format!("{}: score {score:.3}, log-probability {logprob:.3}, {} tokens, {ended}", index + 1, tokens.len())
}
