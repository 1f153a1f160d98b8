//! The flags that commands which generate text share, as options of a session.

use super::CliError;
use super::args::{RunArgs, SampleArgs, StopArgs};
use super::setup::Threads;
use siskin::sample;
use siskin::session::Options;
use siskin::stop;
use siskin::tokenizer::{TokenId, Tokenizer};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The options that the flags ask for, without a window; `max_tokens` is for when they do not say.
pub fn session(
    (stop, sample, run): (&StopArgs, &SampleArgs, &RunArgs),
    max_tokens: usize,
    threads: Threads,
    cancelled: Arc<AtomicBool>,
) -> Options {
    Options {
        max_tokens: stop.max_tokens.unwrap_or(max_tokens),
        branches: 0,
        beams: false,
        context: run.context,
        window: None,
        kv_type: run.kv_type.into(),
        stop_texts: stop.stop.clone(),
        ignore_eos: stop.ignore_eos,
        stop: rules(stop),
        sampling: sampling(sample),
        #[cfg(feature = "grammar")]
        grammar: None,
        prefill_threads: Some(threads.prefill),
        decode_threads: Some(threads.decode),
        cancelled: Some(cancelled),
    }
}

fn rules(args: &StopArgs) -> stop::Rules {
    stop::Rules {
        min_tokens: args.min_tokens,
        keep_stop: args.keep_stop,
        all: args.stop_all,
        #[cfg(feature = "regex")]
        regexes: args.stop_regex.clone(),
        json: args.stop_json,
        sentences: args.stop_sentences,
        paragraphs: args.stop_paragraphs,
        lines: args.stop_lines,
        bytes: args.stop_bytes,
        below: args.stop_below,
        below_mean: args.stop_below_mean.map(|probability| (probability, args.stop_window)),
        entropy: args.stop_entropy,
        repeats: args.stop_loop,
        time: args.stop_time,
        ..Default::default()
    }
}

fn sampling(args: &SampleArgs) -> sample::Options {
    sample::Options {
        chain: args.samplers,
        temperature: args.temp,
        top_k: args.top_k,
        top_p: args.top_p,
        min_p: args.min_p,
        typical: args.typical,
        top_n_sigma: args.top_n_sigma,
        xtc: sample::Xtc { probability: args.xtc_probability, threshold: args.xtc_threshold },
        dynamic: sample::Dynamic { range: args.dynatemp_range, exponent: args.dynatemp_exponent },
        mirostat: mirostat(args),
        logit_bias: args.logit_bias.clone(),
        penalties: sample::Penalties {
            last_n: window(args.repeat_last_n),
            repeat: args.repeat_penalty,
            presence: args.presence_penalty,
            frequency: args.frequency_penalty,
        },
        dry: sample::Dry {
            multiplier: args.dry_multiplier,
            base: args.dry_base,
            allowed_length: args.dry_allowed_length,
            last_n: window(args.dry_last_n),
            breakers: Vec::new(),
        },
        seed: args.seed.unwrap_or_else(new_seed),
        ..Default::default()
    }
}

fn mirostat(args: &SampleArgs) -> Option<sample::Mirostat> {
    let version = match args.mirostat {
        0 => return None,
        1 => sample::MirostatVersion::V1,
        _ => sample::MirostatVersion::V2,
    };
    Some(sample::Mirostat { version, tau: args.mirostat_tau, eta: args.mirostat_eta })
}

/// A number of tokens to look back; -1 means all.
fn window(last_n: i32) -> u32 {
    u32::try_from(last_n).unwrap_or(u32::MAX)
}

/// The options with what only a tokenizer knows: which tokens break sequences for DRY.
///
/// # Errors
///
/// If no token has the text of a breaker.
pub fn with_breakers(
    mut options: Options,
    args: &SampleArgs,
    tokenizer: &Tokenizer,
) -> Result<Options, CliError> {
    if args.dry_multiplier == 0.0 {
        return Ok(options);
    }
    let texts: Vec<&str> = match args.dry_sequence_breaker.as_slice() {
        [] => BREAKERS.to_vec(),
        [none] if none == "none" => Vec::new(),
        given => given.iter().map(String::as_str).collect(),
    };
    for text in texts {
        let before = options.sampling.dry.breakers.len();
        options.sampling.dry.breakers.extend(tokens_with(tokenizer, text));
        let found = options.sampling.dry.breakers.len() > before;
        if !found && !args.dry_sequence_breaker.is_empty() {
            return Err(CliError::Usage(format!(
                "--dry-sequence-breaker: found no token with {text:?} in it, expected at least one. Try a shorter text"
            )));
        }
    }
    Ok(options)
}

/// What breaks sequences if the user does not say.
const BREAKERS: [&str; 4] = ["\n", ":", "\"", "*"];

/// The tokens whose own text has `text` in it.
fn tokens_with(tokenizer: &Tokenizer, text: &str) -> impl Iterator<Item = TokenId> {
    let mut piece = Vec::new();
    (0..tokenizer.len() as TokenId).filter(move |&id| {
        piece.clear();
        tokenizer.piece(id, &mut piece);
        !text.is_empty() && piece.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

/// A seed that differs each time: the standard library's randomly keyed hash of nothing. Below 2^53, so that JSON readers keep it exact.
fn new_seed() -> u64 {
    RandomState::new().hash_one(0) >> 11
}
