//! A session: a prompt goes in (prefill), tokens come out one at a time (decode), until a stop condition holds.
//!
//! Owns the decoder with its ring, the sampler and the stop conditions; knows no terminal. Everything it needs is allocated in
//! [`Session::new`]; a step allocates nothing.
//!
//! A session for a conversation ([`Session::with_positions`]) answers one prompt after another: [`Session::resume`] keeps what the next
//! prompt has in common with the tokens that are in the ring, so that only new ones are run.

use crate::kv::KvType;
use crate::model::{Decoder, Job, Model, Plan};
use crate::ops::Cpu;
use crate::sample::{self, Sampler};
use crate::stop::{self, Reason, Stops};
use crate::tokenizer::{TextStream, TokenId, Tokenizer};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Why a session cannot be started or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing to continue.
    #[error("the prompt is empty: 0 tokens, expected at least 1. Try a few words")]
    EmptyPrompt,
    /// The prompt has more tokens than the context. Nothing is ever cut off silently.
    #[error("the prompt has {tokens} tokens, more than the context of {context}. Try a shorter prompt{hint}")]
    PromptTooLong {
        /// Tokens of the prompt.
        tokens: usize,
        /// Tokens of the context.
        context: usize,
        /// What else to try.
        hint: &'static str,
    },
    /// A token id that the vocabulary does not have.
    #[error("token id {token} is out of range: the vocabulary has {vocabulary} tokens, 0 to {}", vocabulary - 1)]
    TokenRange {
        /// The id.
        token: TokenId,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
    /// The tokenizer and the weights are not of one model.
    #[error(
        "the tokenizer has {tokens} tokens, but the model's vocabulary has {vocabulary}. The file is inconsistent"
    )]
    Vocabulary {
        /// Tokens of the tokenizer.
        tokens: usize,
        /// Rows of the embedding.
        vocabulary: usize,
    },
    /// No machine has this much memory.
    #[error("a context of {positions} tokens needs more memory than can be addressed. Try a smaller one")]
    TooLarge {
        /// Positions asked for.
        positions: usize,
    },
    /// The logits could not be handed on.
    #[error("logits: {0}")]
    Sink(#[from] io::Error),
    /// Sampling options that make no sense, or logits that no token can be chosen from.
    #[error(transparent)]
    Sample(#[from] sample::Error),
    /// Stop conditions that make no sense.
    #[error(transparent)]
    Stop(#[from] stop::Error),
}

/// What a session is asked to do.
#[derive(Clone, Debug)]
pub struct Options {
    /// Tokens to generate at most.
    pub max_tokens: usize,
    /// Positions to use of the model's context; `None` for all that it was trained with.
    pub context: Option<usize>,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Texts that end the generation; they are not part of its text.
    pub stop_texts: Vec<String>,
    /// Go on after end-of-text tokens.
    pub ignore_eos: bool,
    /// How tokens are chosen.
    pub sampling: sample::Options,
    /// Threads of the team that run the prompt; `None` for all.
    pub prefill_threads: Option<usize>,
    /// Threads of the team that run generated tokens; `None` for all.
    pub decode_threads: Option<usize>,
    /// Ends the generation, before the next token, once it is set: by a signal handler or another thread.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for Options {
    /// At most 256 tokens, greedy, stopped by end-of-text tokens or the model's context.
    fn default() -> Options {
        let sampling = sample::Options::default();
        Options {
            max_tokens: 256,
            context: None,
            kv_type: KvType::F16,
            stop_texts: Vec::new(),
            ignore_eos: false,
            sampling,
            prefill_threads: None,
            decode_threads: None,
            cancelled: None,
        }
    }
}

/// One generated token.
#[derive(Debug)]
pub struct Step<'s> {
    /// The token, with its log-probability; `None` when generation ended before one was chosen.
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
    /// Tokens of the prompt.
    pub prefill_tokens: usize,
    /// Time to choose tokens and run each.
    pub decode: Duration,
    /// Tokens chosen.
    pub decode_tokens: usize,
}

/// Is handed the logits after each token that is run, in order: one value for each entry of the vocabulary. Its error ends the run.
pub type LogitSink<'a> = dyn FnMut(&[f32]) -> io::Result<()> + 'a;

/// One sequence of tokens and its model at work. See the module's text.
pub struct Session<'m> {
    tokenizer: &'m Tokenizer,
    decoder: Decoder<'m>,
    plan: Plan,
    sampler: Sampler,
    stops: Stops,
    stream: TextStream,
    /// The tokens in the ring.
    seen: Vec<TokenId>,
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
}

