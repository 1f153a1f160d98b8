//! Putting a tokenizer together from its parts, wherever they come from: `metadata.rs` reads them from a
//! file, tests write them down.

use super::error::Error;
use super::merges::Merges;
use super::partition::Partition;
use super::special::{self, Names, Special};
use super::split::{self, Rule};
use super::ugm::{Charsmap, Normalizer, Ugm};
use super::vocab::Vocab;
use super::wpm::{Cleaner, Wpm};
use super::{Bpe, Kind, Rules, Spm, TokenId, Tokenizer};

/// All that makes up a tokenizer, but for the merges.
pub(super) struct Definition {
    pub kind: Kind,
    pub vocab: Vocab,
    /// What is known of the special tokens; the rest is found by text.
    pub special: Special,
    /// The file's word on BOS, if any.
    pub add_bos: Option<bool>,
    /// The file's word on EOS, if any.
    pub add_eos: Option<bool>,
    /// The file's word on the blank before a SentencePiece or Unigram text, if any.
    pub space_prefix: Option<bool>,
    /// The file's word on runs of blanks in Unigram texts, if any.
    pub merge_spaces: Option<bool>,
    /// The file's word on capitals in WordPiece texts, if any.
    pub lowercase: Option<bool>,
    /// The file's word on accents in WordPiece texts, if any.
    pub strip_accents: Option<bool>,
    /// What Unigram replaces in texts, as the file has it; may be empty.
    pub charsmap: Vec<u8>,
    /// `names.pre` is the pre-tokenizer, empty if the file names none.
    pub names: Names,
}

impl Tokenizer {
    /// Builds a tokenizer; `merges` are `count` lines as in `tokenizer.ggml.merges`, for byte-pair encoding only.
    pub(super) fn build<'a>(
        mut definition: Definition,
        merges: impl Merges<'a>,
        count: usize,
    ) -> Result<Tokenizer, Error> {
        let ends = definition.special.complete(&mut definition.vocab);
        let (algorithm, pre_warning, bos_rule, eos_rule) = algorithm(&mut definition, merges, count)?;
        let kind = definition.kind;
        let space_prefix = definition.space_prefix();
        let Definition { vocab, special, add_bos, add_eos, names, .. } = definition;
        let partition = Partition::new(&vocab, |id| special::strip(&vocab, id, &names));
        let add_bos = bos_rule.adds(add_bos, special.bos, BOS_KEYS)?;
        let last = if kind == Kind::Wpm { special.separator } else { special.eos };
        let last = if eos_rule.adds(add_eos, last, EOS_KEYS)? { last } else { None };
        let pre = (kind == Kind::Bpe && !names.pre.is_empty()).then_some(names.pre);
        Ok(Tokenizer {
            vocab,
            algorithm,
            special,
            ends,
            partition,
            add_bos,
            last,
            space_prefix,
            pre,
            pre_warning,
        })
    }
}

impl Definition {
    /// Whether a blank is put before a text. WordPiece does so with every word.
    fn space_prefix(&self) -> bool {
        match self.kind {
            Kind::Spm => self.space_prefix.unwrap_or(true),
            Kind::Bpe => false,
            Kind::Wpm => true,
            Kind::Ugm => self.space_prefix.unwrap_or(false) || self.merge_spaces.unwrap_or(false),
        }
    }

    fn cleaner(&self) -> Cleaner {
        let lowercase = self.lowercase.unwrap_or(true);
        Cleaner { lowercase, strip_accents: self.strip_accents.unwrap_or(lowercase) }
    }

    fn normalizer(&self) -> Result<Normalizer, Error> {
        Ok(Normalizer {
            charsmap: Charsmap::new(&self.charsmap)?,
            space_prefix: self.space_prefix.unwrap_or(false),
            merge_spaces: self.merge_spaces.unwrap_or(false),
        })
    }
}

/// The algorithm, what is wrong with its pre-tokenizer, and when BOS and the last token are added.
fn algorithm<'a>(
    definition: &mut Definition,
    merges: impl Merges<'a>,
    count: usize,
) -> Result<(Rules, Option<String>, Add, Add), Error> {
    let unknown = definition.special.unknown;
    Ok(match definition.kind {
        Kind::Spm => {
            let spm = Spm::new(&definition.vocab, unknown);
            (Rules::Spm(Box::new(spm)), None, Add::UnlessRefused, Add::IfAsked)
        }
        Kind::Bpe => {
            let (rule, warning) = pre_tokenizer(&definition.names.pre)?;
            let bpe = Bpe::new(&mut definition.vocab, rule, merges, count, unknown)?;
            let add_bos = match rule {
                Rule { force_bos: true, .. } => Add::Always,
                Rule { add_bos: true, .. } => Add::UnlessRefused,
                _ => Add::IfAsked,
            };
            (Rules::Bpe(Box::new(bpe)), warning, add_bos, Add::IfAsked)
        }
        Kind::Wpm => {
            let wpm = Wpm::new(&definition.vocab, definition.cleaner(), unknown);
            (Rules::Wpm(Box::new(wpm)), None, Add::Always, Add::Always)
        }
        Kind::Ugm => {
            let ugm = Ugm::new(&definition.vocab, definition.normalizer()?, unknown);
            (Rules::Ugm(Box::new(ugm)), None, Add::IfAsked, Add::UnlessRefused)
        }
    })
}

const BOS_KEYS: [&str; 2] = ["tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id"];
const EOS_KEYS: [&str; 2] = ["tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id"];

/// When a token is added to a text.
#[derive(Clone, Copy)]
enum Add {
    /// When the file says so.
    IfAsked,
    /// When the file does not say otherwise.
    UnlessRefused,
    /// Whatever the file says.
    Always,
}

impl Add {
    /// Whether `token` is added; `asked` is the file's word. Only what the file asks for in so many words is an
    /// error when it cannot be done.
    fn adds(
        self,
        asked: Option<bool>,
        token: Option<TokenId>,
        keys: [&'static str; 2],
    ) -> Result<bool, Error> {
        match (self, asked) {
            (Add::Always, _) | (Add::UnlessRefused, None) => Ok(token.is_some()),
            (Add::IfAsked, None) => Ok(false),
            (_, Some(true)) if token.is_none() => Err(Error::NothingToAdd { flag: keys[0], id_key: keys[1] }),
            (_, Some(asked)) => Ok(asked),
        }
    }
}

/// The rule of that name; the default one and a warning if there is none.
fn pre_tokenizer(name: &str) -> Result<(&'static Rule, Option<String>), Error> {
    if let Some(rule) = split::rule(name) {
        return Ok((rule, None));
    }
    if split::REFUSED.contains(&name) {
        return Err(Error::RefusedPre { found: name.to_string() });
    }
    let used = split::DEFAULT.name;
    let warning = if name.is_empty() {
        format!(
            "tokenizer.ggml.pre is not set: the pre-tokenizer '{used}' is used, which may cut words \
             in other places than in training. Try a newer conversion of the model"
        )
    } else {
        let known = split::supported_names().collect::<Vec<_>>().join(", ");
        format!(
            "tokenizer.ggml.pre: '{name}' is not known, '{used}' is used, which may cut words \
             in other places than in training. Known are: {known}"
        )
    };
    log::warn!("{warning}");
    Ok((&split::DEFAULT, Some(warning)))
}
