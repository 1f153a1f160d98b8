//! Synthetic models: GGUF files of real or tiny shapes, filled with seeded random weights in any format.
//!
//! The files load in siskin and in llama.cpp. Their text is noise, but every number is well behaved: each matrix has
//! a standard deviation of about `1 / sqrt(cols)`, so that activations and logits stay near one. The bytes depend on shape, mix,
//! vocabulary and seed alone, on every platform: random numbers are made with integer arithmetic only.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use siskin_tools::synth::{Mix, Model, Shape};
//!
//! let model = Model::new(Shape::named("tiny")?, Mix::named("Q4_K_M")?, 1);
//! let mut bytes = Vec::new();
//! model.write(&mut bytes)?;
//! assert_eq!(&bytes[..4], b"GGUF");
//! # Ok(())
//! # }
//! ```
//!
//! [`Shape`] and [`Mix`] are data; `tensors` turns the two into a list, `blocks` fills it and `file` writes it.

mod blocks;
mod families;
mod file;
mod meta;
mod mix;
mod narrow;
mod rng;
mod shape;
mod tensors;
mod vocab;

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

pub use mix::Mix;
pub(crate) use rng::Rng;
pub use shape::{DeltaNet, Experts, HeadNorm, Key, Kinds, Parts, RopeScaling, SHAPES, Shape};
pub use tensors::{Kind, Tensor, tensors};
pub use vocab::Vocab;

/// Why a model could not be described.
#[derive(Debug, thiserror::Error)]
pub enum SynthError {
    /// No shape has this name.
    #[error("no shape is named `{0}`. Try one of: {names}", names = shape::names())]
    UnknownShape(String),
    /// No format or mix has this name.
    #[error("no format is named `{0}`. Try one of: {names}, or two joined by `+` (all matrices, output)", names = mix::names())]
    UnknownMix(String),
    /// The file a vocabulary should come from could not be read.
    #[error("vocabulary from {path}: {source}")]
    VocabFile {
        /// The file.
        path: String,
        /// The reason.
        source: io::Error,
    },
    /// The file a vocabulary should come from is not a GGUF file of version 3 with a vocabulary.
    #[error("vocabulary from {path}: {reason}. Try a little-endian GGUF file of version 3")]
    VocabFormat {
        /// The file.
        path: String,
        /// What was found.
        reason: String,
    },
}

/// A model to be written.
#[derive(Clone, Debug)]
pub struct Model {
    /// Sizes and architecture.
    pub shape: Shape,
    /// The format of every matrix.
    pub mix: Mix,
    /// The tokenizer's tables; their length is the number of rows of embedding and output.
    pub vocab: Vocab,
    /// Seed of all weights.
    pub seed: u64,
}

impl Model {
    /// A model with a synthetic vocabulary of the shape's own size.
    pub fn new(shape: Shape, mix: Mix, seed: u64) -> Model {
        let vocab = Vocab::synthetic(shape.vocab);
        Model { shape, mix, vocab, seed }
    }

    /// The same model with another vocabulary, whose size replaces that of the shape.
    pub fn with_vocab(self, vocab: Vocab) -> Model {
        let shape = Shape { vocab: vocab.size(), ..self.shape };
        Model { shape, vocab, ..self }
    }

    /// Writes the GGUF file to `out` and returns its length in bytes. Memory use does not depend on the size of the model.
    ///
    /// # Errors
    ///
    /// Those of `out`.
    pub fn write(&self, out: impl Write) -> io::Result<u64> {
        let entries = meta::entries(&self.shape, &self.mix, &self.vocab);
        let tensors = tensors(&self.shape, &self.mix);
        file::write(out, &entries, &tensors, |tensor, emit| {
            blocks::fill(tensor, &self.shape, self.seed, emit)
        })
    }

    /// The file without the data of its tensors.
    pub fn header(&self) -> Vec<u8> {
        let entries = meta::entries(&self.shape, &self.mix, &self.vocab);
        let tensors = tensors(&self.shape, &self.mix);
        let data =
            tensors.iter().map(|tensor| tensor.bytes().next_multiple_of(file::ALIGNMENT as u64)).sum::<u64>();
        let mut bytes = Vec::new();
        let written = file::write(&mut bytes, &entries, &tensors, |tensor, emit| {
            emit(&vec![0; tensor.bytes() as usize])
        });
        let len = written.expect("a vector takes everything") - data;
        bytes.truncate(len as usize);
        bytes
    }

    /// Writes the GGUF file at `path`, replacing what is there, and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// When the file cannot be created or written.
    pub fn save(&self, path: &Path) -> io::Result<u64> {
        self.write(File::create(path)?)
    }
}

/// The 64-bit FNV-1a hash, with which goldens name the file that they were made from.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
