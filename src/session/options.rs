//! What a session is asked to do, as plain data.

use super::Window;
#[cfg(feature = "grammar")]
use crate::grammar::Grammar;
use crate::kv::KvType;
use crate::tokenizer::Tokenizer;
use crate::{sample, stop};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// What a session is asked to do.
///
/// Begin with [`Options::default`] and set fields, or end a literal with `..Options::default()`: later versions and features add some.
///
/// ```
/// use siskin::{sample, session::Options, stop};
///
/// let options = Options {
///     max_tokens: 40,
///     sampling: sample::Options { temperature: 0.8, seed: 9, ..Default::default() },
///     stop: stop::Rules { sentences: Some(1), ..Default::default() },
///     ..Default::default()
/// };
/// assert_eq!(options.sampling.top_k, 0); // off
/// ```
#[derive(Clone, Debug)]
pub struct Options {
    /// Tokens to generate at most.
    pub max_tokens: usize,
    /// Continuations that a search can follow at once, each with room for `max_tokens`; 0 for a session that generates one: with more it serves searches only.
    pub branches: usize,
    /// The continuations are those of a beam search, for which memory is planned then; otherwise they are samples.
    pub beams: bool,
    /// Positions to use of the model's context; `None` for all that it was trained with.
    pub context: Option<usize>,
    /// Go on when so many positions are used up, without an end, in the memory of these; `None` ends with the context. A prompt may be longer: its
    /// tokens are run in batches of up to an eighth of the window, the first of which see so much less.
    pub window: Option<Window>,
    /// How keys and values are stored.
    pub kv_type: KvType,
    /// Texts that end the generation; they are not part of its text.
    pub stop_texts: Vec<String>,
    /// Go on after end-of-text tokens.
    pub ignore_eos: bool,
    /// The other stop conditions.
    pub stop: stop::Rules,
    /// How tokens are chosen.
    pub sampling: sample::Options,
    /// What the text must satisfy.
    #[cfg(feature = "grammar")]
    pub grammar: Option<Grammar>,
    /// Threads of the team that run the prompt; `None` for all.
    pub prefill_threads: Option<usize>,
    /// Threads of the team that run generated tokens; `None` for all.
    pub decode_threads: Option<usize>,
    /// Ends the generation, before the next token, once it is set: by a signal handler or another thread.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Default for Options {
    /// At most 256 tokens, greedy, stopped by end-of-text tokens or the model's context.
    fn default() -> Options {
        let sampling = sample::Options::default();
        Options {
            max_tokens: 256,
            branches: 0,
            beams: false,
            context: None,
            window: None,
            kv_type: KvType::F16,
            stop_texts: Vec::new(),
            ignore_eos: false,
            stop: stop::Rules::default(),
            sampling,
            #[cfg(feature = "grammar")]
            grammar: None,
            prefill_threads: None,
            decode_threads: None,
            cancelled: None,
        }
    }
}

impl Options {
    /// Bytes that the grammar's view of a vocabulary takes, if the text must satisfy one.
    #[cfg_attr(not(feature = "grammar"), allow(unused_variables, clippy::unused_self))]
    pub fn grammar_bytes(&self, tokenizer: &Tokenizer) -> usize {
        #[cfg(feature = "grammar")]
        if self.grammar.is_some() {
            return crate::grammar::Vocabulary::estimate(tokenizer);
        }
        0
    }

    /// Whether the text must satisfy a grammar.
    pub(super) fn has_grammar(&self) -> bool {
        #[cfg(feature = "grammar")]
        return self.grammar.is_some();
        #[cfg(not(feature = "grammar"))]
        false
    }
}
