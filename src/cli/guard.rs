//! Compares what a run takes with what there is, before it is taken: for every command that generates.

use super::args::{LimitArgs, ModelArgs, RunArgs};
use super::output::message;
use super::setup::Threads;
use super::{CliError, setup};
use siskin::batch::Room;
use siskin::gguf::Gguf;
use siskin::machine::{self, Machine};
use siskin::memory::{Budget, Footprint, Size, Streamed};
use siskin::model::{Model, Plan};
use siskin::session::{Extent, Options, Window};
use siskin::tokenizer::{self, Tokenizer};

/// Bytes a second of a fast SD card, for estimates.
const CARD: u64 = 100_000_000;

/// What there was before anything was taken, and what to do if it is too little.
pub struct Guard {
    budget: Budget,
    force: bool,
    no_mmap: bool,
    lock: bool,
}

impl Guard {
    /// To be made first, as long as nothing has been mapped or allocated.
    pub fn new(args: &RunArgs) -> Guard {
        let RunArgs { limit, no_mmap, lock, .. } = *args;
        Guard { no_mmap, lock, ..Guard::of(limit) }
    }

    /// The same for commands that can only map a model.
    pub fn of(LimitArgs { mem_limit, force }: LimitArgs) -> Guard {
        let limit = mem_limit.map(|Size(bytes)| bytes);
        Guard { budget: Budget::new(&Machine::this(), limit), force, no_mmap: false, lock: false }
    }

    /// Opens the model that is to be run: mapped, or read into memory if that was asked for and fits.
    pub fn open(&self, args: &ModelArgs, threads: Threads) -> Result<Gguf, CliError> {
        if !self.no_mmap {
            return setup::open(args);
        }
        setup::read(args, |header| self.before_loading(header, &setup::model(header)?, threads.members()))
    }

    /// Before the tokenizer is built: refuses what could not run however short the prompt.
    pub fn before_loading(&self, file: &Gguf, model: &Model, threads: usize) -> Result<(), CliError> {
        let Ok(size) = tokenizer::Size::estimate(file.metadata()) else { return Ok(()) };
        let options = Options { max_tokens: 1, ..Options::default() };
        let extent = Extent::of_conversation(model, &options, 1);
        if let Some(plan) = extent.plan(model, size.longest, threads, &options) {
            let footprint = self.placed(Footprint::new(file, model, plan, size, threads));
            self.decide(self.budget.check(&footprint, || None))?;
        }
        require_tokenizer(size)
    }

    /// Before a tokenizer is built that is used by itself.
    pub fn before_tokenizer(&self, file: &Gguf) -> Result<(), CliError> {
        let Ok(size) = tokenizer::Size::estimate(file.metadata()) else { return Ok(()) };
        let hint = || "Try a higher limit".to_owned();
        self.decide(self.refuse(&Footprint::of_tokenizer(file, size), "the tokenizer needs", hint))?;
        require_tokenizer(size)
    }

    /// Before something is run that takes what its plan says; `what` begins the message, and `hint` ends it.
    pub fn check_plan(
        &self,
        (file, model, size): (&Gguf, &Model, tokenizer::Size),
        threads: usize,
        plan: Plan,
        (what, hint): (&str, &str),
    ) -> Result<Footprint, CliError> {
        let run = self.placed(Footprint::new(file, model, plan, size, threads));
        self.decide(self.refuse(&run, what, || hint.to_owned()))?;
        setup::require(&plan)?;
        self.warn_of_streaming(&run);
        Ok(run)
    }

    /// An error if there is not as much as a footprint needs.
    fn refuse(&self, footprint: &Footprint, what: &str, hint: impl FnOnce() -> String) -> Result<(), String> {
        let Some(bound) = self.budget.missed(footprint) else { return Ok(()) };
        let (needed, available) = (Size(bound.needed(footprint)), Size(bound.bytes));
        Err(format!("{what} {needed}, but there are {available} of {}. {}", bound.name, hint()))
    }

    fn warn_of_streaming(&self, run: &Footprint) {
        if let Some(streamed) = self.budget.streamed(run) {
            message(&format!("warning: {}", slowness(&streamed)));
        }
    }

    /// Before a session is made: refuses a window that the model cannot go on in and what does not fit, and warns of weights that will not stay in memory.
    pub fn check(
        &self,
        (file, model, tokenizer): (&Gguf, &Model, &Tokenizer),
        threads: usize,
        extent: Extent,
        options: &Options,
    ) -> Result<Footprint, CliError> {
        check_context(options.context, model.config().context)?;
        setup::kv_type(model, options.kv_type)?;
        Window::check(options, model).map_err(siskin::session::Error::from)?;
        let (size, grammar) = (tokenizer.size(), options.grammar_bytes(tokenizer));
        let footprint = |extent: Extent| {
            let plan = extent.plan(model, size.longest, threads, options)?.with_grammar(grammar);
            Some(self.placed(Footprint::new(file, model, plan, size, threads)))
        };
        let positions = extent.longest();
        let run = footprint(extent).ok_or(siskin::session::Error::TooLarge { positions })?;
        let of_length = |positions| footprint(extent.with_length(positions));
        self.decide(self.budget.check(&run, || self.budget.largest(positions, of_length)))?;
        self.warn_of_streaming(&run);
        self.lock(model, &run);
        Ok(run)
    }

