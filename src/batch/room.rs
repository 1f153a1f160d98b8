//! How much a batch has room for, and what memory that takes, before it is made.

use super::{Batch, Job};
use crate::kv::KvType;
use crate::kv::shape::BranchShape;
use crate::model::{self, Model, Plan};
use crate::session::{Allowed, context};
use crate::tokenizer::TokenId;

/// What a batch has room for: a number of sequences, each with the choice of tokens that takes most, and positions that they share, of which each
/// takes as many as its job can come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    sequences: usize,
    /// Positions that each job can come to.
    needs: Vec<usize>,
    /// Positions of the longest.
    positions: usize,
    /// Whether there are as many positions as sequences need on average, in place of the most that they can need.
    narrow: bool,
    kv_type: KvType,
    /// Bytes that a job takes while it is at work, beside its tokens.
    job_bytes: usize,
}

impl Room {
    /// Room for so many sequences, at least one, of no length yet, with keys and values in half precision.
    pub fn new(sequences: usize) -> Room {
        let (sequences, kv_type) = (sequences.max(1), KvType::F16);
        Room { sequences, needs: Vec::new(), positions: 1, narrow: false, kv_type, job_bytes: 0 }
    }

    /// The same for another number of sequences.
    #[must_use]
    pub fn with_sequences(self, sequences: usize) -> Room {
        Room { sequences: sequences.max(1), ..self }
    }

    /// The same with keys and values stored otherwise.
    #[must_use]
    pub fn with_kv_type(self, kv_type: KvType) -> Room {
        Room { kv_type, ..self }
    }

    /// The same with fewer positions: as many as the sequences need on average. Where longer ones come together, some wait until others have ended.
    #[must_use]
    pub fn narrow(self) -> Room {
        Room { narrow: true, ..self }
    }

    /// Sequences side by side, at most.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// How keys and values are stored.
    pub fn kv_type(&self) -> KvType {
        self.kv_type
    }

    /// Positions of the longest.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Positions of all sequences together: those of the longest jobs, as many as can be side by side, so that none has to wait for positions. If it is
    /// [narrow](Room::narrow), those of as many average jobs. In any case those of the longest job.
    pub fn shared(&self) -> usize {
        let count = self.sequences.min(self.needs.len());
        let add = |sum: usize, n: &usize| sum.saturating_add(*n);
        let together = if self.narrow {
            let all = self.needs.iter().fold(0, add);
            all.saturating_mul(count).div_ceil(self.needs.len().max(1))
        } else {
            let mut needs = self.needs.clone();
            needs.sort_unstable();
            needs.iter().rev().take(count).fold(0, add)
        };
        together.max(self.positions)
    }

    /// Makes room for a job: min(prompt + max tokens, context) positions. A job whose prompt is longer than the context, which cannot run, needs none.
    pub fn extend(&mut self, model: &Model, job: &Job) {
        let Job { prompt, options } = job;
        if prompt.len() > context(model, options) {
            return;
        }
        let positions = job.positions(model);
        self.positions = self.positions.max(positions);
        self.needs.push(positions);
        let vocabulary = model.weights().vocabulary();
        let sampling = options.sampling.clone().within(positions);
        let bytes = sampling.scratch_bytes(vocabulary) + Allowed::bytes(vocabulary, options);
        self.job_bytes = self.job_bytes.max(bytes);
    }

    /// What a batch of this room takes with a team of `threads`; `None` if no machine could hold it.
    pub fn plan(&self, model: &Model, threads: usize) -> Option<Plan> {
        let Room { sequences: count, positions, kv_type, job_bytes, .. } = *self;
        let shared = self.shared();
        // two at least: a run of one would be a branch of a trunk
        let run = model::plan::most_tokens(model)?.min(positions).max(2);
        let histories = shared.checked_mul(size_of::<TokenId>())?;
        let job = model::Job {
            positions: 1,
            sinks: None,
            prompt: Some(1),
            branches: BranchShape { count, positions, shared, run },
            kv_type,
            threads,
            sampler_bytes: Batch::record_bytes(count, model.weights().vocabulary())?,
            search_bytes: count.checked_mul(job_bytes)?.checked_add(histories)?,
        };
        Plan::new(model, job)
    }
}
