//! A model file ready to generate text: weights and tokenizer together. For programs that embed the library; the command puts the parts together
//! itself, to load them side by side.

use crate::batch::{Batch, Room};
#[cfg(feature = "chat")]
use crate::chat::{self, Specials, Template};
use crate::error::Error;
use crate::gguf::Gguf;
use crate::kv::KvType;
use crate::memory::Footprint;
use crate::model::Plan;
use crate::ops::Cpu;
use crate::score::{Score, Scorer, Texts};
use crate::session::{self, Extent, Options, Session, Window};
use crate::tokenizer::{self, Encode, TokenId, Tokenizer};
use crate::topology::Topology;
use crate::{gguf, model};
use std::fmt;
use std::path::Path;

/// A model and its tokenizer, mapped from a file. Any number of sessions can use it, also at the same time in several threads: it is [`Send`] and
/// [`Sync`], and never changes. Sessions borrow it; programs whose threads live on share it in an [`Arc`](std::sync::Arc), and each makes its
/// sessions from that.
///
/// [`model::Model`] computes with token ids; this one speaks. It takes the memory of the tokenizer's tables and of the vectors that are kept as floats.
///
/// ```
/// use siskin::{Model, session::Options};
/// use std::sync::{Arc, mpsc};
/// use std::thread;
///
/// # fn main() -> Result<(), siskin::Error> {
/// let model = Arc::new(Model::open("models/builtin.gguf")?.with_threads(1));
/// let (sender, answers) = mpsc::channel();
/// for prompt in ["Once upon a time", "The cat sat on the"] {
///     let (model, sender) = (model.clone(), sender.clone());
///     thread::spawn(move || {
///         let options = Options { max_tokens: 8, ..Options::default() };
///         let text = model.session(prompt, &options).and_then(|mut session| Ok(session.generate()?));
///         let _ = sender.send((prompt, text));
///     });
/// }
/// drop(sender);
/// for (prompt, text) in answers {
///     println!("{prompt}{}", text?);
/// }
/// # Ok(())
/// # }
/// ```
pub struct Model {
    file: Gguf,
    network: model::Model,
    tokenizer: Tokenizer,
    threads: Option<usize>,
}

impl Model {
    /// Opens a GGUF file; of a split model, any part.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is damaged, or is of a kind that is not supported.
    pub fn open(path: impl AsRef<Path>) -> Result<Model, Error> {
        Model::from_gguf(Gguf::open(path)?)
    }

    /// The small model that is part of the library.
    ///
    /// # Errors
    ///
    /// If it was damaged when the program was built.
    #[cfg(feature = "builtin")]
    pub fn builtin() -> Result<Model, Error> {
        Model::from_gguf(crate::builtin::open()?)
    }

    /// The model in a file that is open already: one that was read into memory ([`Gguf::read`]), or made of bytes ([`Gguf::from_static`],
    /// [`Gguf::from_vec`]).
    ///
    /// # Errors
    ///
    /// If the model is incomplete or of a kind that is not supported.
    pub fn from_gguf(file: Gguf) -> Result<Model, Error> {
        let network = model::Model::load(&file)?;
        let tokenizer = Tokenizer::from_metadata(file.metadata())?;
        Ok(Model { file, network, tokenizer, threads: None })
    }

    /// The same with so many threads for each session, batch and score made from now on, the one that calls included. By default they have one for
    /// each performance core; programs that run several at a time want fewer. The text does not depend on it.
    ///
    /// A number that makes no sense, such as 0, is refused when a session is made ([`Error::Threads`]).
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Model {
        Model { threads: Some(threads), ..self }
    }

    /// The file, with its tensors.
    pub fn gguf(&self) -> &Gguf {
        &self.file
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
        self.tokenizer.encode(text, Encode::default())
    }

    /// The text of tokens; what is no UTF-8 in it becomes U+FFFD. [`Tokenizer::decode`] gives the bytes, [`TextStream`](tokenizer::TextStream) text of
    /// tokens that come one by one.
    pub fn decode(&self, tokens: &[TokenId]) -> String {
        String::from_utf8_lossy(&self.tokenizer.decode(tokens)).into_owned()
    }

    /// The template by which the model was trained to converse, from its file. [`chat::encode`] makes tokens of what it renders.
    ///
    /// # Errors
    ///
    /// If the file has none, as those of base models, or it is damaged; see [`chat::Error`].
    #[cfg(feature = "chat")]
    pub fn template(&self) -> Result<Template, Error> {
        let source = chat::source(self.metadata(), None)?;
        Ok(Template::new(source, &Specials::of(&self.tokenizer))?)
    }

