//! The command line: definitions only. What a flag means is decided where it is used.

use super::ask_args::AskArgs;
#[cfg(feature = "grammar")]
pub use super::grammar_args::GrammarArgs;
use super::ids_args::Ids;
pub use super::perplexity_args::Perplexity;
use super::sample_args::SAMPLE_FLAGS;
pub use super::sample_args::SampleArgs;
pub use super::trace_args::Trace;
use super::window_args::WindowArgs;
use clap::{Args, Parser, Subcommand, ValueEnum, value_parser};
use siskin::kv::KvType;
use siskin::memory::Size;
use std::path::PathBuf;
use std::time::Duration;

/// Runs quantized language models from GGUF files, in place and in known memory.
#[derive(Debug, Parser)]
#[command(name = "siskin", version, max_term_width = 100, arg_required_else_help = true)]
#[command(help_expected = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 bad model file, 4 does not fit, 130 interrupted."
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// Read settings from this file [default: SISKIN_CONFIG, else siskin/siskin.toml below XDG_CONFIG_HOME or ~/.config]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config", help_heading = "Settings")]
    pub config: Option<PathBuf>,
    /// Read no settings
    #[arg(long, global = true, help_heading = "Settings")]
    pub no_config: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Continue a prompt
    ///
    /// The continuation goes to stdout as it comes; everything else goes to stderr.
    Generate(Box<Generate>),
    /// Talk with a model
    ///
    /// Each line is a message, and the answer goes to stdout as it comes; /help lists what else a line can be. Works piped.
    #[cfg(feature = "chat")]
    Chat(Box<Chat>),
    /// Continue a prompt, and show each step: what the model expected, what the samplers left, what was chosen
    ///
    /// The table, or what --jsonl or --csv print, goes to stdout as it comes; everything else goes to stderr.
    Trace(Box<Trace>),
    /// Continue many prompts, several side by side, so that the weights are read once for all of them
    ///
    /// The same command goes on where an earlier run was interrupted. Exit code 1 if some of the lines failed.
    Batch(Box<super::batch_args::Batch>),
    /// Turn text into token ids, or back
    Tokenize(Tokenize),
    /// Show what is in a model file, from its header alone
    Inspect(Inspect),
    /// Show what memory a run would take, from a model's header alone, and whether it fits
    ///
    /// Exit code 4 if it does not.
    Plan(Plan),
    /// Measure how fast a model runs on this machine, and what memory it takes
    ///
    /// Token ids are random but the same in every run. The report goes to stdout.
    Bench(Bench),
    /// How well a model predicts a text
    Perplexity(Perplexity),
    /// How likely a model finds a text, token by token, or which of several continuations it finds likeliest
    Score(super::score_args::Score),
    /// Make a smaller model file out of one with F32, F16 or BF16 weights
    #[cfg(feature = "quantize")]
    Quantize(Quantize),
    /// Download a model into the cache
    ///
    /// Its path goes to stdout; -m takes its name from then on. HF_ENDPOINT names another hub, HF_TOKEN holds an access token,
    /// SISKIN_CACHE names the folder.
    #[cfg(feature = "download")]
    Pull(Pull),
    /// Check this machine with the built-in model; paste its output into reports
    #[cfg(feature = "builtin")]
    #[command(visible_alias = "selftest")]
    Doctor(Doctor),
    /// Show the value of every flag, and where it comes from: the environment, the file of settings, or a default
    ///
    /// The file, siskin.toml, has flags by their long names, for all commands at its top and for one in a table of the command's name.
    /// On a command line a flag goes before the environment, the environment before the file, and the file before the default. What
    /// the file turns on, such as stats = true, is turned off by --stats=false.
    Config(Config),
}

/// What `-m` takes.
const MODEL_HELP: &str = match (cfg!(feature = "download"), cfg!(feature = "builtin")) {
    (true, true) => {
        "GGUF file (of a split model, any part), or the name of a pulled model [default: the built-in model]"
    }
    (true, false) => "GGUF file (of a split model, any part), or the name of a pulled model",
    (false, true) => "GGUF file of the model (of a split model, any part) [default: the built-in model]",
    (false, false) => "GGUF file of the model (of a split model, any part)",
};

