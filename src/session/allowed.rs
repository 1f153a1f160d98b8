//! Which tokens may come next in a text: what its grammar allows, without those that end the generation while a stop condition forbids them. Used by
//! sessions, and by searches, where each continuation has its own.

use super::{Error, Options};
#[cfg(feature = "grammar")]
use crate::grammar::{Constraint, Vocabulary};
use crate::sample::TokenSet;
use crate::stop::Reason;
use crate::tokenizer::{TokenId, Tokenizer};
use std::sync::Arc;

/// The tokens that may come next. A clone goes on by itself.
#[derive(Clone, Debug)]
pub(crate) struct Allowed {
    /// All tokens that do not end the generation, if somebody may forbid the others.
    without_eog: Option<Arc<TokenSet>>,
    forbids_eog: bool,
    #[cfg(feature = "grammar")]
    grammar: Option<Guide>,
}

/// A grammar at work.
#[cfg(feature = "grammar")]
#[derive(Clone, Debug)]
struct Guide {
    constraint: Constraint,
    /// What may come next.
    words: Vec<u32>,
    ignore_eos: bool,
}

impl Allowed {
    /// What the options allow at the beginning of a text, and how many bytes the grammar takes.
    ///
    /// # Errors
    ///
    /// If the grammar is none.
    #[cfg_attr(not(feature = "grammar"), allow(unused_variables))]
    pub fn new(
        tokenizer: &Tokenizer,
        vocabulary: usize,
        options: &Options,
    ) -> Result<(Allowed, usize), Error> {
        let without_eog = may_forbid_eog(options).then(|| Arc::new(all_but_eog(tokenizer, vocabulary)));
        #[allow(unused_mut)]
        let mut bytes = 0;
        #[cfg(feature = "grammar")]
        let grammar = match &options.grammar {
            None => None,
            Some(grammar) => {
                let tokens = Vocabulary::new(tokenizer)?;
                bytes += tokens.bytes();
                let constraint = Constraint::new(grammar, &tokens)?;
                let words = Vec::with_capacity(vocabulary.div_ceil(32));
                Some(Guide { constraint, words, ignore_eos: options.ignore_eos })
            }
        };
        let allowed = Allowed {
            without_eog,
            forbids_eog: false,
            #[cfg(feature = "grammar")]
            grammar,
        };
        Ok((allowed, bytes))
    }

    /// Bytes that it takes, without those of a grammar.
    pub fn bytes(vocabulary: usize, options: &Options) -> usize {
        // two counters, and the set's place
        let shared = 2 * size_of::<usize>() + size_of::<TokenSet>();
        if may_forbid_eog(options) { TokenSet::bytes(vocabulary) + shared } else { 0 }
    }

    /// Finds out what may come next, while a stop condition forbids the end or not.
    ///
    /// # Errors
    ///
    /// If nothing may, or it takes too much time or memory to find.
    pub fn look(&mut self, forbids_eog: bool) -> Result<(), Error> {
        self.forbids_eog = forbids_eog;
        #[cfg(feature = "grammar")]
        if let Some(guide) = &mut self.grammar {
            let mask = guide.constraint.mask()?;
            guide.words.clear();
            guide.words.extend_from_slice(mask);
            if forbids_eog || guide.ignore_eos {
                let without = self.without_eog.as_ref().map_or(&[][..], |tokens| tokens.words());
                guide.words.iter_mut().zip(without).for_each(|(word, without)| *word &= without);
            }
        }
        Ok(())
    }

    /// What may come next, as [`crate::sample::Context::allowed`]; `None` for every token.
    pub fn words(&self) -> Option<&[u32]> {
        #[cfg(feature = "grammar")]
        if let Some(guide) = &self.grammar {
            return Some(&guide.words);
        }
        self.without_eog.as_ref().filter(|_| self.forbids_eog).map(|tokens| tokens.words())
    }

    /// Why there may be no token at all.
    pub fn ended(&self) -> Option<Reason> {
        #[cfg(feature = "grammar")]
        if self.grammar.as_ref().is_some_and(|guide| guide.constraint.is_over()) {
            return Some(Reason::Grammar);
        }
        None
    }

    /// Takes the token that came, and the reason that stop conditions saw to end with it. Returns the reason to end after all: a text that is complete by
    /// its grammar is so before any limit.
    ///
    /// # Errors
    ///
    /// If the token may not follow, or what may follow it takes too much time or memory to find.
    #[cfg_attr(not(feature = "grammar"), allow(unused_variables, clippy::needless_pass_by_ref_mut))]
    pub fn accept(&mut self, token: TokenId, ended: Option<Reason>) -> Result<Option<Reason>, Error> {
        #[cfg(feature = "grammar")]
        if let Some(guide) = &mut self.grammar
            && ended.as_ref().is_none_or(Reason::is_limit)
        {
            guide.constraint.accept(token)?;
            return Ok(self.ended().or(ended));
        }
        Ok(ended)
    }
}

/// Whether end-of-generation tokens may ever be forbidden.
fn may_forbid_eog(options: &Options) -> bool {
    options.has_grammar() || !options.ignore_eos && options.stop.min_tokens > 0
}

/// The tokens that do not end the generation.
fn all_but_eog(tokenizer: &Tokenizer, vocabulary: usize) -> TokenSet {
    let mut tokens = TokenSet::full(vocabulary);
    tokenizer.eog().iter().for_each(|&token| tokens.remove(token));
    tokens
}
