//! The flags for when generation ends: definitions only. What they mean as options stands in `options.rs`.

use clap::Args;
use std::time::Duration;

/// When generation ends; the first condition met wins.
#[derive(Debug, Args)]
#[command(next_help_heading = "Length and stop conditions")]
pub struct StopArgs {
    /// Generate at most N tokens [default: 256; in a chat, as many as the context has room for]
    #[arg(short = 'n', long, visible_alias = "max-length", value_name = "N")]
    pub max_tokens: Option<usize>,
    /// Stop before this text; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Go on after end-of-text tokens
    #[arg(long)]
    pub ignore_eos: bool,
    /// Generate at least N tokens; before that only a full context ends it
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub min_tokens: usize,
    /// Stop before a match of this regular expression; may be given several times
    #[cfg(feature = "regex")]
    #[arg(long, value_name = "REGEX")]
    pub stop_regex: Vec<String>,
    /// Stop after N sentences
    #[arg(long, value_name = "N")]
    pub stop_sentences: Option<usize>,
    /// Stop after N lines that are not blank
    #[arg(long, value_name = "N")]
    pub stop_lines: Option<usize>,
    /// Stop after N paragraphs, which blank lines separate
    #[arg(long, value_name = "N")]
    pub stop_paragraphs: Option<usize>,
    /// Stop after the first JSON object or array
    #[arg(long)]
    pub stop_json: bool,
    /// Stop before the text has more than N bytes, between two characters
    #[arg(long, value_name = "N")]
    pub stop_bytes: Option<usize>,
    /// Stop before a token that the model gave a probability of less than P
    #[arg(long, value_name = "P")]
    pub stop_below: Option<f32>,
    /// Stop before the mean probability of the last tokens falls below P
    #[arg(long, value_name = "P")]
    pub stop_below_mean: Option<f32>,
    /// How many tokens that mean is over
    #[arg(long, value_name = "N", default_value_t = 16, requires = "stop_below_mean")]
    pub stop_window: usize,
    /// Stop before a token that was chosen from a distribution of more than H nats
    #[arg(long, value_name = "H")]
    pub stop_entropy: Option<f32>,
    /// Stop when the last tokens are a cycle, come N times (4 if N is left out) and 24 tokens long at least
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "4")]
    pub stop_loop: Option<usize>,
    /// Stop after this time, such as 500ms, 10s, 1.5m or 1h, not counting the prompt
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub stop_time: Option<Duration>,
    /// Stop when every one of the --stop conditions has held, not at the first
    #[arg(long)]
    pub stop_all: bool,
    /// Print what a --stop condition removes too: the stop text, the match, the line end, the doubtful token
    #[arg(long)]
    pub keep_stop: bool,
}

/// A number and a unit.
fn duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let parsed = units.into_iter().find_map(|(unit, seconds)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Duration::try_from_secs_f64(number * seconds).ok()
    });
    parsed.ok_or_else(|| "expected a number and a unit, such as 500ms, 10s, 1.5m or 1h".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let ms = |text| duration(text).ok().map(|time| time.as_millis());
        let shown = ["250ms", "10s", "1.5m", "1h", "0s"].map(ms);
        assert_eq!(shown, [Some(250), Some(10_000), Some(90_000), Some(3_600_000), Some(0)]);
        assert!(["", "5", "s", "-1s", "1d", "nans", "infs", "1e300h"].iter().all(|text| ms(text).is_none()));
    }
}
