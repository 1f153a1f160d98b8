//! The flags for the choice of tokens: definitions only. What they mean as options stands in `options.rs`.

use clap::{ArgGroup, Args};
use siskin::sample::Chain;

/// How a token is chosen. Flags that only say how a step works ask for the one that turns it on.
#[derive(Debug, Args)]
#[command(next_help_heading = "Choice of tokens")]
#[command(group = ArgGroup::new("penalty").multiple(true))]
pub struct SampleArgs {
    /// Temperature; 0 always takes the likeliest token (greedy)
    #[arg(long, value_name = "T", default_value_t = 0.8)]
    pub temp: f32,
    /// Keep the K likeliest tokens; 0 keeps all
    #[arg(long, value_name = "K", default_value_t = 40)]
    pub top_k: u32,
    /// Keep the likeliest tokens that together have probability P; 1 keeps all
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    pub top_p: f32,
    /// Keep tokens at least P times as likely as the likeliest; 0 keeps all
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    pub min_p: f32,
    /// Keep the tokens of nearly average surprise that together have probability P; 1 keeps all
    #[arg(long, value_name = "P", default_value_t = 1.0)]
    pub typical: f32,
    /// Keep tokens with a logit at most N standard deviations below the largest; 0 keeps all
    #[arg(long, value_name = "N", default_value_t = 0.0)]
    pub top_n_sigma: f32,
    /// How often to exclude the top choices (XTC), 0 to 1
    #[arg(long, value_name = "P", default_value_t = 0.0)]
    pub xtc_probability: f32,
    /// Top choices have at least this probability; the least likely of them stays
    #[arg(long, value_name = "P", default_value_t = 0.1, requires = "xtc_probability")]
    pub xtc_threshold: f32,
    /// Let the temperature follow the entropy, R up and down
    #[arg(long, value_name = "R", default_value_t = 0.0)]
    pub dynatemp_range: f32,
    /// The power of the normalized entropy that the temperature follows
    #[arg(long, value_name = "E", default_value_t = 1.0, requires = "dynatemp_range")]
    pub dynatemp_exponent: f32,
    /// Aim at a constant surprise with algorithm 1 or 2 instead of filtering; 0 does not
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=2))]
    pub mirostat: u8,
    /// The surprise that mirostat aims at, in bits
    #[arg(long, value_name = "BITS", default_value_t = 5.0, requires = "mirostat")]
    pub mirostat_tau: f32,
    /// How fast mirostat corrects itself
    #[arg(long, value_name = "RATE", default_value_t = 0.1, requires = "mirostat")]
    pub mirostat_eta: f32,
    /// Divide positive logits of tokens that were there by X and multiply negative ones; 1 does not
    #[arg(long, value_name = "X", default_value_t = 1.0, group = "penalty")]
    pub repeat_penalty: f32,
    /// Subtract X from the logit of a token that was there
    #[arg(long, value_name = "X", default_value_t = 0.0, group = "penalty")]
    pub presence_penalty: f32,
    /// Subtract X for each time that a token was there
    #[arg(long, value_name = "X", default_value_t = 0.0, group = "penalty")]
    pub frequency_penalty: f32,
    /// How many tokens these penalties look back; -1 for all
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(i32).range(-1..))]
    #[arg(requires = "penalty")]
    pub repeat_last_n: i32,
    /// Penalty for a token that goes on with a repetition of just the allowed length (DRY); 0 has none
    #[arg(long, value_name = "X", default_value_t = 0.0)]
    pub dry_multiplier: f32,
    /// How many times larger that penalty is for each further token
    #[arg(long, value_name = "X", default_value_t = 1.75, requires = "dry_multiplier")]
    pub dry_base: f32,
    /// How many tokens may be repeated without that penalty
    #[arg(long, value_name = "N", default_value_t = 2, requires = "dry_multiplier")]
    pub dry_allowed_length: u32,
    /// How many tokens DRY looks back; -1 for all
    #[arg(long, value_name = "N", default_value_t = -1, value_parser = clap::value_parser!(i32).range(-1..))]
    #[arg(requires = "dry_multiplier")]
    pub dry_last_n: i32,
    /// No repetition goes over a token with this text in it; may be given several times, `none` for none [default: newline : " *]
    #[arg(long, value_name = "TEXT", requires = "dry_multiplier")]
    pub dry_sequence_breaker: Vec<String>,
    /// Add X to the logit of a token, such as 403+2.5 or 403-inf; may be given several times
    #[arg(long, value_name = "ID+X|ID-X", value_parser = bias)]
    pub logit_bias: Vec<(u32, f32)>,
    /// The steps that run, in this order, with ; between them
    #[arg(long, value_name = "NAMES", default_value_t = Chain::default(), value_parser = chain)]
    pub samplers: Chain,
    /// Seed of the choices; the same seed gives the same text [default: a new one each time]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// All of them, by name: flags that exclude each of them name it, and not all.
pub const SAMPLE_FLAGS: [&str; 25] = [
    "temp",
    "top_k",
    "top_p",
    "min_p",
    "typical",
    "top_n_sigma",
    "xtc_probability",
    "xtc_threshold",
    "dynatemp_range",
    "dynatemp_exponent",
    "mirostat",
    "mirostat_tau",
    "mirostat_eta",
    "repeat_penalty",
    "presence_penalty",
    "frequency_penalty",
    "repeat_last_n",
    "dry_multiplier",
    "dry_base",
    "dry_allowed_length",
    "dry_last_n",
    "dry_sequence_breaker",
    "logit_bias",
    "samplers",
    "seed",
];

/// A token id, a sign, and a number.
fn bias(text: &str) -> Result<(u32, f32), String> {
    let expected =
        || format!("found `{text}`, expected a token id, + or -, and a number. Try 403+2.5 or 403-inf");
    let sign = text.find(['+', '-']).ok_or_else(expected)?;
    let (id, amount) = text.split_at(sign);
    let id = id.trim().parse().map_err(|_| expected())?;
    Ok((id, amount.trim().parse().map_err(|_| expected())?))
}

fn chain(text: &str) -> Result<Chain, String> {
    text.parse().map_err(|error: siskin::sample::Error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::{SAMPLE_FLAGS, SampleArgs, bias};
    use clap::{Args, Command};

    #[test]
    fn all_flags_are_listed() {
        let command = SampleArgs::augment_args(Command::new("test"));
        let names: Vec<&str> = command.get_arguments().map(|arg| arg.get_id().as_str()).collect();
        assert_eq!(names, SAMPLE_FLAGS);
    }

    #[test]
    fn biases() {
        assert_eq!(bias("403+2.5"), Ok((403, 2.5)));
        assert_eq!(bias("0-1e2"), Ok((0, -100.0)));
        assert_eq!(bias("7-inf"), Ok((7, f32::NEG_INFINITY)));
        for bad in ["", "403", "+1", "a+1", "1+", "1+x", "-1+2", "5000000000+1"] {
            let error = bias(bad).unwrap_err();
            assert!(error.contains("expected a token id") && error.contains("Try"), "{error}");
        }
    }
}
