//! siskin runs quantized language models from GGUF files on laptops and small boards.
//!
//! The file is mapped and used in place: weights are multiplied straight from their quantized blocks, and nothing is unpacked or
//! repacked as a whole. What a run allocates is known before it is allocated ([`model::Plan`]).
//!
//! ```
//! use siskin::{Model, session::Options};
//!
//! # fn main() -> Result<(), siskin::Error> {
//! let model = Model::open("models/builtin.gguf")?; // or Model::builtin(), a feature
//! let mut options = Options::default();
//! options.max_tokens = 16;
//! let mut session = model.session("Once upon a time", &options)?;
//! for token in session.steps() {
//!     print!("{}", token?.text);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! [`Model`] puts together what most programs want; each part can be used by itself. `examples/` has short programs.
//!
//! # Map
//!
//! Rooms from the bottom up; imports point downward only.
//!
//! | room | what lives there |
//! |---|---|
//! | [`siskin_simd`] | arithmetic on bytes: formats, kernels, vector operations |
//! | [`gguf`] | the file: mapped, validated once, then trusted |
//! | [`machine`], [`topology`] | what memory there is, within all limits; which CPUs are fast |
//! | [`tensor`], [`threads`] | a matrix of weights in place; the team of threads |
//! | [`kv`] | the ring of keys and values |
//! | [`ops`] | projections, attention, normalization, rotary embedding |
//! | [`model`] | configuration, weights, memory plan, the pass from ids to logits |
//! | [`tokenizer`], [`sample`], [`stop`] | text to ids and back; choosing a token; ending |
//! | `grammar` | text held to a JSON schema, a regular expression or a grammar (a feature) |
//! | `chat` | conversations to prompts, by the model's own template (feature `chat`) |
//! | [`session`] | prefill and decode |
//! | [`search`] | several continuations of a prompt at once: beams, samples |
//! | [`batch`] | many prompts through one model, several sequences side by side |
//! | [`memory`] | what a run takes, planned from a header, and whether it fits |
//! | [`Model`] | a file opened: weights and tokenizer, ready for sessions |
//! | `builtin` (a feature) | the built-in model |
//! | [`score`] | how likely a model finds a text, or each of several continuations |
//! | [`perplexity`] | how well a model predicts a text |
//! | `quantize` (a feature) | a smaller model file out of one with float weights |
//! | `download` (a feature) | models from the network, and the cache of them |
//!
//! # Invariants
//!
//! - Only [`gguf`] sees file offsets; after a file is opened, nothing in it can cause a panic.
//! - [`ops`] knows no cache, [`model`] no text, [`session`] no terminal.
//! - `unsafe` lives in `simd/`, `gguf/map.rs`, `gguf/fault.rs` and `threads.rs` only.
//! - [`Model`] is [`Send`] and [`Sync`], a [`Session`] [`Send`]; errors are both. No prompt, option, file or order of calls makes a session, search or
//!   batch panic; what works on plain slices ([`ops`], [`kv`], [`tensor`], [`threads`], [`model::Decoder`]) says when it does.
//! - Nothing allocates per token, except where text is held to a grammar. A [`batch`] allocates for each job, when it begins and when it ends.
//! - A result never depends on the number of threads, nor in a [`batch`] on what else is in it. It does depend on the instruction set, and on
//!   whether tokens run alone or in batches of four and more, which round differently. (In a mixture of experts, what counts is how many tokens
//!   go to the same expert.)

#![deny(unsafe_code)]

pub mod batch;
#[cfg(feature = "builtin")]
pub mod builtin;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "download")]
pub mod download;
pub mod error;
pub mod gguf;
#[cfg(feature = "grammar")]
pub mod grammar;
pub mod kv;
pub mod machine;
pub mod memory;
pub mod model;
mod open;
pub mod ops;
pub mod perplexity;
#[cfg(feature = "quantize")]
pub mod quantize;
pub mod sample;
pub mod score;
pub mod search;
pub mod session;
pub mod stop;
pub mod tensor;
#[allow(unsafe_code)]
pub mod threads;
pub mod tokenizer;
pub mod topology;

/// The programs of the book, compiled and run as they stand there.
#[cfg(all(doctest, feature = "builtin"))]
#[doc = include_str!("../docs/src/library.md")]
mod book {}

pub use error::{Error, ErrorKind};
pub use open::Model;
pub use session::Session;
/// The crate whose formats, kernels and instruction sets this one speaks of.
pub use siskin_simd as simd;
