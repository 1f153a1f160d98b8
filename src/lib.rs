//! siskin runs quantized language models from GGUF files on laptops and small boards.
//!
//! The file is mapped and used in place: weights are multiplied straight from their quantized blocks, and nothing is unpacked or
//! repacked as a whole. What a run allocates is known before it is allocated ([`model::Plan`]).
//!
//! ```no_run
//! use siskin::{gguf::Gguf, model::Model, ops::Cpu, session::{Options, Session}, threads::Team};
//! use siskin::tokenizer::{Encode, Tokenizer};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let file = Gguf::open("model.gguf".as_ref())?;
//! let model = Model::load(&file)?;
//! let tokenizer = Tokenizer::from_metadata(file.metadata())?;
//! let prompt = tokenizer.encode("Once upon a time", Encode { add_special: true, parse_special: false });
//! let cpu = Cpu { kernels: siskin_simd::Kernels::best(), team: Team::new(2)? };
//! let mut session = Session::new(&model, &tokenizer, cpu, &prompt, &Options::default())?;
//! session.prefill(&prompt, |_| {}, None)?;
//! loop {
//!     let step = session.step(None)?;
//!     print!("{}", step.text);
//!     if step.stop.is_some() {
//!         break;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//!
//! Rooms from the bottom up; imports point downward only.
//!
//! | room | what lives there |
//! |---|---|
//! | [`siskin_simd`] | arithmetic on bytes: formats, kernels, vector operations |
//! | [`gguf`] | the file: mapped, validated once, then trusted |
//! | [`topology`] | which CPUs are fast; free memory |
//! | [`tensor`], [`threads`] | a matrix of weights in place; the team of threads |
//! | [`kv`] | the ring of keys and values |
//! | [`ops`] | projections, attention, normalization, rotary embedding |
//! | [`model`] | configuration, weights, memory plan, the pass from ids to logits |
//! | [`tokenizer`], [`sample`], [`stop`] | text to ids and back; choosing a token; ending |
//! | `chat` | conversations to prompts, by the model's own template (feature `chat`) |
//! | [`session`] | prefill and decode |
//! | [`perplexity`] | how well a model predicts a text |
//! | `quantize` (a feature) | a smaller model file out of one with float weights |
//! | `download` (a feature) | models from the network, and the cache of them |
//!
//! # Invariants
//!
//! - Only [`gguf`] sees file offsets; after a file is opened, nothing in it can cause a panic.
//! - [`ops`] knows no cache, [`model`] no text, [`session`] no terminal.
//! - `unsafe` lives in `simd/`, `gguf/map.rs` and `threads.rs` only.
//! - Nothing allocates per token.
//! - A result depends on the instruction set and on whether tokens run alone or in batches of four and more, which round differently; never on
//!   the number of threads or on what else is in a batch.

#![deny(unsafe_code)]

#[cfg(feature = "builtin")]
pub mod builtin;
#[cfg(feature = "chat")]
pub mod chat;
#[cfg(feature = "download")]
pub mod download;
pub mod error;
pub mod gguf;
pub mod kv;
pub mod model;
pub mod ops;
pub mod perplexity;
#[cfg(feature = "quantize")]
pub mod quantize;
pub mod sample;
pub mod session;
pub mod stop;
pub mod tensor;
#[allow(unsafe_code)]
pub mod threads;
pub mod tokenizer;
pub mod topology;

pub use error::Error;
