//! Many prompts through one model: several sequences side by side, so that a pass reads the weights once for all of them.
//!
//! All sequences share the positions of the cache: each takes as many as its job can come to, so that many short ones run where few long ones
//! would. When one ends, the next that there is room for takes its place, and its prompt is read in the passes in which the others go on
//! (continuous batching); jobs begin in their order. For whoever has a list of prompts; a single one is a [`crate::session::Session`]'s.
//!
//! # What a text depends on
//! With room for one sequence, a text is the one that a session generates. With room for more, rows are computed as in large batches,
//! which round differently ([`Decoder::round_alike`]): then a text is the same whatever is beside it, in whatever order the prompts come, and
//! however many sequences there is room for. It may part from a session's where two tokens are within rounding of each other. In both cases,
//! models with LongRoPE choose their frequencies by the longest sequence that there is room for.
//!
//! ```
//! use siskin::batch::{Batch, Job, Room};
//! use siskin::session::Options;
//!
//! # fn main() -> Result<(), siskin::Error> {
//! let model = siskin::Model::open("models/builtin.gguf")?;
//! let options = Options { max_tokens: 12, ..Options::default() };
//! let texts = ["Once upon a time", "The cat sat on the", "One day, a little dog"];
//! let jobs = texts.map(|text| Job { prompt: model.encode(text), options: options.clone() });
//! let mut room = Room::new(2);
//! jobs.iter().for_each(|job| room.extend(model.network(), job));
//!
//! let mut batch: Batch = model.batch(&room)?;
//! for finished in batch.run(jobs) {
//!     let done = finished.result?;
//!     println!("{}{} ({})", texts[finished.index], done.text, done.reason);
//! }
//! # Ok(())
//! # }
//! ```

mod room;
mod slot;

pub use room::Room;

use crate::machine;
use crate::model::{Decoder, Model, Plan};
use crate::ops::Cpu;
use crate::session::{Error, Options, Pieces, Timing, check_model, context};
use crate::stop::Reason;
use crate::tokenizer::{TokenId, Tokenizer};
use slot::Slot;
use std::collections::VecDeque;
use std::fmt;
use std::iter::{Enumerate, Peekable};
use std::ops::Range;
use std::time::Instant;

/// A prompt, and what is asked of its continuation.
#[derive(Clone, Debug)]
pub struct Job {
    /// The prompt.
    pub prompt: Vec<TokenId>,
    /// Length, stop conditions, choice of tokens. How keys and values are stored, how many threads there are and how many branches is the
    /// batch's own business; a window is left out; a grammar's memory is not part of the plan.
    pub options: Options,
}

impl Job {
    /// Positions that it can come to: its prompt's and as many as it may generate, within the context.
    fn positions(&self, model: &Model) -> usize {
        self.prompt.len().saturating_add(self.options.max_tokens).min(context(model, &self.options))
    }
}

/// A continuation that has come to its end.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// Its tokens, with the one that ended it.
    pub tokens: Vec<TokenId>,
    /// Its text, without what stop conditions cut off.
    pub text: String,
    /// Why it ended.
    pub reason: Reason,
}

/// What became of a job.
#[derive(Debug)]
pub struct Finished {
    /// The number that it was started with.
    pub index: usize,
    /// Its continuation, or what is wrong with the job; the others go on in any case.
    pub result: Result<Done, Error>,
}

/// Sequences side by side. See the module's text.
pub struct Batch<'m> {
    model: &'m Model,
    tokenizer: &'m Tokenizer,
    decoder: Decoder<'m>,
    plan: Plan,
    /// Slot `i` has branch `i` of the cache, with as many positions as its job can come to; nothing is in the trunk.
    slots: Vec<Option<Slot>>,
    /// The pass that is being taken: slots, and which of their tokens it runs.
    runs: Vec<(usize, Range<usize>)>,
    /// Slots that can choose a token after it, and the rows that say which.
    choosing: Vec<usize>,
    rows: Vec<usize>,
    /// `rows x vocabulary`.
    logits: Vec<f32>,
    finished: VecDeque<Finished>,
    pieces: Pieces<'m>,
    prefill_threads: usize,
    decode_threads: usize,
    timing: Timing,
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("free", &self.free())
            .field("plan", &self.plan)
            .field("timing", &self.timing)
            .finish_non_exhaustive()
    }
}