    /// The same for a batch: room for as many sequences side by side as were asked for, or else for up to `most`, as many as fit. Narrow room only where
    /// more does not fit.
    pub fn check_batch(
        &self,
        (file, model, size): (&Gguf, &Model, tokenizer::Size),
        threads: usize,
        (asked, most): (Option<usize>, usize),
        room: &Room,
    ) -> Result<(Room, Footprint), CliError> {
        let footprint = |room: &Room| {
            Some(self.placed(Footprint::new(file, model, room.plan(model, threads)?, size, threads)))
        };
        let fits = |room: &Room| footprint(room).is_some_and(|footprint| self.budget.fits(&footprint));
        let fitting = |count| {
            let room = room.clone().with_sequences(count);
            [room.clone(), room.narrow()].into_iter().find(fits)
        };
        let found = asked.map_or_else(|| (1..=most).rev().find_map(fitting), fitting);
        let chosen = found.unwrap_or_else(|| room.clone().with_sequences(asked.unwrap_or(1)).narrow());
        let (count, positions) = (chosen.sequences(), chosen.shared());
        let run = footprint(&chosen).ok_or(siskin::session::Error::TooLarge { positions })?;
        let hint = || match (1..count).rev().find_map(fitting) {
            Some(room) => format!("Try --parallel {}, which fits", room.sequences()),
            None => "Not even one at a time fits: try a smaller --context or --max-tokens".to_owned(),
        };
        let what = format!("{count} sequences of {positions} tokens together need");
        self.decide(self.refuse(&run, &what, hint))?;
        self.warn_of_streaming(&run);
        self.lock(model, &run);
        Ok((chosen, run))
    }

    /// Locks the weights in memory, if that is asked for, and says how far that went.
    fn lock(&self, model: &Model, run: &Footprint) {
        if self.lock {
            message(&locked(model, self.budget.lockable(run)));
        }
    }

    /// A footprint with the file where it will be.
    fn placed(&self, footprint: Footprint) -> Footprint {
        if self.no_mmap { footprint.in_memory() } else { footprint }
    }

    /// With `--force`, what does not fit is only a warning.
    fn decide(&self, checked: Result<(), impl std::fmt::Display>) -> Result<(), CliError> {
        match checked {
            Err(error) if self.force => message(&format!("warning: {error}")),
            Err(error) => {
                return Err(CliError::DoesNotFit(format!("{error}. --force tries it all the same")));
            }
            Ok(()) => {}
        }
        Ok(())
    }
}

/// A word about a context that the model does not have.
pub fn check_context(asked: Option<usize>, context: usize) -> Result<(), CliError> {
    match asked {
        Some(0) => {
            Err(CliError::Usage(format!("--context: found 0, expected 1 to {context}, the model's context")))
        }
        Some(asked) if asked > context => {
            message(&format!("--context {asked}: the model's context is {context} tokens, which is used"));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Asks the system for what a tokenizer and building it take.
fn require_tokenizer(size: tokenizer::Size) -> Result<(), CliError> {
    machine::require(size.owned.saturating_add(size.building)).map_err(|needed| {
        let needed = Size(needed as u64);
        CliError::DoesNotFit(format!(
            "the tokenizer needs {needed}, which the system refuses. Try a higher limit"
        ))
    })
}

/// Locks weights, up to `most` bytes, and says how far that went.
fn locked(model: &Model, most: u64) -> String {
    let all: u64 = model.weights().in_order_of_use().iter().map(|bytes| bytes.len() as u64).sum();
    let (locked, error) = model.lock(most);
    let rest = all - locked;
    if rest == 0 {
        return format!("locked {} of weights in memory", Size(locked));
    }
    let reason = match error {
        Some(error) => format!("the system refuses more ({error}). Try a higher limit (ulimit -l)"),
        None => "more would leave no memory for the rest. Try a smaller model or format".to_owned(),
    };
    format!(
        "warning: locked {} of {} of weights: {reason}. The other {} are read from disk again when they were dropped, which takes {:.1} s a token at \
         100 MB/s if all were",
        Size(locked),
        Size(all),
        Size(rest),
        rest as f64 / CARD as f64,
    )
}

/// What weights that do not stay in memory cost.
pub fn slowness(streamed: &Streamed) -> String {
    let Streamed { weights, room, per_token } = *streamed;
    format!(
        "a token reads {} of weights, but about {} of memory are left for them: at least {} are read from disk again for every token, {:.1} s \
         at 100 MB/s. Try a smaller model or format",
        Size(weights),
        Size(room),
        Size(per_token),
        per_token as f64 / CARD as f64,
    )
}
