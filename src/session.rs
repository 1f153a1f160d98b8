//! A session: a prompt goes in (prefill), tokens come out one at a time (decode), until a stop condition holds.
//!
//! Owns the decoder with its ring, the sampler and the stop conditions; knows no terminal. Everything it needs is allocated in
//! [`Session::new`]; a step allocates nothing, unless the text is held to a grammar.
//!
//! A session for a conversation ([`Session::with_positions`]) answers one prompt after another: [`Session::resume`] keeps what the next
//! prompt has in common with the tokens that are in the ring, so that only new ones are run.

mod allowed;
mod branches;
mod cache;
mod error;
mod extent;
mod options;
mod paths;
mod pieces;
mod replace;
mod samples;
mod seen;
mod steps;
mod track;
mod window;

use crate::kv::KvType;
use crate::machine;
use crate::model::{Decoder, Model, Plan, StageTimes};
use crate::ops::{Cpu, STEADY_BATCH};
use crate::sample::{self, Choose, Distribution, Observer, Sampler};
use crate::stop::{self, Judge, Reason, Stops, Token};
use crate::tokenizer::{TextStream, TokenId, Tokenizer};
use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

pub(crate) use allowed::Allowed;
pub use cache::CacheError;
pub use error::Error;
pub use extent::Extent;
pub use options::Options;
pub(crate) use paths::{Hypothesis, Paths};
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
    /// The conditions before the first token, and how far they have come.
    conditions: Judge,
    stops: Stops,
    stream: TextStream,
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
    piece: Vec<u8>,
    certain: Vec<u8>,
    text: String,
    /// Which tokens may come next, and which could come first.
    allowed: Allowed,
    first_allowed: Allowed,
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
        let mut session = Session::allocate(model, tokenizer, cpu, extent, options)?;
        session.conditions = Judge::new(&stop_options(options, context, prompt.len()))?;
        session.stops = Stops::of(session.conditions.clone());
        session.prompt_tokens = prompt.len();
        Ok(session)
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
        Session::allocate(model, tokenizer, cpu, extent, options)
    }

    fn allocate(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        extent: Extent,
        options: &Options,
    ) -> Result<Self, Error> {
        Window::check(options, model)?;
        let vocabulary = check_model(model, tokenizer, options.kv_type)?;
        let mut options = options.clone();
        options.sampling = options.sampling.within(extent.longest());
        let (prefill_threads, decode_threads) = threads(&options, cpu.team.threads());
        let (positions, longest) = (extent.positions, tokenizer.longest());
        let plan = extent.plan(model, longest, cpu.team.threads(), &options);
        let plan = plan.ok_or(Error::TooLarge { positions: extent.longest() })?;
        let refused = |needed| Error::Memory { positions: extent.longest(), needed };
        machine::require(plan.owned()).map_err(refused)?;
        let conditions = Judge::new(&stop_options(&options, positions, 0))?;
        let stops = Stops::of(conditions.clone());
        let (allowed, grammar) = Allowed::new(tokenizer, vocabulary, &options)?;
        let plan = plan.with_grammar(grammar);
        let held = extent::held(longest, &options);
        // samples are ordered by theirs
        options.sampling.logprobs |= stops.needs().logprob || options.branches > 0;
        Ok(Session {
            tokenizer,
            decoder: Decoder::new(model, &plan, cpu),
            plan,
            sampler: Sampler::new(options.sampling.clone(), vocabulary)?,
            chooser: None,
            conditions,
            stops,
            stream: TextStream::new(),
            seen: Seen::new(&extent),
            batched: 0,
            has_logits: false,
            prompt_tokens: 0,
            options,
            last_row: 0,
            ended: None,
            prefill_threads,
            decode_threads,
            timing: Timing::default(),
            piece: Vec::with_capacity(longest),
            certain: Vec::with_capacity(held),
            // An invalid byte becomes three.
            text: String::with_capacity(extent::text(held)),
            first_allowed: allowed.clone(),
            allowed,
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
        &self.stops
    }

    /// Why generation ended, once it has.
    pub fn ended(&self) -> Option<&Reason> {
        self.ended.as_ref()
    }
}

impl Session<'_> {
    /// Makes the session ready for another prompt, usually the last one with its answer and more behind them. Keeps the tokens that
    /// both begin with, forgets the others, and returns how many were kept: [`Session::prefill`] runs the rest. Times, stop
    /// conditions and held back text begin anew.
    ///
    /// At least the last token of the prompt is always run again, for its logits.
    ///
    /// # Errors
    ///
    /// If the prompt is empty, too long or has a token that is out of range; then nothing has changed.
    pub fn resume(&mut self, prompt: &[TokenId]) -> Result<usize, Error> {
        let context = self.plan.capacity;
        check_prompt(prompt, self.decoder.last_logits().len(), context, &self.options)?;
        let conditions = Judge::new(&stop_options(&self.options, context, prompt.len()))?;
        let stops = Stops::of(conditions.clone());
        let common = self.seen.in_common(prompt);
        // A cache that cannot go back that far forgets more.
        let kept = self.decoder.truncate(common.min(prompt.len() - 1));
        self.seen.truncate(kept);
        self.batched = self.batched.min(kept);
        self.has_logits = false;
        (self.conditions, self.stops, self.prompt_tokens) = (conditions, stops, prompt.len());
        self.allowed = self.first_allowed.clone();
        self.sampler.reset();
        if let Some(chooser) = &mut self.chooser {
            chooser.reset();
        }
        self.stream = TextStream::new();
        self.ended = None;
        let kept = self.seen.end();
        self.timing = Timing { kept_tokens: kept, ..Timing::default() };
        Ok(kept)
    }

    /// Runs the prompt in batches, without the tokens that [`Session::resume`] kept. Only its last token's logits are computed, unless
    /// a sink asks for all. `progress` is told how many tokens were run after each batch.
    ///
    /// # Errors
    ///
    /// The sink's; [`Error::OtherPrompt`] if this is not the prompt that the session was made for or resumed with. Then nothing has changed.
    pub fn prefill(
        &mut self,
        prompt: &[TokenId],
        mut progress: impl FnMut(usize),
        mut sink: Option<&mut LogitSink<'_>>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let (tokens, expected, run) = (prompt.len(), self.prompt_tokens, self.seen.end());
        check_prompt(prompt, self.logits().len(), self.plan.capacity, &self.options)?;
        if tokens != expected || self.seen.in_common(prompt) != run {
            return Err(Error::OtherPrompt { tokens, expected, run });
        }
        self.decoder.limit_threads(self.prefill_threads);
        let new = &prompt[run..];
        for batch in even_batches(new, self.decoder.max_batch()) {
            if self.is_cancelled() {
                self.ended = Some(Reason::Cancelled);
                break;
            }
            self.run(batch);
            self.last_row = batch.len() - 1;
            if let Some(sink) = sink.as_deref_mut() {
                (0..batch.len()).try_for_each(|row| sink(self.decoder.logits(row)))?;
            }
            self.timing.prefill_tokens += batch.len();
            progress(self.timing.prefill_tokens);
        }
        if self.ended.is_none() {
            if !self.has_logits {
                self.decoder.logits(self.last_row);
                self.has_logits = true;
            }
            self.ended = self.stops.check();
        }
        self.timing.prefill += start.elapsed();
        Ok(())
    }

    /// Chooses the next token, runs it, and says what became of the text.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, the sink fails, no prompt was run ([`Error::NotPrefilled`]), or the session was made for searches
    /// ([`Error::OnlySearches`]).
    pub fn step(&mut self, sink: Option<&mut LogitSink<'_>>) -> Result<Step<'_>, Error> {
        self.step_with(sink, None)
    }

    /// The same, and tells the observer what each step of the sampler's chain leaves. A caller's own sampler tells nothing.
    ///
    /// ```
    /// use siskin::sample::{Candidate, Observer};
    ///
    /// struct Left(Vec<(&'static str, usize)>);
    ///
    /// impl Observer for Left {
    ///     fn after(&mut self, step: &'static str, candidates: &[Candidate]) {
    ///         self.0.push((step, candidates.len()));
    ///     }
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let model = siskin::Model::open("models/builtin.gguf")?;
    /// let mut options = siskin::session::Options::default();
    /// (options.sampling.temperature, options.sampling.top_k) = (0.8, 5);
    /// let (mut session, mut left) = (model.session("The cat sat on the", &options)?, Left(Vec::new()));
    /// session.step_observed(&mut left)?;
    /// assert_eq!(left.0, [("top_k", 5), ("temperature", 5)]);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or no prompt was run ([`Error::NotPrefilled`]).
    pub fn step_observed(&mut self, observer: &mut dyn Observer) -> Result<Step<'_>, Error> {
        self.step_with(None, Some(observer))
    }

    fn step_with(
        &mut self,
        sink: Option<&mut LogitSink<'_>>,
        observer: Option<&mut dyn Observer>,
    ) -> Result<Step<'_>, Error> {
        let start = Instant::now();
        self.text.clear();
        self.ended = self.ended.take().or_else(|| self.stops.check()).or_else(|| self.allowed.ended());
        let choice = if self.ended.is_some() { None } else { Some(self.choose(observer)?) };
        if let (Some(choice), true) = (choice, self.ended.is_none() || sink.is_some()) {
            self.advance(choice.token, sink)?;
        }
        if self.ended.is_some() {
            self.flush();
        }
        self.timing.decode += start.elapsed();
        Ok(Step { choice, text: &self.text, stop: self.ended.as_ref() })
    }

    /// Samples from the current logits and lets the stop conditions see the token.
    fn choose(&mut self, observer: Option<&mut dyn Observer>) -> Result<sample::Choice, Error> {
        let choice = self.sample(observer)?;
        self.timing.decode_tokens += 1;
        self.piece.clear();
        self.tokenizer.piece(choice.token, &mut self.piece);
        self.certain.clear();
        let token = Token {
            id: choice.token,
            is_eog: self.tokenizer.is_eog(choice.token),
            piece: &self.piece,
            logprob: choice.logprob,
            entropy: self.stops.needs().entropy.then(|| sample::entropy(self.decoder.last_logits())),
        };
        let ended = self.stops.step(&token, &mut self.certain);
        self.ended = self.allowed.accept(choice.token, ended)?;
        self.stream.push(&self.certain, &mut self.text);
        Ok(choice)
    }

    /// Lets the caller's sampler choose by the current logits, or else the chain.
    fn sample(&mut self, observer: Option<&mut dyn Observer>) -> Result<sample::Choice, Error> {
        self.require_step()?;
        let position = self.decoder.position() as u64;
        self.allowed.look(self.stops.forbids_eog())?;
        let logits = self.decoder.last_logits();
        let context = sample::Context { position, history: self.seen.last(), allowed: self.allowed.words() };
        let mut choice = match (&mut self.chooser, observer) {
            (Some(chooser), _) => chooser.choose(logits, &context)?,
            (None, Some(observer)) => self.sampler.sample_observed(logits, &context, observer)?,
            (None, None) => self.sampler.sample(logits, &context)?,
        };
        if choice.token as usize >= logits.len() {
            return Err(Error::TokenRange { token: choice.token, vocabulary: logits.len() });
        }
        if choice.logprob.is_none() && self.options.sampling.logprobs {
            choice.logprob = Distribution::new(logits, position)?.log_probability(choice.token);
        }
        Ok(choice)
    }

    fn advance(&mut self, token: TokenId, sink: Option<&mut LogitSink<'_>>) -> Result<(), Error> {
        self.decoder.limit_threads(self.decode_threads);
        self.run(&[token]);
        self.last_row = 0;
        self.has_logits = true;
        let logits = self.decoder.logits(0);
        match sink {
            Some(sink) => Ok(sink(logits)?),
            None => Ok(()),
        }
    }

    fn run(&mut self, tokens: &[TokenId]) {
        self.decoder.forward(tokens);
        let steady = tokens.len() >= STEADY_BATCH && self.batched == self.seen.end();
        self.seen.extend(tokens);
        if steady {
            self.batched = self.seen.end();
        }
        self.has_logits = false;
    }

    /// Releases what the stop texts and the character decoder hold back.
    fn flush(&mut self) {
        self.certain.clear();
        self.stops.finish(&mut self.certain);
        self.stream.push(&self.certain, &mut self.text);
        self.stream.finish(&mut self.text);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.options.cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// Positions of the model that are to be used.
pub(crate) fn context(model: &Model, options: &Options) -> usize {
    options.context.map_or(model.config().context, |n| n.min(model.config().context))
}

/// Tokens in as few batches as possible, about as long as each other: short ones cost as much as longer ones, and round differently.
fn even_batches(tokens: &[TokenId], max: usize) -> impl Iterator<Item = &[TokenId]> {
    let count = tokens.len().div_ceil(max);
    (0..count).map(move |i| &tokens[i * tokens.len() / count..(i + 1) * tokens.len() / count])
}

/// The stop conditions of one generation.
pub(crate) fn stop_options(options: &Options, context: usize, prompt_tokens: usize) -> stop::Options {
    stop::Options {
        ignore_eos: options.ignore_eos,
        max_tokens: Some(options.max_tokens),
        texts: options.stop_texts.clone(),
        context: options.window.is_none().then_some(context),
        prompt_tokens,
        cancelled: options.cancelled.clone(),
        rules: options.stop.clone(),
    }
}

/// Threads for prefill and for decode, of a team of `all`.
fn threads(options: &Options, all: usize) -> (usize, usize) {
    let within = |threads: Option<usize>| threads.unwrap_or(all).clamp(1, all);
    (within(options.prefill_threads), within(options.decode_threads))
}

/// Refuses a tokenizer of another model, and keys and values that heads do not fill; returns the vocabulary.
pub(crate) fn check_model(model: &Model, tokenizer: &Tokenizer, kv_type: KvType) -> Result<usize, Error> {
    let vocabulary = model.weights().vocabulary();
    if tokenizer.len() > vocabulary {
        return Err(Error::Vocabulary { tokens: tokenizer.len(), vocabulary });
    }
    kv_type.check(model.config().heads.head_dim)?;
    Ok(vocabulary)
}

/// Refuses a prompt that no generation can begin with.
pub(crate) fn check_prompt(
    prompt: &[TokenId],
    vocabulary: usize,
    context: usize,
    options: &Options,
) -> Result<(), Error> {
    if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocabulary) {
        return Err(Error::TokenRange { token, vocabulary });
    }
    check_length(prompt.len(), context, options)
}

/// The same, of a prompt of which only the length is known.
fn check_length(tokens: usize, context: usize, options: &Options) -> Result<(), Error> {
    if tokens == 0 {
        return Err(Error::EmptyPrompt);
    }
    if tokens > context && options.window.is_none() {
        let hint = if options.context.is_some() { " or a larger context" } else { "" };
        return Err(Error::PromptTooLong { tokens, context, hint });
    }
    Ok(())
}
