//! Special tokens: which ones begin and end a text, which ones end generation, which ones strip the blanks
//! beside them.
//!
//! Files name some of these by id. The rest is known only by text, because converters leave it out; the lists
//! below follow llama.cpp, so that a model stops in the same places.

use super::vocab::Vocab;
use super::{TokenId, TokenKind};

/// The special tokens of a vocabulary.
#[derive(Clone, Debug, Default)]
pub(super) struct Special {
    pub bos: Option<TokenId>,
    pub eos: Option<TokenId>,
    /// End of turn.
    pub eot: Option<TokenId>,
    /// End of message, before a tool is called.
    pub eom: Option<TokenId>,
    pub unknown: Option<TokenId>,
    /// Ends a WordPiece text.
    pub separator: Option<TokenId>,
    pub fim_pad: Option<TokenId>,
    pub fim_repo: Option<TokenId>,
    pub fim_separator: Option<TokenId>,
}

/// End of turn, by preference.
const EOT: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "<｜end▁of▁sentence｜>",
    "<end_of_utterance>",
];
const EOM: &[&str] = &["<|eom_id|>"];
const FIM_PREFIX: &[&str] = &[
    "<|fim_prefix|>",
    "<fim-prefix>",
    "<fim_prefix>",
    "<｜fim▁begin｜>",
    "<PRE>",
    "▁<PRE>",
    "<|code_prefix|>",
    "<|prefix|>",
];
const FIM_SUFFIX: &[&str] = &[
    "<|fim_suffix|>",
    "<fim-suffix>",
    "<fim_suffix>",
    "<｜fim▁hole｜>",
    "<SUF>",
    "▁<SUF>",
    "<|code_suffix|>",
    "<|suffix|>",
];
const FIM_MIDDLE: &[&str] = &[
    "<|fim_middle|>",
    "<fim-middle>",
    "<fim_middle>",
    "<｜fim▁end｜>",
    "<MID>",
    "▁<MID>",
    "<|code_middle|>",
    "<|middle|>",
];
const FIM_PAD: &[&str] = &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"];
const FIM_REPO: &[&str] = &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"];
const FIM_SEPARATOR: &[&str] = &["<|file_sep|>"];
/// Texts that end generation wherever they are tokens.
pub(super) const ENDS: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];
/// Tokens that end generation in any vocabulary, at most: those of the list, and those that files name as end of text, turn or message, or as padding,
/// repository or separator of code.
pub(crate) const MOST_ENDS: usize = ENDS.len() + 6;
/// The structure of gpt-oss answers, which must show in the text.
const SHOWN: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

impl Special {
    /// The special tokens of files that do not name them, which are old: those of Llama, Falcon, BERT and T5.
    /// They count only if they look the part, since nobody wants to stop at a comma that happens to be token
    /// 11.
    pub(super) fn default_of(model: &str, vocab: &Vocab) -> Special {
        let exists = |id: TokenId| Some(id).filter(|&id| vocab.is_token(id));
        let special = |id: TokenId| exists(id).filter(|&id| looks_special(vocab, id));
        let (bos, eos, unknown, separator) = match model {
            "llama" => (special(1), special(2), exists(0), None),
            "gpt2" => (special(11), special(11), None, None),
            "bert" => (special(101), None, special(100), special(102)),
            "t5" => (None, special(1), exists(2), None),
            _ => (None, None, None, None),
        };
        Special { bos, eos, unknown, separator, ..Special::default() }
    }

    /// Fills in what the file did not name, corrects the kinds of tokens that are special by text, and
    /// returns the ids that end generation, ascending.
    pub(super) fn complete(&mut self, vocab: &mut Vocab) -> Vec<TokenId> {
        self.eot = self.eot.or_else(|| claim(vocab, EOT));
        self.eom = self.eom.or_else(|| claim(vocab, EOM));
        for names in [FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE] {
            claim(vocab, names);
        }
        self.fim_pad = self.fim_pad.or_else(|| claim(vocab, FIM_PAD));
        self.fim_repo = self.fim_repo.or_else(|| claim(vocab, FIM_REPO));
        self.fim_separator = self.fim_separator.or_else(|| claim(vocab, FIM_SEPARATOR));

        let mut ends: Vec<TokenId> = ENDS.iter().filter_map(|name| claim(vocab, &[name])).collect();
        ends.extend([self.fim_pad, self.fim_repo, self.fim_separator].into_iter().flatten());
        for name in SHOWN {
            if let Some(id) = vocab.find_token(name.as_bytes()) {
                vocab.set_kind(id, TokenKind::UserDefined);
            }
        }
        ends.extend([self.eos, self.eot, self.eom].into_iter().flatten());
        except_inner_ends(vocab, &mut ends);
        ends.sort_unstable();
        ends.dedup();
        ends
    }
}

