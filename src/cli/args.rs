//! The command line: definitions only. What a flag means is decided where it is used.
//!
//! Here are the list of commands, the shorter ones, and the flags of their input and output. What has more flags, or shares them with others, has a file of
//! its own (`*_args.rs`).

use super::ask_args::AskArgs;
pub use super::bench_args::Bench;
#[cfg(feature = "chat")]
pub use super::chat_args::{Chat, ConversationArgs};
#[cfg(feature = "grammar")]
pub use super::grammar_args::GrammarArgs;
use super::ids_args::Ids;
pub use super::perplexity_args::Perplexity;
pub use super::plan_args::Plan;
#[cfg(feature = "quantize")]
pub use super::quantize_args::Quantize;
pub use super::run_args::{KvTypeArg, LimitArgs, RunArgs};
pub use super::sample_args::SampleArgs;
pub use super::search_args::SearchArgs;
pub use super::stop_args::StopArgs;
pub use super::trace_args::Trace;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

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
