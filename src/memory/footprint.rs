//! What a run takes: the sum of what its parts say of themselves.

use crate::gguf::Gguf;
use crate::model::{Model, Plan};
use crate::threads::STACK_BYTES;
use crate::tokenizer::{self, Size};

/// Memory of the program itself, about: its code's data, the main thread's stack, tables of the file's header, buffers for reading and writing.
pub const PROGRAM_BYTES: u64 = 2 << 20;

/// Memory of a run, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// The file, as it is mapped, and what else is.
    pub mapped: u64,
    /// The file, if it is read into memory instead.
    pub weights: u64,
    /// Of it, what one token reads.
    pub read_per_token: u64,
    /// Keys and values of a run that has come to its end that the last token reads.
    pub kv_read: u64,
    /// What decoder and session allocate.
    pub plan: Plan,
    /// What the tokenizer allocates.
    pub tokenizer: tokenizer::Size,
    /// Stacks of the threads that are started; address space, of which little is touched.
    pub stacks: u64,
}

impl Footprint {
    /// The footprint of a plan that was made for this file, this model and so many threads.
    pub fn new(
        file: &Gguf,
        model: &Model,
        plan: Plan,
        tokenizer: tokenizer::Size,
        threads: usize,
    ) -> Footprint {
        Footprint {
            mapped: file.file_bytes(),
            weights: 0,
            read_per_token: model.weights().bytes_per_token() as u64,
            kv_read: plan.kv_read(model, plan.longest()) as u64,
            plan,
            tokenizer,
            stacks: (threads.saturating_sub(1) as u64).saturating_mul(STACK_BYTES as u64),
        }
    }

    /// The same with the file read into memory ([`Gguf::read`]) instead of mapped.
    #[must_use]
    pub fn in_memory(self) -> Footprint {
        Footprint { mapped: 0, weights: self.mapped.saturating_add(self.weights), ..self }
    }

    /// The same with so many bytes more of mapped files, such as a prompt cache that a session reads from ([`crate::Session::mapped_bytes`]).
    #[must_use]
    pub fn with_mapped(self, bytes: usize) -> Footprint {
        Footprint { mapped: self.mapped.saturating_add(bytes as u64), ..self }
    }

    /// What a tokenizer takes by itself, without a model at work.
    pub fn of_tokenizer(file: &Gguf, tokenizer: tokenizer::Size) -> Footprint {
        Footprint {
            mapped: file.file_bytes(),
            weights: 0,
            read_per_token: 0,
            kv_read: 0,
            plan: Plan::default(),
            tokenizer,
            stacks: 0,
        }
    }

    /// All that is allocated when the run begins.
    pub fn owned(&self) -> u64 {
        let parts = [self.plan.owned() as u64, self.tokenizer.owned as u64, self.weights];
        parts.into_iter().fold(0, u64::saturating_add)
    }

    /// The most that is allocated at a time: of a large vocabulary, tables are built from others that are gone when the run begins.
    pub fn most_owned(&self) -> u64 {
        let Size { owned, building, .. } = self.tokenizer;
        self.owned().max(self.weights.saturating_add(owned as u64).saturating_add(building as u64))
    }

    /// All that cannot be dropped: what is allocated, stacks and the program itself.
    pub fn needed(&self) -> u64 {
        self.most_owned().saturating_add(self.stacks).saturating_add(PROGRAM_BYTES)
    }

    /// Address space: what is needed, and the file.
    pub fn address_space(&self) -> u64 {
        self.needed().saturating_add(self.mapped)
    }

    /// Bytes that the last token reads: weights, keys and values.
    pub fn bytes_per_token(&self) -> u64 {
        self.read_per_token.saturating_add(self.kv_read)
    }
}
