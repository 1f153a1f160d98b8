//! The ids of a text: it is cut at special tokens, and what is between them is left to the algorithm.

use std::borrow::Cow;
use std::ops::Range;

use super::bpe::BpeEncoder;
use super::encode::{Algorithm, Encoder};
use super::partition::Fragment;
use super::spm::SpmEncoder;
use super::{Encode, Rules, TokenId, Tokenizer, blanks};

impl Tokenizer {
    /// The ids of a text.
    pub fn encode(&self, text: &str, options: Encode) -> Vec<TokenId> {
        let mut out = Vec::with_capacity(text.len() / 3 + 2);
        if options.add_special && self.add_bos {
            out.extend(self.special.bos);
        }
        let fragments = self.partition.cut(text, options.parse_special);
        match &self.algorithm {
            Rules::Spm(spm) => {
                let (text, fragments) = self.escape(text, fragments);
                self.encode_spm(&SpmEncoder { spm, vocab: &self.vocab }, &text, fragments, &mut out);
            }
            Rules::Bpe(bpe) => {
                let (text, fragments) = match bpe.rule().byte_level {
                    true => (Cow::Borrowed(text), fragments),
                    false => self.escape(text, fragments),
                };
                encode_all(&BpeEncoder { bpe, vocab: &self.vocab }, &text, fragments, &mut out, |_, _| false);
            }
            Rules::Wpm(wpm) => each(fragments, &mut out, |range, out| wpm.encode(&text[range], out)),
            Rules::Ugm(ugm) => each(fragments, &mut out, |range, out| ugm.encode(&text[range], out)),
        }
        self.warn_double_bos(options, &out);
        if options.add_special {
            out.extend(self.last);
        }
        out
    }

    fn encode_spm(
        &self,
        encoder: &SpmEncoder<'_>,
        text: &str,
        fragments: Vec<Fragment>,
        out: &mut Vec<TokenId>,
    ) {
        encode_all(encoder, text, fragments, out, |from, out| encoder.spm.fuse_unknown(from, out));
    }

    /// The fragments with `▁` for each blank, and with a prefix where one is due.
    fn escape(&self, text: &str, fragments: Vec<Fragment>) -> (Cow<'static, str>, Vec<Fragment>) {
        let mut escaped = String::with_capacity(text.len() + text.len() / 2 + 3);
        let mut prefix = self.space_prefix;
        let escape = |fragment| match fragment {
            Fragment::Text(range) => {
                let start = escaped.len();
                if std::mem::take(&mut prefix) {
                    escaped.push(blanks::BLANK);
                }
                blanks::escape(&text[range], &mut escaped);
                Fragment::Text(start..escaped.len())
            }
            token => {
                prefix = self.space_prefix;
                token
            }
        };
        let fragments = fragments.into_iter().map(escape).collect();
        (Cow::Owned(escaped), fragments)
    }

    fn warn_double_bos(&self, options: Encode, out: &[TokenId]) {
        if options.add_special && self.add_bos && out.len() >= 2 && out[0] == out[1] {
            log::warn!(
                "the prompt begins with two BOS tokens: one in the text, one that was added. Try without the first"
            );
        }
    }
}

/// Encodes `fragments` of `text`. `tidy` may take tokens out of what a fragment appended; it says whether it
/// did.
fn encode_all(
    algorithm: &impl Algorithm,
    text: &str,
    fragments: Vec<Fragment>,
    out: &mut Vec<TokenId>,
    tidy: impl Fn(usize, &mut Vec<TokenId>) -> bool,
) {
    let mut encoder = Encoder::new(algorithm, text);
    each(fragments, out, |range, out| {
        let from = out.len();
        encoder.encode(range, out);
        if tidy(from, out) {
            encoder.forget();
        }
    });
}

/// Appends the tokens among `fragments`, and calls `encode` for each text among them.
fn each(
    fragments: Vec<Fragment>,
    out: &mut Vec<TokenId>,
    mut encode: impl FnMut(Range<usize>, &mut Vec<TokenId>),
) {
    for fragment in fragments {
        match fragment {
            Fragment::Token(id) => out.push(id),
            Fragment::Text(range) => encode(range, out),
        }
    }
}
