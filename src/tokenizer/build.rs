//! Putting a tokenizer together from its parts, wherever they come from: `metadata.rs` reads them from a
//! file, tests write them down.

use super::error::Error;
use super::merges::Merges;
use super::partition::Partition;
use super::special::{self, Names, Special};
use super::split::{self, Rule};
use super::vocab::Vocab;
use super::{Bpe, Kind, Rules, Spm, Tokenizer};

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
    /// The file's word on the blank before a SentencePiece text, if any.
    pub space_prefix: Option<bool>,
    /// `names.pre` is the pre-tokenizer, empty if the file names none.
    pub names: Names,
}

impl Tokenizer {
    /// Builds a tokenizer; `merges` are `count` lines as in `tokenizer.ggml.merges`, none for SentencePiece.
    pub(super) fn build<'a>(
        definition: Definition,
        merges: impl Merges<'a>,
        count: usize,
    ) -> Result<Tokenizer, Error> {
        let Definition { kind, mut vocab, mut special, add_bos, add_eos, space_prefix, names } = definition;
        let ends = special.complete(&mut vocab);
        let partition = Partition::new(&vocab, |id| special::strip(&vocab, id, &names));
        let unknown = special.unknown;
        let (algorithm, pre_warning, default_bos, forced_bos) = match kind {
            Kind::Spm => (Rules::Spm(Box::new(Spm::new(&vocab, unknown))), None, true, false),
            Kind::Bpe => {
                let (rule, warning) = pre_tokenizer(&names.pre);
                let bpe = Bpe::new(&mut vocab, rule, merges, count, unknown)?;
                (Rules::Bpe(Box::new(bpe)), warning, rule.add_bos, rule.force_bos)
            }
        };
        // Only what the file asks for in so many words is an error when it cannot be done.
        let add_bos = if forced_bos { None } else { add_bos };
        let add_bos = adds(add_bos, default_bos || forced_bos, special.bos.is_some(), BOS_KEYS)?;
        let add_eos = adds(add_eos, false, special.eos.is_some(), EOS_KEYS)?;
        let space_prefix = kind == Kind::Spm && space_prefix.unwrap_or(true);
        let pre = (kind == Kind::Bpe && !names.pre.is_empty()).then_some(names.pre);
        Ok(Tokenizer {
            vocab,
            algorithm,
            special,
            ends,
            partition,
            add_bos,
            add_eos,
            space_prefix,
            pre,
            pre_warning,
        })
    }
}

const BOS_KEYS: [&str; 2] = ["tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id"];
const EOS_KEYS: [&str; 2] = ["tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id"];

fn adds(asked: Option<bool>, default: bool, possible: bool, keys: [&'static str; 2]) -> Result<bool, Error> {
    match asked {
        Some(true) if !possible => Err(Error::NothingToAdd { flag: keys[0], id_key: keys[1] }),
        Some(asked) => Ok(asked),
        None => Ok(default && possible),
    }
}

/// The rule of that name; the default one and a warning if there is none.
fn pre_tokenizer(name: &str) -> (&'static Rule, Option<String>) {
    if let Some(rule) = split::rule(name) {
        return (rule, None);
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
    (&split::DEFAULT, Some(warning))
}