/// Which model.
#[derive(Debug, Args)]
pub struct ModelArgs {
    #[arg(help = MODEL_HELP, short, long, value_name = "FILE", env = "SISKIN_MODEL", hide_env_values = true)]
    pub model: Option<PathBuf>,
}

/// `siskin generate`.
#[derive(Debug, Args)]
pub struct Generate {
    /// What is asked
    #[command(flatten)]
    pub ask: AskArgs,
    /// Begin with what this file has of the prompt, and keep the prompt in it for the next time
    #[arg(long, value_name = "FILE", conflicts_with_all = ["logits", "window"], help_heading = "Prompt")]
    pub cache: Option<PathBuf>,
    /// Output
    #[command(flatten)]
    pub output: OutputArgs,
}

/// `siskin chat`.
#[cfg(feature = "chat")]
#[derive(Debug, Args)]
pub struct Chat {
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Conversation
    #[command(flatten)]
    pub conversation: ConversationArgs,
    /// Do not remember lines for the next time
    #[arg(long, help_heading = "Conversation")]
    pub no_history: bool,
    /// Go on with the conversation in this file, as /load does
    #[arg(long, value_name = "FILE", help_heading = "Conversation")]
    pub load: Option<PathBuf>,
    /// Write the conversation to this file at the end, as /save does
    #[arg(long, value_name = "FILE", help_heading = "Conversation")]
    pub save: Option<PathBuf>,
    /// Length and stop conditions
    #[command(flatten)]
    pub stop: StopArgs,
    /// Choice of tokens
    #[command(flatten)]
    pub sample: SampleArgs,
    /// Form of the text
    #[cfg(feature = "grammar")]
    #[command(flatten)]
    pub grammar: GrammarArgs,
    /// Machine
    #[command(flatten)]
    pub run: RunArgs,
    /// Endless text
    #[command(flatten)]
    pub window: WindowArgs,
    /// Print times to stderr after each answer
    #[arg(long, help_heading = "Output")]
    pub stats: bool,
}

/// How a conversation begins, and in which format the model knows it.
#[cfg(feature = "chat")]
#[derive(Debug, Args)]
#[command(next_help_heading = "Conversation")]
pub struct ConversationArgs {
    /// Begin the conversation with this system prompt
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Use the Jinja template in this file, or the model's template of this name [default: the model's]
    #[arg(long, value_name = "FILE|NAME")]
    pub chat_template: Option<String>,
}

/// Where a prompt comes from, if not from the command line.
#[derive(Debug, Args)]
#[command(next_help_heading = "Prompt")]
pub struct PromptArgs {
    /// Read the prompt from a file, `-` for stdin
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["prompt", "tokens"])]
    pub file: Option<PathBuf>,
    /// Token ids instead of text, such as 1,2,3; nothing is added to them
    #[arg(long, value_name = "IDS", conflicts_with = "prompt")]
    pub tokens: Option<Ids>,
    /// Read special tokens such as <|im_start|> in the prompt as tokens, not as text
    #[arg(long)]
    pub special: bool,
}

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

/// Several continuations of which the best are kept.
#[derive(Debug, Args)]
#[command(next_help_heading = "Several continuations")]
pub struct SearchArgs {
    /// Beam search: follow the N likeliest continuations side by side, instead of choosing token by token
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024))]
    #[arg(conflicts_with_all = SAMPLE_FLAGS.into_iter().chain(["best_of", "window"]))]
    pub beams: Option<u32>,
    /// Divide the log-probability of a continuation by its length to the power of A: 0 favours short ones, above 1 long ones
    #[arg(long, value_name = "A", default_value_t = 1.0, requires = "beams")]
    pub length_penalty: f32,
    /// When a beam search ends
    #[arg(long, value_name = "WHEN", value_enum, requires = "beams")]
    #[arg(default_value_t = EarlyStopArg::Likely, num_args = 0..=1, require_equals = true, default_missing_value = "full")]
    pub early_stop: EarlyStopArg,
    /// Sample N continuations side by side and keep the one with the best mean log-probability
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with = "window")]
    pub best_of: Option<u32>,
    /// Keep the best K instead of one, with a line --- between them
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = value_parser!(u32).range(1..=1024))]
    pub num_return: u32,
}