fn looks_special(vocab: &Vocab, id: TokenId) -> bool {
    let in_brackets = || matches!(vocab.text(id), [b'<', .., b'>'] | [b'[', .., b']']);
    let kind = vocab.kind(id);
    matches!(kind, TokenKind::Control | TokenKind::Unknown) || (kind == TokenKind::Normal && in_brackets())
}

/// The first of `names` that is a token. What has such a name is a control token, whatever the file says.
fn claim(vocab: &mut Vocab, names: &[&str]) -> Option<TokenId> {
    let id = names.iter().find_map(|name| vocab.find_token(name.as_bytes()))?;
    if vocab.kind(id) != TokenKind::Control {
        let text = String::from_utf8_lossy(vocab.text(id));
        log::debug!("tokenizer.ggml.token_type: token {id} '{text}' is treated as a control token");
        vocab.set_kind(id, TokenKind::Control);
    }
    Some(id)
}

/// Takes out texts that end generation in most models but not beside certain others: `<|end|>` where it ends
/// only a part of an answer (gpt-oss, Solar Open), `</s>` where it is an HTML tag (Gemma 4).
fn except_inner_ends(vocab: &mut Vocab, ends: &mut Vec<TokenId>) {
    let among =
        |ends: &[TokenId], name: &str| vocab.find_token(name.as_bytes()).filter(|id| ends.contains(id));
    let has_call = among(ends, "<|call|>").or(among(ends, "<|calls|>")).is_some();
    let has_answer_end = among(ends, "<|return|>").or(among(ends, "<|flush|>")).is_some();
    let part_end = among(ends, "<|end|>").filter(|_| has_call && has_answer_end);
    let html_tag = among(ends, "</s>").filter(|_| among(ends, "<|tool_response>").is_some());
    for (id, kind) in [(part_end, TokenKind::UserDefined), (html_tag, TokenKind::Normal)] {
        if let Some(id) = id {
            ends.retain(|&end| end != id);
            vocab.set_kind(id, kind);
        }
    }
}

/// Which blanks beside a special token in a text are dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Strip {
    pub left: bool,
    pub right: bool,
}

/// How blanks beside a special token are treated. Files do not say; it is known for some models only.
pub(super) fn strip(vocab: &Vocab, id: TokenId, names: &Names) -> Strip {
    let text = vocab.text(id);
    if names.masks_strip_left() {
        return Strip { left: text == b"<mask>", right: false };
    }
    if names.is_phi3() {
        let keeps = [b"<unk>".as_slice(), b"<s>", b"<|endoftext|>"].contains(&text);
        return Strip { left: false, right: !keeps };
    }
    Strip { left: names.is_modern_bert() && text == b"[MASK]", right: false }
}

/// Names in a file that decide on blanks beside special tokens.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// `general.name`, in lower case.
    pub model: String,
    /// `general.architecture`
    pub architecture: String,
    /// `tokenizer.ggml.pre`
    pub pre: String,
}

impl Names {
    fn masks_strip_left(&self) -> bool {
        ["jina-v2-de", "jina-v2-es", "jina-v2-code"].iter().any(|name| self.pre.contains(name))
            || ["nomic-bert-moe", "jina-bert-v3"].iter().any(|name| self.architecture.contains(name))
    }

    fn is_phi3(&self) -> bool {
        self.model.contains("phi-3") || self.model.contains("phi3")
    }

    fn is_modern_bert(&self) -> bool {
        self.model.contains("modern-bert")
    }
}
