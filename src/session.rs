//! A session: a prompt goes in (prefill), tokens come out one at a time (decode), until a stop condition holds.
//!
//! Owns the decoder with its ring, the sampler and the stop conditions; knows no terminal. Everything it needs is allocated in
//! [`Session::new`]; a step allocates nothing, unless the text is held to a grammar. This file makes sessions and answers questions about them;
//! `prompt.rs` runs a prompt, `decode.rs` what follows it.
//!
//! A session for a conversation ([`Session::with_positions`]) answers one prompt after another: [`Session::resume`] keeps what the next
//! prompt has in common with the tokens that are in the ring, so that only new ones are run.

mod allowed;
mod answer;
mod branches;
mod cache;
mod check;
mod decode;
mod error;
mod extent;
mod options;
mod paths;
mod pieces;
mod prompt;
mod replace;
mod samples;
mod seen;
mod steps;
mod track;
mod window;

use crate::machine;
use crate::model::{Decoder, Model, Plan, StageTimes};
use crate::ops::Cpu;
use crate::sample::{self, Choose, Sampler};
use crate::stop::{Reason, Stops};
use crate::tokenizer::{TokenId, Tokenizer};
use answer::Answer;
use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

pub(crate) use allowed::Allowed;
pub use cache::CacheError;
pub(crate) use check::{check_model, check_prompt, context, judge};
pub use error::Error;
pub use extent::Extent;
pub use options::Options;
pub(crate) use paths::{End, Hypothesis, Paths};
pub(crate) use pieces::Pieces;
pub use replace::replace;
pub(crate) use samples::Sample;
use seen::Seen;
pub use steps::{Generated, Steps};
pub(crate) use track::Track;
pub use window::{Window, WindowError};

/// One generated token.
#[derive(Debug)]
pub struct Step<'s> {
    /// The token; `None` when generation ended before one was chosen.
    pub choice: Option<sample::Choice>,
    /// Text that is now certain to be part of the answer; whole characters, often empty or of several tokens.
    pub text: &'s str,
    /// Why this was the last step, if it was.
    pub stop: Option<&'s Reason>,
}

/// What a session did so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// Time to run the prompt.
    pub prefill: Duration,
    /// Tokens of the prompt that were run.
    pub prefill_tokens: usize,
    /// Tokens of the prompt that were in the ring already, or came from a file.
    pub kept_tokens: usize,
    /// Time to choose tokens and run each.
    pub decode: Duration,
    /// Tokens chosen.
    pub decode_tokens: usize,
}

/// Is handed the logits after each token that is run, in order: one value for each entry of the vocabulary. Its error ends the run.
pub type LogitSink<'a> = dyn FnMut(&[f32]) -> io::Result<()> + 'a;

/// One sequence of tokens and its model at work. See the module's text. It is [`Send`]: any thread may go on with it, one at a time.
pub struct Session<'m> {
    tokenizer: &'m Tokenizer,
    decoder: Decoder<'m>,
    plan: Plan,
    sampler: Sampler,
    /// The caller's own sampler, if there is one.
    chooser: Option<Box<dyn Choose + Send + 'm>>,
    /// Stop conditions and grammar before the first token.
    first: Track,
    answer: Answer,
    /// Which tokens may come next.
    allowed: Allowed,
    /// The tokens that were run.
    seen: Seen,
    /// How many of them, at the beginning, ran in batches of [`STEADY_BATCH`] and more.
    batched: usize,
    /// Whether the logits after the last of them are there, though it was not run.
    has_logits: bool,
    /// Tokens of the prompt that it was made for or resumed with.
    prompt_tokens: usize,
    options: Options,
    /// Row of the last pass whose logits choose the next token.
    last_row: usize,
    ended: Option<Reason>,
    prefill_threads: usize,
    decode_threads: usize,
    timing: Timing,
}

impl<'m> Session<'m> {
    /// A session for a prompt, with memory for it and for the answer: the ring holds min(prompt + max tokens, context), or with
    /// [`Options::window`] min(prompt + max tokens, window). [`crate::Model::session`] does this and the rest at once.
    ///
    /// ```
    /// use siskin::ops::Cpu;
    /// use siskin::session::{Options, Session};
    /// use siskin::stop::Reason;
    /// use siskin::threads::Team;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicBool, Ordering};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let cpu = Cpu { kernels: siskin_simd::Kernels::best(), team: Team::new(2)? };
    /// let cancelled = Arc::new(AtomicBool::new(false));
    /// let options = Options { cancelled: Some(cancelled.clone()), ..Options::default() };
    /// let prompt = model.encode("Once upon a time");
    /// let mut session = Session::new(model.network(), model.tokenizer(), cpu, &prompt, &options)?;
    /// session.prefill(&prompt, |tokens| println!("{tokens} of {} tokens", prompt.len()), None)?;
    /// print!("{}", session.step(None)?.text);
    /// // whoever holds the flag ends the generation, from any thread
    /// std::thread::spawn(move || cancelled.store(true, Ordering::Relaxed)).join().map_err(|_| "no thread")?;
    /// assert_eq!(session.step(None)?.stop, Some(&Reason::Cancelled));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the prompt is empty, too long or has a token that is out of range, or an option makes no sense.
    pub fn new(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        prompt: &[TokenId],
        options: &Options,
    ) -> Result<Self, Error> {
        let context = context(model, options);
        check_prompt(prompt, model.weights().vocabulary(), context, options)?;
        let extent = Extent::of_prompt(model, options, prompt.len());
        Session::allocate(model, tokenizer, cpu, extent, context, prompt.len(), options)
    }