    /// A session that has read a prompt and stands ready to go on with it, with a thread for each performance core or those of
    /// [`Model::with_threads`]. If it was cancelled while it read, it has ended ([`Session::ended`]).
    ///
    /// # Errors
    ///
    /// If the prompt is empty or longer than the context, an option makes no sense, or the memory or threads cannot be had.
    pub fn session(&self, prompt: &str, options: &Options) -> Result<Session<'_>, Error> {
        self.session_of(&self.encode(prompt), options)
    }

    /// [`Model::session`] for a prompt of tokens.
    ///
    /// # Errors
    ///
    /// As there, or if there is no such token.
    pub fn session_of(&self, prompt: &[TokenId], options: &Options) -> Result<Session<'_>, Error> {
        let mut session = self.prepare(prompt, options)?;
        session.prefill(prompt, |_| {}, None)?;
        Ok(session)
    }

    /// The same, but the prompt has not been run: for those who want to begin with a stored one ([`Session::restore`]), to watch the progress, or to
    /// look at all logits. [`Session::prefill`] runs it.
    ///
    /// # Errors
    ///
    /// As [`Model::session_of`].
    pub fn prepare(&self, prompt: &[TokenId], options: &Options) -> Result<Session<'_>, Error> {
        Ok(Session::new(&self.network, &self.tokenizer, self.cpu()?, prompt, options)?)
    }

    /// A session for several prompts, of which each goes on from the one before, such as those of a conversation; [`Session::read`] takes the first
    /// and each further one. It has room for so many tokens of prompt and answer together, or for the whole context if that is less.
    ///
    /// # Errors
    ///
    /// If an option makes no sense, or the memory or threads cannot be had.
    pub fn conversation(&self, positions: usize, options: &Options) -> Result<Session<'_>, Error> {
        let cpu = self.cpu()?;
        Ok(Session::with_positions(&self.network, &self.tokenizer, cpu, positions, options)?)
    }

    /// The memory that [`Model::session`] would take for a prompt of so many tokens, without taking it. The session's own plan is the same to the
    /// byte, unless the text is held to a grammar, whose part is an estimate here.
    ///
    /// # Errors
    ///
    /// If there would be no such session: no token, more than the context has, or more memory than can be addressed.
    pub fn plan(&self, prompt_tokens: usize, options: &Options) -> Result<Plan, Error> {
        let plan = plan(&self.network, self.tokenizer.longest(), (prompt_tokens, self.threads()), options)?;
        Ok(plan.with_grammar(options.grammar_bytes(&self.tokenizer)))
    }

    /// What opening the model in a file and running [`Model::session`] for a prompt of so many tokens would take, told from the header alone, of which
    /// nothing else is read; with a thread for each performance core, and without what a grammar takes. [`Budget`](crate::memory::Budget) compares it
    /// with the machine or with a limit.
    ///
    /// ```
    /// use siskin::gguf::Gguf;
    /// use siskin::machine::Machine;
    /// use siskin::memory::Budget;
    /// use siskin::{Error, ErrorKind, Model, session::Options};
    ///
    /// # fn main() -> Result<(), Error> {
    /// let header = Gguf::open_header(concat!(env!("CARGO_MANIFEST_DIR"), "/models/builtin.gguf"))?;
    /// let footprint = Model::footprint(&header, 100, &Options::default())?;
    /// println!("{} bytes owned, {} mapped", footprint.owned(), footprint.mapped);
    ///
    /// let most = Budget::new(&Machine::this(), Some(64 << 20));
    /// most.check(&footprint, || None)?;
    /// let little = Budget::new(&Machine::this(), Some(64 << 10));
    /// let refused = Error::from(little.check(&footprint, || None).unwrap_err());
    /// assert_eq!(refused.kind(), ErrorKind::DoesNotFit);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// If the model could not be opened, or there would be no such session.
    pub fn footprint(header: &Gguf, prompt_tokens: usize, options: &Options) -> Result<Footprint, Error> {
        let network = model::Model::load(header)?;
        let size = tokenizer::Size::estimate(header.metadata())?;
        let threads = Topology::this_machine().default_threads();
        let plan = plan(&network, size.longest, (prompt_tokens, threads), options)?;
        Ok(Footprint::new(header, &network, plan, size, threads))
    }

    /// How likely each of some texts is behind a prompt, which is run once; in the order given. See [`Texts::new`] for what happens where prompt and
    /// text meet.
    ///
    /// # Errors
    ///
    /// If there is no text, one is empty or longer than the context, or the memory or threads cannot be had.
    pub fn score<T: AsRef<str>>(&self, prompt: &str, texts: &[T]) -> Result<Vec<Score>, Error> {
        let texts = Texts::new(&self.tokenizer, prompt, texts, false);
        let mut scorer = Scorer::new(&self.network, self.cpu()?, &texts, KvType::F16)?;
        Ok(scorer.texts(&texts.rest)?)
    }

    /// A batch that runs many prompts; see [`crate::batch`].
    ///
    /// # Errors
    ///
    /// If the memory or threads cannot be had.
    pub fn batch(&self, room: &Room) -> Result<Batch<'_>, Error> {
        Ok(Batch::new(&self.network, &self.tokenizer, self.cpu()?, room)?)
    }

    /// Threads of a session.
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| Topology::this_machine().default_threads())
    }

    /// The best kernels, and a team of these threads.
    fn cpu(&self) -> Result<Cpu, Error> {
        Cpu::new(self.threads()).map_err(Error::Threads)
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = self.network.config().family;
        f.debug_struct("Model")
            .field("file", &self.file.path())
            .field("family", &family)
            .finish_non_exhaustive()
    }
}

/// The plan of a session, without a grammar's part.
fn plan(
    network: &model::Model,
    longest: usize,
    (prompt_tokens, threads): (usize, usize),
    options: &Options,
) -> Result<Plan, Error> {
    Extent::check_prompt(network, options, prompt_tokens)?;
    Window::check(options, network).map_err(session::Error::from)?;
    network.config().check_kv(options.kv_type).map_err(session::Error::from)?;
    let extent = Extent::of_prompt(network, options, prompt_tokens);
    let too_large = session::Error::TooLarge { positions: extent.longest() };
    Ok(extent.plan(network, longest, threads, options).ok_or(too_large)?)
}