/// `--early-stop`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum EarlyStopArg {
    /// As soon as N continuations have ended
    Full,
    /// When the likeliest that goes on, were it to end now, would not be among the best
    Likely,
    /// When nothing better can come any more
    Never,
}

/// How to use the machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Machine")]
pub struct RunArgs {
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Threads for reading the prompt, if not as many as for the rest
    #[arg(long, value_name = "N")]
    pub prefill_threads: Option<usize>,
    /// Use at most N tokens of the model's context [default: all; in a chat, 4096]
    #[arg(long, value_name = "N")]
    pub context: Option<usize>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Memory
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Read the model's file into memory, instead of mapping it
    #[arg(long)]
    pub no_mmap: bool,
    /// Lock the weights in memory, as far as the limit of locked memory (ulimit -l) and the memory permit
    #[arg(long)]
    pub lock: bool,
}

/// How much memory may be taken.
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitArgs {
    /// Allocate at most this much memory, such as 512M or 1.5G; mapped weights do not count
    #[arg(long, value_name = "SIZE", help_heading = "Machine")]
    pub mem_limit: Option<Size>,
    /// Begin even if it needs more memory than there is
    #[arg(long, help_heading = "Machine")]
    pub force: bool,
}

/// `--kv-type`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum KvTypeArg {
    /// Half precision, 2 bytes a value
    F16,
    /// Single precision, 4 bytes a value
    F32,
    /// 8 bits a value and a scale for each 32: 8.5 bits
    #[value(name = "q8_0")]
    Q8_0,
    /// 4 bits a value and a scale for each 32: 4.5 bits
    #[value(name = "q4_0")]
    Q4_0,
}

impl From<KvTypeArg> for KvType {
    fn from(arg: KvTypeArg) -> KvType {
        match arg {
            KvTypeArg::F16 => KvType::F16,
            KvTypeArg::F32 => KvType::F32,
            KvTypeArg::Q8_0 => KvType::Q8_0,
            KvTypeArg::Q4_0 => KvType::Q4_0,
        }
    }
}

/// What is printed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Print one JSON object at the end instead of the text
    #[arg(long)]
    pub json: bool,
    /// Print the prompt before its continuation
    #[arg(long, conflicts_with = "json")]
    pub echo: bool,
    /// Write the logits after every token, f32 [positions, vocabulary], to a NumPy file
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["beams", "best_of"])]
    pub logits: Option<PathBuf>,
    /// Print times and memory to stderr at the end
    #[arg(long)]
    pub stats: bool,
}

/// `siskin tokenize`.
#[derive(Debug, Args)]
pub struct Tokenize {
    /// Text to tokenize
    pub text: Option<String>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Read the text from a file, `-` for stdin
    #[arg(short, long, value_name = "FILE", conflicts_with = "text")]
    pub file: Option<PathBuf>,
    /// Leave out the tokens that the model's file asks to add, such as BOS
    #[arg(long)]
    pub no_bos: bool,
    /// Read special tokens such as <|im_start|> in the text as tokens, not as text
    #[arg(long)]
    pub special: bool,
    /// Turn these token ids, such as 1,2,3, into text instead
    #[arg(long, value_name = "IDS", conflicts_with_all = ["text", "file", "null"])]
    pub decode: Option<Ids>,
    /// Read strings that end with NUL from stdin and print a line of ids for each
    #[arg(long, conflicts_with_all = ["text", "file", "json"])]
    pub null: bool,
    /// Print {"tokens": [ids], "pieces": [texts]}
    #[arg(long)]
    pub json: bool,
}