    /// A session for several prompts, each given to [`Session::resume`], with memory for `positions` tokens of prompt and answer
    /// together, or for the whole context if that is less; with [`Options::window`] for that.
    ///
    /// # Errors
    ///
    /// If an option makes no sense, or tokenizer and model do not fit each other.
    pub fn with_positions(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        positions: usize,
        options: &Options,
    ) -> Result<Self, Error> {
        let extent = Extent::of_conversation(model, options, positions);
        Session::allocate(model, tokenizer, cpu, extent, extent.positions, 0, options)
    }

    /// A session of this extent, with the stop conditions of a prompt of so many tokens in a context of `context`.
    fn allocate(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        extent: Extent,
        context: usize,
        prompt_tokens: usize,
        options: &Options,
    ) -> Result<Self, Error> {
        Window::check(options, model)?;
        let vocabulary = check_model(model, tokenizer, options.kv_type)?;
        let mut options = options.clone();
        options.sampling = options.sampling.within(extent.longest());
        let plan = plan(model, tokenizer, &cpu, extent, &options)?;
        let judge = judge(&options, context, prompt_tokens)?;
        let (allowed, grammar) = Allowed::new(tokenizer, vocabulary, &options)?;
        let plan = plan.with_grammar(grammar);
        // samples are ordered by theirs
        options.sampling.logprobs |= judge.needs().logprob || options.branches > 0;
        let (prefill_threads, decode_threads) = check::threads(&options, cpu.team.threads());
        Ok(Session {
            tokenizer,
            decoder: Decoder::new(model, &plan, cpu),
            plan,
            sampler: Sampler::new(options.sampling.clone(), vocabulary)?,
            chooser: None,
            answer: Answer::new(judge.clone(), tokenizer.longest(), &options),
            first: Track::new(judge, allowed.clone()),
            allowed,
            seen: Seen::new(&extent),
            batched: 0,
            has_logits: false,
            prompt_tokens,
            options,
            last_row: 0,
            ended: None,
            prefill_threads,
            decode_threads,
            timing: Timing::default(),
        })
    }

    /// The memory that was taken.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Times so far.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Takes the time of each stage of the model from now on ([`Session::stage_times`]).
    pub fn time_stages(&mut self) {
        self.decoder.time_stages();
    }

    /// What the stages of all passes took since [`Session::time_stages`]; `None` without it.
    pub fn stage_times(&self) -> Option<StageTimes> {
        self.decoder.stage_times()
    }

    /// What computes.
    pub fn cpu(&self) -> &Cpu {
        self.decoder.cpu()
    }

    /// Threads that run the prompt, at most those of the team.
    pub fn prefill_threads(&self) -> usize {
        self.prefill_threads
    }

    /// Threads that run generated tokens, at most those of the team.
    pub fn decode_threads(&self) -> usize {
        self.decode_threads
    }

    /// The logits that the next token will be chosen from, one for each entry of the vocabulary; of a session that has ended, those that the last one
    /// was chosen from.
    pub fn logits(&self) -> &[f32] {
        self.decoder.last_logits()
    }

    /// The tokens that are in the ring: prompt and answer, without what the next pass would run. With [`Options::window`] the last ones, as many as
    /// it holds.
    pub fn tokens(&self) -> &[TokenId] {
        self.seen.last()
    }

    /// Lets a sampler of the caller's choose the tokens, in place of the chain that the options describe.
    ///
    /// ```
    /// use siskin::sample::{Choice, Choose, Context, Distribution, Error};
    ///
    /// /// Always the second likeliest token.
    /// struct Second;
    ///
    /// impl Choose for Second {
    ///     fn choose(&mut self, logits: &[f32], context: &Context<'_>) -> Result<Choice, Error> {
    ///         let distribution = Distribution::new(logits, context.position)?;
    ///         let mut tokens: Vec<u32> = (0..logits.len() as u32).collect();
    ///         tokens.select_nth_unstable_by(1, |a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    ///         Ok(Choice { token: tokens[1], probability: 1.0, logprob: distribution.log_probability(tokens[1]) })
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), siskin::Error> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let mut session = model.session("The cat sat on the", &siskin::session::Options::default())?;
    /// session.choose_with(Box::new(Second));
    /// let first = session.steps().next().expect("a step")?;
    /// assert!(first.choice.is_some_and(|choice| choice.logprob.is_some()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn choose_with(&mut self, sampler: Box<dyn Choose + Send + 'm>) {
        self.chooser = Some(sampler);
    }

    /// The stop conditions, and what they have seen so far ([`Stops::describe`]).
    pub fn stops(&self) -> &Stops {
        self.answer.stops()
    }

    /// Why generation ended, once it has.
    pub fn ended(&self) -> Option<&Reason> {
        self.ended.as_ref()
    }

    /// Whether the flag of [`Options::cancelled`] is set.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.options.cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// The memory that a session is to take, which the system has.
fn plan(
    model: &Model,
    tokenizer: &Tokenizer,
    cpu: &Cpu,
    extent: Extent,
    options: &Options,
) -> Result<Plan, Error> {
    let positions = extent.longest();
    let plan = extent.plan(model, tokenizer.longest(), cpu.team.threads(), options);
    let plan = plan.ok_or(Error::TooLarge { positions })?;
    machine::require(plan.owned()).map_err(|needed| Error::Memory { positions, needed })?;
    Ok(plan)
}