impl<'m> Session<'m> {
    /// A session for a prompt, with memory for it and for the answer: the ring holds min(prompt + max tokens, context).
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
        let positions = prompt.len().saturating_add(options.max_tokens).min(context);
        let mut session = Session::allocate(model, tokenizer, cpu, positions, options)?;
        session.stops = Stops::new(stop_options(options, context, prompt.len()))?;
        Ok(session)
    }

    /// A session for several prompts, each given to [`Session::resume`], with memory for `positions` tokens of prompt and answer
    /// together, or for the whole context if that is less.
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
        let positions = positions.min(context(model, options)).max(1);
        Session::allocate(model, tokenizer, cpu, positions, options)
    }

    fn allocate(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        positions: usize,
        options: &Options,
    ) -> Result<Self, Error> {
        let vocabulary = model.weights().vocabulary();
        if tokenizer.len() > vocabulary {
            return Err(Error::Vocabulary { tokens: tokenizer.len(), vocabulary });
        }
        let sampler_bytes = options.sampling.scratch_bytes(vocabulary);
        let job = Job { positions, kv_type: options.kv_type, threads: cpu.team.threads(), sampler_bytes };
        let (prefill_threads, decode_threads) = threads(options, cpu.team.threads());
        let plan = Plan::new(model, job).ok_or(Error::TooLarge { positions })?;
        let longest = (0..tokenizer.len() as TokenId)
            .filter_map(|id| tokenizer.token(id))
            .map(|token| token.bytes.len())
            .max();
        let longest = longest.unwrap_or(0);
        let stops = Stops::new(stop_options(options, positions, 0))?;
        let held = longest + options.stop_texts.iter().map(String::len).max().unwrap_or(0);
        Ok(Session {
            tokenizer,
            decoder: Decoder::new(model, &plan, cpu),
            plan,
            sampler: Sampler::new(options.sampling, vocabulary)?,
            stops,
            stream: TextStream::new(),
            seen: Vec::with_capacity(positions),
            options: options.clone(),
            last_row: 0,
            ended: None,
            prefill_threads,
            decode_threads,
            timing: Timing::default(),
            piece: Vec::with_capacity(longest),
            certain: Vec::with_capacity(held),
            // An invalid byte becomes three.
            text: String::with_capacity(held * 3 + 16),
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

    /// The logits that the next token will be chosen from, one for each entry of the vocabulary.
    pub fn logits(&self) -> &[f32] {
        self.decoder.last_logits()
    }

    /// The tokens that are in the ring: prompt and answer, without what the next pass would run.
    pub fn tokens(&self) -> &[TokenId] {
        &self.seen
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
        let stops = Stops::new(stop_options(&self.options, context, prompt.len()))?;
        let common = self.seen.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // A cache that cannot go back that far forgets more.
        let kept = self.decoder.truncate(common.min(prompt.len() - 1));
        self.seen.truncate(kept);
        self.stops = stops;
        self.stream = TextStream::new();
        self.ended = None;
        self.timing = Timing::default();
        Ok(self.seen.len())
    }

    /// Runs the prompt in batches, without the tokens that [`Session::resume`] kept. Only its last token's logits are computed, unless
    /// a sink asks for all. `progress` is told how many tokens were run after each batch.
    ///
    /// # Errors
    ///
    /// The sink's.
    ///
    /// # Panics
    ///
    /// If this is not the prompt that the session was made for or resumed with.
    pub fn prefill(
        &mut self,
        prompt: &[TokenId],
        mut progress: impl FnMut(usize),
        mut sink: Option<&mut LogitSink<'_>>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        self.decoder.limit_threads(self.prefill_threads);
        let new = &prompt[self.seen.len()..];
        for batch in new.chunks(even_batch(new.len(), self.decoder.max_batch())) {
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
            self.decoder.logits(self.last_row);
            self.ended = self.stops.check();
        }
        self.timing.prefill += start.elapsed();
        Ok(())
    }

    /// Chooses the next token, runs it, and says what became of the text.
    ///
    /// # Errors
    ///
    /// If the logits are no numbers, or the sink fails.
    ///
    /// # Panics
    ///
    /// If [`Session::prefill`] was not called.
    pub fn step(&mut self, sink: Option<&mut LogitSink<'_>>) -> Result<Step<'_>, Error> {
        let start = Instant::now();
        self.text.clear();
        self.ended = self.ended.take().or_else(|| self.stops.check());
        let choice = if self.ended.is_some() { None } else { Some(self.choose()?) };
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
    fn choose(&mut self) -> Result<sample::Choice, Error> {
        let position = self.decoder.position();
        let choice = self.sampler.sample(self.decoder.last_logits(), position as u64)?;
        self.timing.decode_tokens += 1;
        self.piece.clear();
        self.tokenizer.piece(choice.token, &mut self.piece);
        self.certain.clear();
        let is_eog = self.tokenizer.is_eog(choice.token);
        self.ended = self.stops.step(choice.token, is_eog, &self.piece, &mut self.certain);
        self.stream.push(&self.certain, &mut self.text);
        Ok(choice)
    }

    fn advance(&mut self, token: TokenId, sink: Option<&mut LogitSink<'_>>) -> Result<(), Error> {
        self.decoder.limit_threads(self.decode_threads);
        self.run(&[token]);
        self.last_row = 0;
        let logits = self.decoder.logits(0);
        match sink {
            Some(sink) => Ok(sink(logits)?),
            None => Ok(()),
        }
    }

    fn run(&mut self, tokens: &[TokenId]) {
        self.decoder.forward(tokens);
        self.seen.extend_from_slice(tokens);
    }

    /// Releases what the stop texts and the character decoder hold back.
    fn flush(&mut self) {
        self.certain.clear();
        self.stops.finish(&mut self.certain);
        self.stream.push(&self.certain, &mut self.text);
        self.stream.finish(&mut self.text);
    }

    fn is_cancelled(&self) -> bool {
        self.options.cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed))
    }
}

/// The length of batches that a prompt is cut into: as few as possible and about as long as each other, because short ones cost as much as
/// longer ones.
fn even_batch(tokens: usize, max: usize) -> usize {
    let batches = tokens.div_ceil(max).max(1);
    tokens.div_ceil(batches).max(1)
}

/// Positions of the model that are to be used.
fn context(model: &Model, options: &Options) -> usize {
    options.context.map_or(model.config().context, |n| n.min(model.config().context))
}

fn stop_options(options: &Options, context: usize, prompt_tokens: usize) -> stop::Options {
    stop::Options {
        ignore_eos: options.ignore_eos,
        max_tokens: Some(options.max_tokens),
        texts: options.stop_texts.clone(),
        context: Some(context),
        prompt_tokens,
        cancelled: options.cancelled.clone(),
    }
}

/// Threads for prefill and for decode, of a team of `all`.
fn threads(options: &Options, all: usize) -> (usize, usize) {
    let within = |threads: Option<usize>| threads.unwrap_or(all).clamp(1, all);
    (within(options.prefill_threads), within(options.decode_threads))
}

fn check_prompt(
    prompt: &[TokenId],
    vocabulary: usize,
    context: usize,
    options: &Options,
) -> Result<(), Error> {
    if prompt.is_empty() {
        return Err(Error::EmptyPrompt);
    }
    if let Some(&token) = prompt.iter().find(|&&token| token as usize >= vocabulary) {
        return Err(Error::TokenRange { token, vocabulary });
    }
    if prompt.len() > context {
        let hint = if options.context.is_some() { " or a larger context" } else { "" };
        return Err(Error::PromptTooLong { tokens: prompt.len(), context, hint });
    }
    Ok(())
}
