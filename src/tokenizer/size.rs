//! What a tokenizer takes, in bytes: counted once it is there, and estimated from the metadata of a file, for plans that must not take the time to
//! build one.
//!
//! The estimate follows the same rules as the tables themselves and is exact where it can be; it does not know the texts that merges produce
//! without their being tokens, and of the tries of WordPiece and Unigram only how long their texts are.

use super::error::Error;
use super::merges;
use super::table::{Pair, slots_for};
use super::{Kind, Rules, Tokenizer, metadata, partition};
use crate::gguf::Metadata;

/// What a tokenizer takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes that it keeps allocated.
    pub owned: usize,
    /// Bytes that are needed besides while it is built.
    pub building: usize,
    /// Bytes of the longest token.
    pub longest: usize,
    /// Whether it was counted, not estimated.
    pub exact: bool,
}

impl Size {
    /// An estimate from the metadata of a model file, in one pass over the texts of the tokens.
    ///
    /// # Errors
    ///
    /// If there is no tokenizer, or it is of a kind that is not supported.
    pub fn estimate(metadata: &Metadata) -> Result<Size, Error> {
        let kind = metadata::kind(metadata)?;
        let tokens = metadata.array(metadata::TOKENS)?.ok_or(Error::Missing { key: metadata::TOKENS })?;
        let types = metadata.array(metadata::TYPES)?.map(|types| types.i32s()).transpose()?;
        let count = tokens.len();
        let (mut bytes, mut longest, mut specials) = (0usize, 0, Vec::new());
        for (id, text) in tokens.strs()?.enumerate() {
            let text = text?;
            bytes += text.len();
            longest = longest.max(text.len());
            let code = types.as_ref().and_then(|types| types.get(id)).copied();
            if code.is_some_and(|code| partition::is_special(metadata::token_kind(code))) {
                specials.push(text);
            }
        }
        let scores = if metadata.get(metadata::SCORES).is_some() { 4 * count } else { 0 };
        let merges = metadata.array(metadata::MERGES)?.map_or(0, |merges| merges.len());
        let (rules, building) = rules(kind, count, bytes, merges);
        let texts = grown(count.saturating_mul(8), bytes) + 4 * count + count + scores + 8 * slots_for(count);
        let owned = texts + rules + partition::estimate(&mut specials);
        Ok(Size { owned, building: building + 8 * count, longest, exact: false })
    }
}

impl Tokenizer {
    /// What it takes.
    pub fn size(&self) -> Size {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let rules = match &self.algorithm {
            Rules::Spm(spm) => size_of_val(&**spm) + spm.bytes(),
            Rules::Bpe(bpe) => size_of_val(&**bpe) + bpe.bytes(),
            Rules::Wpm(wpm) => size_of_val(&**wpm) + wpm.bytes(),
            Rules::Ugm(ugm) => size_of_val(&**ugm) + ugm.bytes(),
        };
        let ends = self.ends.capacity() * size_of_val(self.ends.first().unwrap_or(&0));
        let texts = self.vocab.bytes() + self.partition.bytes() + text(&self.pre) + text(&self.pre_warning);
        Size { owned: rules + ends + texts, building: 0, longest: self.vocab.longest(), exact: true }
    }
}

/// Bytes of the tables of an algorithm, and what building them needs besides.
fn rules(kind: Kind, count: usize, bytes: usize, merges: usize) -> (usize, usize) {
    // of the bytes of all texts, roughly half are shared with others as prefixes
    let (nodes, node) = (bytes / 2, 17);
    match kind {
        Kind::Spm => (4 * count + size_of::<super::Spm>(), 8 * count),
        Kind::Bpe => {
            let pairs = size_of::<Pair>();
            (pairs * slots_for(merges) + size_of::<super::Bpe>(), pairs * (merges + merges::SPARE))
        }
        Kind::Wpm => (nodes * node, nodes * 24 + 24 * count),
        Kind::Ugm => (nodes * node + 4 * count, nodes * 24 + 24 * count),
    }
}

/// The capacity of a vector that began with room for `reserved` and doubled until `needed` fitted.
fn grown(reserved: usize, needed: usize) -> usize {
    let mut capacity = reserved.max(8);
    while capacity < needed {
        capacity = capacity.saturating_mul(2);
    }
    capacity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gguf::Gguf;

    #[test]
    fn the_estimate_is_near() {
        let model = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/builtin.gguf");
        let file = Gguf::open(&model).unwrap();
        let (estimate, exact) = (
            Size::estimate(file.metadata()).unwrap(),
            Tokenizer::from_metadata(file.metadata()).unwrap().size(),
        );
        let difference = estimate.owned.abs_diff(exact.owned);
        assert!(difference < exact.owned / 10, "{estimate:?} {exact:?}");
        assert_eq!(estimate.longest, exact.longest);
        assert!(exact.exact && !estimate.exact);
    }

    #[test]
    fn a_file_without_a_tokenizer() {
        let empty = Gguf::from_static(b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
        assert!(matches!(Size::estimate(empty.metadata()), Err(Error::Missing { .. })));
    }
}
