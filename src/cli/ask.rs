//! From the flags of a prompt to a model that is ready for it: what `generate` and `trace` begin with.

use super::ask_args::AskArgs;
use super::guard::Guard;
use super::ids_args::Ids;
use super::setup::Threads;
use super::signals::Signals;
use super::{CliError, input, options, search, setup};
use siskin::gguf::Gguf;
use siskin::memory::Footprint;
use siskin::model::Model;
use siskin::session::{Extent, Options};
use siskin::tokenizer::{Encode, TokenId, Tokenizer};
use siskin::topology::Topology;
use std::time::{Duration, Instant};

/// Tokens that are generated when the user does not say how many.
const MAX_TOKENS: usize = 256;

/// A model, a prompt, and how it is to be continued.
pub struct Asked {
    guard: Guard,
    pub topology: Topology,
    pub threads: Threads,
    pub file: Gguf,
    pub model: Model,
    pub tokenizer: Tokenizer,
    pub options: Options,
    pub prompt: Vec<TokenId>,
    /// The prompt as text.
    pub text: String,
    /// What turning the prompt into ids took.
    pub tokenize: Duration,
}

impl Asked {
    /// Reads the prompt, then the model.
    pub fn new(args: &AskArgs) -> Result<Asked, CliError> {
        let (guard, cancelled) = (Guard::new(&args.run), Signals::new().cancelled());
        let text = text(args)?;
        let topology = Topology::this_machine();
        let threads = Threads::new(&topology, args.run.threads, args.run.prefill_threads)?;
        let flags = (&args.stop, &args.sample, &args.run);
        let options = Options {
            window: args.window.window(),
            branches: search::branches(&args.search)?,
            beams: args.search.beams.is_some(),
            #[cfg(feature = "grammar")]
            grammar: args.grammar.grammar()?,
            ..options::session(flags, MAX_TOKENS, threads, cancelled.clone())
        };
        let file = guard.open(&args.model, threads)?;
        let (model, tokenizer) = setup::load(&file, threads, &cancelled, Some(&guard))?;
        let options = options::with_breakers(options, &args.sample, &tokenizer)?;
        let start = Instant::now();
        let (prompt, text) = encode(args, &file, &tokenizer, text)?;
        let tokenize = start.elapsed();
        Ok(Asked { guard, topology, threads, file, model, tokenizer, options, prompt, text, tokenize })
    }

    /// What the run will take; an error if it does not fit.
    pub fn check(&self) -> Result<Footprint, CliError> {
        let extent = Extent::of_prompt(&self.model, &self.options, self.prompt.len());
        let parts = (&self.file, &self.model, &self.tokenizer);
        self.guard.check(parts, self.threads.members(), extent, &self.options)
    }
}

/// The text, read from wherever it is; `None` if token ids are given instead.
fn text(args: &AskArgs) -> Result<Option<String>, CliError> {
    let text = input::text(args.prompt.as_deref(), args.source.file.as_deref())?;
    if text.is_none() && args.source.tokens.is_none() {
        return Err(CliError::Usage("no prompt given. Try a text, -f FILE, or -f - for stdin".into()));
    }
    #[cfg(feature = "chat")]
    if !args.chat && (args.conversation.system.is_some() || args.conversation.chat_template.is_some()) {
        return Err(CliError::Usage(
            "--system and --chat-template are for conversations. Try with --chat".into(),
        ));
    }
    Ok(text)
}

/// The prompt's ids and its text, of what [`text`] read.
fn encode(
    args: &AskArgs,
    #[cfg_attr(not(feature = "chat"), allow(unused_variables))] file: &Gguf,
    tokenizer: &Tokenizer,
    text: Option<String>,
) -> Result<(Vec<TokenId>, String), CliError> {
    if let Some(Ids(ids)) = &args.source.tokens {
        return Ok((ids.clone(), String::from_utf8_lossy(&tokenizer.decode(ids)).into_owned()));
    }
    let text = text.unwrap_or_default();
    #[cfg(feature = "chat")]
    if args.chat {
        let rendered = super::conversation::rendered(file, &args.conversation, tokenizer, &text)?;
        return Ok((siskin::chat::encode(tokenizer, &rendered), rendered));
    }
    let encode = Encode { add_special: true, parse_special: args.source.special };
    Ok((tokenizer.encode(&text, encode), text))
}
