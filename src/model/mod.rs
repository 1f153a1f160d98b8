//! A model: its configuration and weights, what memory a run of it takes, and the pass from token ids to logits.
//!
//! Knows no text, terminal or file offsets. A family (`arch/`) is data: metadata to [`Config`], and the names of its tensors.

pub mod arch;
pub mod config;
pub mod decoder;
pub mod plan;
pub mod scratch;
pub mod weights;

pub use config::Config;
pub use decoder::Decoder;
pub use plan::{Job, Plan};
pub use weights::Weights;

use crate::gguf::{self, Gguf};

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

    /// Dimensions and constants.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Weights.
    pub fn weights(&self) -> &Weights {
        &self.weights
    }
}
