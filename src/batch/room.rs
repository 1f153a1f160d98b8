//! How much a batch has room for, and what memory that takes, before it is made.

use super::{Batch, Job};
use crate::kv::KvType;
use crate::kv::shape::BranchShape;
use crate::model::{self, Model, Plan};
use crate::session::{Allowed, context};
use crate::stop;
use crate::tokenizer::TokenId;

/// What a batch has room for: a number of sequences, each as long as the longest of the jobs and with the choice of tokens that takes most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    sequences: usize,
    positions: usize,
    kv_type: KvType,
    /// Bytes that a job takes while it is at work, beside its tokens.
    job_bytes: usize,
}

impl Room {
    /// Room for so many sequences, at least one, of no length yet, with keys and values in half precision.
    pub fn new(sequences: usize) -> Room {
        Room { sequences: sequences.max(1), positions: 1, kv_type: KvType::F16, job_bytes: 0 }
    }

    /// The same for another number of sequences.
    pub fn with_sequences(self, sequences: usize) -> Room {
        Room { sequences: sequences.max(1), ..self }
    }

    /// The same with keys and values stored otherwise.
    pub fn with_kv_type(self, kv_type: KvType) -> Room {
        Room { kv_type, ..self }
    }

    /// Sequences side by side.
    pub fn sequences(&self) -> usize {
        self.sequences
    }

    /// How keys and values are stored.
    pub fn kv_type(&self) -> KvType {
        self.kv_type
    }

    /// Positions of each.
    pub fn positions(&self) -> usize {
        self.positions
    }

    /// Makes room for a job: min(prompt + max tokens, context) positions. A job whose prompt is longer than the context, which cannot run, needs none.
    pub fn extend(&mut self, model: &Model, Job { prompt, options }: &Job) {
        let context = context(model, options);
        if prompt.len() > context {
            return;
        }
        let positions = prompt.len().saturating_add(options.max_tokens).min(context);
        self.positions = self.positions.max(positions);
        let vocabulary = model.weights().vocabulary();
        let sampling = options.sampling.clone().within(positions);
        let bytes = sampling.scratch_bytes(vocabulary) + Allowed::bytes(vocabulary, options) + stop::RESERVED;
        self.job_bytes = self.job_bytes.max(bytes);
    }

    /// What a batch of this room takes with a team of `threads`; `None` if no machine could hold it.
    pub fn plan(&self, model: &Model, threads: usize) -> Option<Plan> {
        let Room { sequences: count, positions, kv_type, job_bytes } = *self;
        // two at least: a run of one would be a branch of a trunk
        let run = model::plan::most_tokens(model)?.min(positions).max(2);
        let history = positions.checked_mul(size_of::<TokenId>())?;
        let job = model::Job {
            positions: 1,
            sinks: None,
            prompt: Some(1),
            branches: BranchShape { count, positions, run },
            kv_type,
            threads,
            sampler_bytes: Batch::record_bytes(count, model.weights().vocabulary())?,
            search_bytes: count.checked_mul(job_bytes.checked_add(history)?)?,
        };
        Plan::new(model, job)
    }
}
