//! A model: its configuration and weights, what memory a run of it takes, and the pass from token ids to logits.
//!
//! Knows no text, terminal or file offsets. A family (`arch/`) is data: metadata to [`Config`], and the names of its tensors.

pub mod arch;
mod attention;
pub mod config;
pub mod decoder;
mod delta_net;
mod experts;
mod feed_forward;
pub mod keys;
mod per_layer;
pub mod plan;
pub mod scratch;
mod short_conv;
mod sinks;
pub mod stages;
mod stored;
pub mod weights;

pub use config::Config;
pub use decoder::Decoder;
pub use plan::{Job, Plan};
pub use stages::StageTimes;
pub use weights::Weights;

use crate::gguf::{self, Bytes, Gguf};
use crate::topology;
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Bytes of weights that a thread maps at once: a millisecond's work when the file is in memory.
const PREFAULT_BYTES: usize = 4 << 20;
/// Threads that map pages, at most: beyond these they wait for each other in the system.
const MAX_PREFAULT_THREADS: usize = 4;
/// Bytes of weights that are locked at once: what is left of a limit may go unused up to that.
const LOCK_BYTES: usize = 256 << 10;

/// Why a file cannot be run although it is sound GGUF.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The family is not known here.
    #[error("architecture '{name}' is not supported. Supported: {supported}")]
    Architecture {
        /// `general.architecture`.
        name: String,
        /// What is, separated by commas.
        supported: String,
    },
    /// A metadata key that the family needs is absent.
    #[error(
        "metadata: key '{key}' is missing. The file may hold only a vocabulary; `siskin inspect` shows what is in it"
    )]
    MissingKey {
        /// The key.
        key: String,
    },
    /// A metadata value makes no sense or asks for something that is not supported.
    #[error("metadata: {key} is {found}, expected {expected}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
    /// A tensor that the family needs is absent.
    #[error("tensor '{name}' is missing. The file may be incomplete; `siskin inspect` lists what is in it")]
    MissingTensor {
        /// The tensor.
        name: String,
    },
    /// A tensor that the family does not use: leaving it out would give wrong results.
    #[error("tensor '{name}' is not known in architecture '{arch}'. The model may need a newer siskin")]
    UnknownTensor {
        /// The tensor.
        name: String,
        /// `general.architecture`.
        arch: String,
    },
    /// A tensor of a shape that does not fit the configuration.
    #[error("tensor '{name}': shape is {found}, expected {expected}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its dimensions, in the file's order.
        found: String,
        /// Those that the metadata ask for.
        expected: String,
    },
    /// The values of a tensor that is kept as floats are more than the system gives.
    #[error(
        "tensor '{name}': its values take {needed} bytes, which the system refuses. Try a smaller model, or a higher limit (ulimit -v)"
    )]
    Memory {
        /// The tensor.
        name: String,
        /// Bytes of its values.
        needed: u64,
    },
    /// A value that is no number, of a tensor whose values stand for themselves (norms and biases).
    #[error(
        "tensor '{name}': value {index} is {found}, expected a finite number. Try downloading the file again, or converting it again"
    )]
    NotFinite {
        /// The tensor.
        name: String,
        /// Which of its values.
        index: usize,
        /// The value.
        found: f32,
    },
    /// A tensor of a type that cannot be computed with.
    #[error("tensor '{name}': type {found} is not supported. Try a file in one of {supported}")]
    Type {
        /// The tensor.
        name: String,
        /// Its type.
        found: String,
        /// The types that are.
        supported: String,
    },
    /// The file itself.
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
}

/// Which weights are worth mapping before they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// All, while there is time.
    All,
    /// Those that must be read from disk: mapping the others takes no longer when they are used, beside the work with them.
    OnDisk,
    /// None.
    Nothing,
}

/// Configuration and weights of a model; the weights stay in the file's mapping.
#[derive(Debug)]
pub struct Model {
    config: Config,
    weights: Weights,
}

impl Model {
    /// Finds a model's weights in a file and checks each one's shape and type.
    ///
    /// # Errors
    ///
    /// If the family is not supported, or metadata or tensors are missing or do not fit; see [`Error`].
    pub fn load(file: &Gguf) -> Result<Model, Error> {
        file.require_native()?;
        let config = arch::config(file.metadata())?;
        let weights = Weights::find(file, &config)?;
        Ok(Model { config, weights })
    }

    /// Maps the pages of the weights into this process with a few threads, in the order in which a token needs them, and reads from
    /// disk what is not in memory: to be called while something else, such as a tokenizer, is loaded. It changes no result and may
    /// be left out; then the first token pays.
    ///
    /// Does nothing when the weights are larger than the memory that is available: the system would drop the first pages to
    /// make room for the last ones, before any of them is used. How much is worth it, `wanted` says, which is asked every few
    /// milliseconds. Returns how many bytes were mapped.
    ///
    /// # Panics
    ///
    /// If `wanted` does.
    pub fn prefault(&self, threads: usize, wanted: impl Fn() -> Ahead + Sync) -> usize {
        let weights = self.weights.in_order_of_use();
        let total: usize = weights.iter().map(|bytes| bytes.len()).sum();
        if topology::available_memory().is_some_and(|available| total as u64 > available) {
            log::debug!(
                "weights of {total} bytes do not fit into available memory: they are read when needed"
            );
            return 0;
        }
        let pieces = weights
            .iter()
            .flat_map(|bytes| (0..bytes.len()).step_by(PREFAULT_BYTES).map(move |at| (bytes, at)));
        let (pieces, done) = (Mutex::new(pieces), AtomicUsize::new(0));
        // by its last page: the first ones may have been read together with what is before them
        let in_memory =
            |bytes: &Bytes, at: usize| bytes.is_in_memory(bytes.len().min(at + PREFAULT_BYTES) - 1);
        let next = || {
            let mut pieces = pieces.lock().ok()?;
            pieces.find(|(bytes, at)| wanted() != Ahead::OnDisk || !in_memory(bytes, *at))
        };
        let work = || {
            while wanted() != Ahead::Nothing
                && let Some((bytes, at)) = next()
            {
                bytes.prefault(at..at + PREFAULT_BYTES);
                done.fetch_add(PREFAULT_BYTES.min(bytes.len() - at), Ordering::Relaxed);
            }
        };
        thread::scope(|scope| {
            // one that cannot be had is not missed
            let start = |_| drop(thread::Builder::new().spawn_scoped(scope, work));
            (1..threads.min(MAX_PREFAULT_THREADS)).for_each(start);
            work();
        });
        done.into_inner()
    }

    /// Locks weights in memory, in the order in which a token needs them, up to `most` bytes and as far as the system permits: what is locked is not
    /// read from disk again, however short memory is. Returns how many bytes that were, and why not more if the system said so.
    pub fn lock(&self, most: u64) -> (u64, Option<io::Error>) {
        let mut locked = 0;
        for bytes in self.weights.in_order_of_use() {
            for at in (0..bytes.len()).step_by(LOCK_BYTES) {
                let length = LOCK_BYTES.min(bytes.len() - at);
                if locked + length as u64 > most {
                    return (locked, None);
                }
                if let Err(error) = bytes.lock(at..at + length) {
                    return (locked, Some(error));
                }
                locked += length as u64;
            }
        }
        (locked, None)
    }

    /// Dimensions and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
}