impl<'m> Batch<'m> {
    /// Allocates what the room's plan says, but for what each job needs while it is at work: [`Plan::search`] counts that.
    ///
    /// # Errors
    ///
    /// If the system refuses the memory, or tokenizer and model do not fit each other.
    pub fn new(
        model: &'m Model,
        tokenizer: &'m Tokenizer,
        cpu: Cpu,
        room: &Room,
    ) -> Result<Batch<'m>, Error> {
        let vocabulary = check_model(model, tokenizer, room.kv_type())?;
        let (positions, threads) = (room.positions(), cpu.team.threads());
        let plan = room.plan(model, threads).ok_or(Error::TooLarge { positions })?;
        machine::require(plan.owned()).map_err(|needed| Error::Memory { positions, needed })?;
        let count = room.sequences();
        let mut decoder = Decoder::new(model, &plan, cpu);
        decoder.branch(count);
        if count > 1 {
            decoder.round_alike();
        }
        Ok(Batch {
            model,
            tokenizer,
            pieces: Pieces::new(tokenizer),
            decoder,
            plan,
            slots: (0..count).map(|_| None).collect(),
            runs: Vec::with_capacity(count),
            choosing: Vec::with_capacity(count),
            rows: Vec::with_capacity(count),
            logits: vec![0.0; count * vocabulary],
            finished: VecDeque::with_capacity(count),
            prefill_threads: threads,
            decode_threads: threads,
            timing: Timing::default(),
        })
    }

    /// Bytes that [`Batch::new`] allocates beside the decoder.
    fn record_bytes(count: usize, vocabulary: usize) -> Option<usize> {
        let each = size_of::<Option<Slot>>() + size_of::<(usize, Range<usize>)>() + size_of::<Finished>();
        let each = each + 2 * size_of::<usize>();
        count.checked_mul(vocabulary.checked_mul(size_of::<f32>())?.checked_add(each)?)
    }

    /// Lets fewer threads of the team take part: in passes that read prompts, and in the others.
    pub fn limit_threads(&mut self, prefill: usize, decode: usize) {
        let all = self.decoder.cpu().team.threads();
        (self.prefill_threads, self.decode_threads) = (prefill.clamp(1, all), decode.clamp(1, all));
    }

    /// The memory that was taken.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What computes.
    pub fn cpu(&self) -> &Cpu {
        self.decoder.cpu()
    }

    /// Times so far, of passes: those that read prompts count as prefill with all of their tokens, those of generated tokens only as decode.
    pub fn timing(&self) -> Timing {
        self.timing
    }

    /// Sequences that are free. Whether a job can be started is a matter of positions too: [`Batch::start`] tells.
    pub fn free(&self) -> usize {
        self.slots.iter().filter(|slot| slot.is_none()).count()
    }

    /// Whether no job is at work.
    pub fn is_idle(&self) -> bool {
        self.slots.iter().all(Option::is_none)
    }

    /// Tokens that jobs at work have run, prompts included.
    pub fn tokens_at_work(&self) -> usize {
        self.slots.iter().flatten().map(Slot::done).sum()
    }

    /// Starts a job, if a sequence and as many positions are free as it can come to; `index` is what it is called when it has finished. One that
    /// makes no sense finishes at once. Whether it was started: if not, passes until another job has ended make room. When all are idle, there
    /// is room for any.
    #[must_use]
    pub fn start(&mut self, index: usize, job: &Job) -> bool {
        let positions = job.positions(self.model).min(self.plan.branches.positions);
        let free = self.slots.iter().position(Option::is_none);
        let Some(free) = free.filter(|_| positions <= self.decoder.free_to_share()) else { return false };
        match Slot::new(self.model, self.tokenizer, &self.plan, index, job) {
            Ok(slot) => {
                self.decoder.give_branch(free, positions);
                self.slots[free] = Some(slot);
            }
            Err(error) => self.finished.push_back(Finished { index, result: Err(error) }),
        }
        true
    }

    /// Takes a job that has finished.
    pub fn take(&mut self) -> Option<Finished> {
        self.finished.pop_front()
    }

    /// One pass: a token of each sequence, and the next tokens of prompts as far as there is room for them. Does nothing when all are idle.
    pub fn step(&mut self) {
        let start = Instant::now();
        self.gather();
        if self.runs.is_empty() {
            return;
        }
        let rows: usize = self.runs.iter().map(|(_, tokens)| tokens.len()).sum();
        let reads_prompts = self.runs.iter().any(|(slot, _)| self.reads_prompt(*slot));
        let threads = if reads_prompts { self.prefill_threads } else { self.decode_threads };
        self.decoder.limit_threads(threads);
        self.forward();
        self.choose();
        let (time, tokens) = match reads_prompts {
            true => (&mut self.timing.prefill, &mut self.timing.prefill_tokens),
            false => (&mut self.timing.decode, &mut self.timing.decode_tokens),
        };
        *time += start.elapsed();
        *tokens += rows;
    }

    fn reads_prompt(&self, slot: usize) -> bool {
        self.slots[slot].as_ref().is_some_and(Slot::reads_prompt)
    }

    /// What the next pass runs: generated tokens first, for which there is always room, and a part of at least one prompt.
    fn gather(&mut self) {
        self.runs.clear();
        let mut room = self.decoder.max_batch();
        for reads_prompt in [false, true] {
            for (index, slot) in self.slots.iter().enumerate() {
                let Some(slot) = slot.as_ref().filter(|slot| slot.reads_prompt() == reads_prompt) else {
                    continue;
                };
                let tokens = slot.next();
                if tokens.len() <= room {
                    room -= tokens.len();
                    self.runs.push((index, tokens));
                }
            }
        }
    }

    /// Runs what was gathered, and computes the logits of those that can choose.
    fn forward(&mut self) {
        let slots = &self.slots;
        let tokens = |(index, tokens): &(usize, Range<usize>)| {
            slots[*index].as_ref().map(|slot| (*index, slot.tokens(tokens.clone())))
        };
        self.decoder.forward_runs(self.runs.iter().filter_map(tokens));
        self.choosing.clear();
        self.rows.clear();
        let mut row = 0;
        for (index, tokens) in &self.runs {
            row += tokens.len();
            if let Some(slot) = &mut self.slots[*index]
                && slot.has_run(tokens.len())
            {
                self.choosing.push(*index);
                self.rows.push(row - 1);
            }
        }
        if !self.rows.is_empty() {
            let vocabulary = self.model.weights().vocabulary();
            self.decoder.logits_at(&self.rows, &mut self.logits[..self.rows.len() * vocabulary]);
        }
    }

    /// Chooses the next tokens, and lets go of the jobs that end with them.
    fn choose(&mut self) {
        let vocabulary = self.model.weights().vocabulary();
        for (&index, logits) in self.choosing.iter().zip(self.logits.chunks_exact(vocabulary)) {
            let Some(slot) = &mut self.slots[index] else { continue };
            let chosen = slot.choose(&mut self.pieces, logits);
            if !matches!(chosen, Ok(false))
                && let Some(slot) = self.slots[index].take()
            {
                self.decoder.give_branch(index, 0);
                self.finished.push_back(slot.finish(&mut self.pieces, chosen.err()));
            }
        }
    }

    /// Runs jobs, numbered from 0, and yields each when it has finished: not in their order, but as soon as possible.
    pub fn run<I: IntoIterator<Item = Job>>(&mut self, jobs: I) -> Run<'_, 'm, I::IntoIter> {
        Run { batch: self, jobs: jobs.into_iter().enumerate().peekable() }
    }
}

/// Jobs on their way, as an iterator; see [`Batch::run`].
#[must_use = "no job is run until it is asked for the next one that has finished"]
pub struct Run<'b, 'm, I: Iterator> {
    batch: &'b mut Batch<'m>,
    jobs: Peekable<Enumerate<I>>,
}

impl<I: Iterator> fmt::Debug for Run<'_, '_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("batch", &self.batch).finish_non_exhaustive()
    }
}

impl<I: Iterator<Item = Job>> Iterator for Run<'_, '_, I> {
    type Item = Finished;

    fn next(&mut self) -> Option<Finished> {
        loop {
            if let Some(finished) = self.batch.take() {
                return Some(finished);
            }
            let batch = &mut self.batch;
            while self.jobs.next_if(|(index, job)| batch.start(*index, job)).is_some() {}
            if self.batch.finished.is_empty() && self.batch.is_idle() {
                return None;
            }
            self.batch.step();
        }
    }
}
