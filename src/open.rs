//! A model file ready to generate text: weights and tokenizer together. For programs that embed the library; the command puts the parts together
//! itself, to load them side by side.

use crate::batch::{Batch, Room};
use crate::error::Error;
use crate::gguf::Gguf;
use crate::kv::KvType;
use crate::ops::Cpu;
use crate::score::{Score, Scorer, Texts};
use crate::session::{Options, Session};
use crate::threads::Team;
use crate::tokenizer::{Encode, TokenId, Tokenizer};
use crate::topology::Topology;
use crate::{gguf, model};
use siskin_simd::Kernels;
use std::path::Path;

/// A model and its tokenizer, mapped from a file. Any number of sessions can use it, also at the same time in several threads.
///
/// [`model::Model`] computes with token ids; this one speaks. It takes the memory of the tokenizer's tables and of the vectors that are kept as floats.
pub struct Model {
    file: Gguf,
    network: model::Model,
    tokenizer: Tokenizer,
}

impl Model {
    /// Opens a GGUF file; of a split model, any part.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is of a kind that is not supported.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, Error> {
        Model::load(Gguf::open(path.as_ref())?)
    }

    /// The small model that is part of the library.
    ///
    /// # Errors
    ///
    /// If it was damaged when the program was built.
    #[cfg(feature = "builtin")]
    pub fn builtin() -> Result<Model, Error> {
        Model::load(crate::builtin::open()?)
    }

    fn load(file: Gguf) -> Result<Model, Error> {
        let network = model::Model::load(&file)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        Ok(Model { file, network, tokenizer })
    }

    /// The file's metadata.
    pub fn metadata(&self) -> &gguf::Metadata {
        self.file.metadata()
    }

    /// The weights and what they are for.
    pub fn network(&self) -> &model::Model {
        &self.network
    }

    /// Turns text into tokens and back.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// The tokens of a text, with those that the model's file asks to add, such as BOS. Names of special tokens in the text are text.
    pub fn encode(&self, text: &str) -> Vec<TokenId> {
        self.tokenizer.encode(text, Encode { add_special: true, parse_special: false })
    }

    /// A session that has read a prompt and stands ready to go on with it, with a thread for each performance core.
    ///
    /// # Errors
    ///
    /// If the prompt is empty or longer than the context, an option makes no sense, or no threads can be started.
    pub fn session(&self, prompt: &str, options: &Options) -> Result<Session<'_>, Error> {
        self.session_of(&self.encode(prompt), options)
    }

    /// How likely each of some texts is behind a prompt, which is run once; in the order given, with a thread for each performance core. See
    /// [`Texts::new`] for what happens where prompt and text meet.
    ///
    /// # Errors
    ///
    /// If there is no text, one is empty or longer than the context, or no threads can be started.
    pub fn score(&self, prompt: &str, texts: &[&str]) -> Result<Vec<Score>, Error> {
        let texts = Texts::new(&self.tokenizer, prompt, texts, false);
        let mut scorer = Scorer::new(&self.network, cpu()?, &texts, KvType::F16)?;
        Ok(scorer.texts(&texts.rest)?)
    }

    /// A batch that runs many prompts, with a thread for each performance core; see [`crate::batch`].
    ///
    /// # Errors
    ///
    /// If there is not enough memory, or no threads can be started.
    pub fn batch(&self, room: &Room) -> Result<Batch<'_>, Error> {
        Ok(Batch::new(&self.network, &self.tokenizer, cpu()?, room)?)
    }

    /// [`Model::session`] for a prompt of tokens.
    ///
    /// # Errors
    ///
    /// As there, or if there is no such token.
    pub fn session_of(&self, prompt: &[TokenId], options: &Options) -> Result<Session<'_>, Error> {
        let mut session = Session::new(&self.network, &self.tokenizer, cpu()?, prompt, options)?;
        session.prefill(prompt, |_| {}, None)?;
        Ok(session)
    }
}

/// A thread for each performance core, and the best kernels.
fn cpu() -> Result<Cpu, Error> {
    let threads = Topology::this_machine().default_threads();
    Ok(Cpu { kernels: Kernels::best(), team: Team::new(threads).map_err(Error::Threads)? })
}