/// `siskin inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// GGUF file; as with -m
    pub file: Option<PathBuf>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// List every metadata entry and every tensor
    #[arg(short, long)]
    pub all: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `siskin plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// GGUF file, also one that is not whole yet; or a model of the cache or the network: OWNER/REPO:QUANT or a URL
    pub file: Option<PathBuf>,
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt [default: 256, or the context if that is less]
    #[arg(short, long, value_name = "N")]
    pub prompt: Option<usize>,
    /// Tokens to generate
    #[arg(short = 'n', long, visible_alias = "max-length", value_name = "N", default_value_t = 256)]
    #[arg(conflicts_with = "window")]
    pub max_tokens: usize,
    /// Tokens of prompt and answer together, as of a conversation [default: those of --prompt and --max-tokens]
    #[arg(long, value_name = "N", conflicts_with = "max_tokens")]
    pub context: Option<usize>,
    /// Endless text
    #[command(flatten)]
    pub window: WindowArgs,
    /// Continuations that are followed at once
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with = "window")]
    pub beams: Option<u32>,
    /// Continuations that are sampled at once
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=1024), conflicts_with_all = ["window", "beams"])]
    pub best_of: Option<u32>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Memory that may be allocated, such as 512M or 1.5G; mapped weights do not count
    #[arg(long, value_name = "SIZE")]
    pub mem_limit: Option<Size>,
    /// With the model's file read into memory, instead of mapped
    #[arg(long)]
    pub no_mmap: bool,
    /// Say how much of the weights could be locked in memory
    #[arg(long)]
    pub lock: bool,
    /// Do not read memory for a moment to estimate the speed
    #[arg(long)]
    pub no_probe: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `siskin bench`.
#[derive(Debug, Args)]
pub struct Bench {
    /// Model
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt
    #[arg(short, long, value_name = "N", default_value_t = 256)]
    pub prompt: usize,
    /// Tokens to generate after it
    #[arg(short = 'n', long, value_name = "N", default_value_t = 32)]
    pub max_tokens: usize,
    /// Tokens that are in the context before
    #[arg(short, long, value_name = "N", default_value_t = 0)]
    pub depth: usize,
    /// Repetitions, after one that is not counted
    #[arg(short, long, value_name = "N", default_value_t = 5)]
    pub repetitions: usize,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Threads for the prompt [default: as --threads]
    #[arg(long, value_name = "N")]
    pub prefill_threads: Option<usize>,
    /// How keys and values are stored
    #[arg(long, value_name = "TYPE", value_enum, default_value_t = KvTypeArg::F16)]
    pub kv_type: KvTypeArg,
    /// Memory
    #[command(flatten)]
    pub limit: LimitArgs,
    /// Print one JSON object
    #[arg(long, conflicts_with = "csv")]
    pub json: bool,
    /// Print a line of names and a line of values for each repetition
    #[arg(long)]
    pub csv: bool,
}

/// `siskin quantize`.
#[cfg(feature = "quantize")]
#[derive(Debug, Args)]
pub struct Quantize {
    /// Model with F32, F16 or BF16 weights (of a split model, any part)
    pub input: PathBuf,
    /// File to write; one that exists is replaced when the new one is whole
    pub output: PathBuf,
    #[arg(help = format!("Format or mix of formats: {}", siskin::quantize::names()))]
    #[arg(value_parser = recipe)]
    pub format: siskin::quantize::Recipe,
    /// Every matrix in the same format, instead of more bits for those that need them
    #[arg(long)]
    pub pure: bool,
    /// Threads [default: one for each performance core]
    #[arg(short, long, value_name = "N")]
    pub threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "quantize")]
fn recipe(name: &str) -> Result<siskin::quantize::Recipe, String> {
    let known = siskin::quantize::Recipe::named(name);
    known.ok_or_else(|| format!("expected one of {}", siskin::quantize::names()))
}

/// `siskin pull`.
#[cfg(feature = "download")]
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct Pull {
    /// OWNER/REPO, OWNER/REPO:Q4_K_M, OWNER/REPO:FILE.gguf, or the URL of a .gguf file
    #[arg(required_unless_present = "list")]
    pub model: Option<String>,
    /// List the models in the cache instead
    #[arg(short, long, conflicts_with = "model")]
    pub list: bool,
    /// Download it even if this machine cannot run it
    #[arg(long)]
    pub force: bool,
    /// Repeat a request that failed up to N times, with growing pauses
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub retries: u32,
}

/// `siskin doctor`.
#[cfg(feature = "builtin")]
#[derive(Debug, Args)]
pub struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `siskin config`.
#[derive(Debug, Args)]
pub struct Config {
    /// Only the flags of this command
    pub command: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
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
